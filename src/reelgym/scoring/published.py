"""The answer metrics of Video-R1 (arXiv 2503.21776) as VideoP2R (arXiv 2511.11113) takes them over, to the letter.

They read the text of an answer and give 0 where they cannot, so they never say that an answer was unreadable; our own
parsers do (`choice`, `number`, `words`), and both stand side by side in a score. Where we differ: a number that is not
finite earns 0 (their code pays `nan` in full as a regression), and words of other scripts than Latin are words
(theirs drops them, and pays 0 for every answer in them).
"""

from __future__ import annotations

import math

from reelgym.scoring.words import rouge, word_error_rate

KINDS = ("choice", "number", "ocr", "text", "regression")
"""The kinds of answer they know."""

_TINY = 1e-9


def published(kind: str, reply: str, truth: str) -> float:
    """Return what the published metric gives an answer, in [0, 1].

    * choice: 1 if both texts are equal, spaces around them aside. `B.` is not `B`.
    * number: 1 if both or neither are written with a point or comma and both round to the same two decimals. `3.0` is
      not `3`.
    * ocr: 1 - word error rate, clipped.
    * text: mean F measure of ROUGE-1, ROUGE-2 and ROUGE-L, stemmed. A truth of one word earns 2/3 at most.
    * regression: 1 - (|reply - truth| + 1e-9) / (|truth| + 1e-9), clipped. A truth of 0 earns 0, whatever the reply.

    Args:
        kind: One of `KINDS`.
        reply: Text of the answer, tags left out.
        truth: Text of the right one.

    >>> published("number", "3.0", "3"), published("regression", "8", "10")
    (0.0, 0.79999999992)
    """
    if kind == "choice":
        return float(reply.strip() == truth.strip())
    if kind == "number":
        return _number(reply, truth)
    if kind == "regression":
        return _regression(reply, truth)
    if kind == "ocr":
        return min(1.0, max(0.0, 1.0 - word_error_rate(reply, truth)))
    if kind == "text":
        measures = rouge(reply, truth)
        return min(1.0, max(0.0, sum(measures.values()) / len(measures)))
    raise AssertionError(f"no published metric for {kind!r}")


def _number(reply: str, truth: str) -> float:
    if _is_fraction(reply) != _is_fraction(truth):
        return 0.0
    said, right = _read(reply), _read(truth)
    return 0.0 if said is None or right is None else float(round(said, 2) == round(right, 2))


def _regression(reply: str, truth: str) -> float:
    said, right = _read(reply), _read(truth)
    if said is None or right is None:
        return 0.0
    return 1.0 - min(1.0, max(0.0, (abs(said - right) + _TINY) / (abs(right) + _TINY)))


def _is_fraction(text: str) -> bool:
    return "." in text or "," in text


def _read(text: str) -> float | None:
    """Return the number as Python reads it, commas dropped."""
    try:
        number = float(text[:1000].replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
