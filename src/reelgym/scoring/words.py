"""Scores of free text: word error rate and ROUGE.

Reference: the OCR and free-form rewards of Video-R1 (arXiv 2503.21776), which VideoP2R (arXiv 2511.11113) takes over;
ROUGE is Lin's (2004). Where we differ: words are not stemmed, and letters of every script are words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

_WORD = re.compile(r"\w+")
_MOST = 2_000


def parse_words(text: str) -> str | None:
    """Return the text, or None where it has no word or more than 2,000."""
    return text if 0 < len(text.split()) <= _MOST and len(text) <= 20 * _MOST else None


def word_parts(reply: str, truth: str) -> dict[str, float]:
    """Return every measure of a text, each in [0, 1].

    * exact: 1 if the words are the same, case and punctuation aside.
    * word_accuracy: 1 - WER, not below 0: word insertions, deletions and substitutions over the words of the truth,
      split at spaces, case and punctuation kept.
    * rouge1, rouge2, rouge_l: F measures of common words, word pairs and the longest common subsequence.
    * rouge: their mean, VideoP2R's free-form reward. A truth of one word has no pairs: there rouge2 is exact.
    """
    said, right = _words(reply), _words(truth)
    exact = float(said == right)
    pairs = _overlap(list(pairwise(said)), list(pairwise(right)))
    measures = {
        "rouge1": _overlap(said, right),
        "rouge2": pairs if len(right) > 1 else exact,
        "rouge_l": _f(_common(said, right), len(said), len(right)),
    }
    spoken, written = reply.split(), truth.split()
    wrong = edits(spoken, written) / max(1, len(written))
    accuracy = max(0.0, 1.0 - wrong)
    return {"exact": exact, "word_accuracy": accuracy} | measures | {"rouge": sum(measures.values()) / len(measures)}


def edits(reply: Sequence[str], truth: Sequence[str]) -> int:
    """Return the least number of insertions, deletions and substitutions that make one sequence the other.

    >>> edits("a b c".split(), "a x c d".split())
    2
    """
    row = list(range(len(truth) + 1))
    for count, word in enumerate(reply, 1):
        corner, row[0] = row[0], count
        for column, right in enumerate(truth, 1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (word != right))
    return row[-1]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _overlap(reply: Sequence[object], truth: Sequence[object]) -> float:
    return _f((Counter(reply) & Counter(truth)).total(), len(reply), len(truth))


def _f(common: int, reply: int, truth: int) -> float:
    return 2 * common / (reply + truth) if common else 0.0


def _common(reply: Sequence[str], truth: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(truth) + 1)
    for word in reply:
        corner = 0
        for column, right in enumerate(truth, 1):
            corner, row[column] = row[column], corner + 1 if word == right else max(row[column], row[column - 1])
    return row[-1]
