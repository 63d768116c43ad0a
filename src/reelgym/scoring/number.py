"""Scores of one number.

Reference: the numerical and regression rewards of Video-R1 (arXiv 2503.21776), which VideoP2R (arXiv 2511.11113)
takes over, and the mean relative accuracy of VSI-Bench (thinking in space, arXiv 2412.14171).
"""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"[$\u20ac\u00a3]?\s*([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,30})?(?:\.[0-9]{1,30})?)\s*%?")
_MARKS = str.maketrans({"\u066b": ".", "\u066c": ",", "\uff0e": ".", "\uff0c": ",", "\u2212": "-", "\uff0d": "-"})
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Of mean relative accuracy: 0.50, 0.55, ..., 0.95."""


def parse_number(text: str) -> float | None:
    """Return the number that the whole text is, or None; a number is never picked out of a sentence.

    A sign, commas between thousands, a decimal point, a currency sign before and a percent sign after are read, and
    the digits of every script. A number in words is none.

    >>> parse_number("1,200.5"), parse_number("-3 %"), parse_number(".5")
    (1200.5, -3.0, 0.5)
    >>> parse_number("about 3") is None, parse_number("1,20") is None
    (True, True)
    """
    found = _NUMBER.fullmatch(_in_ascii(text.strip())) if len(text) <= 100 else None
    if found is None or not any(letter.isdigit() for letter in found[1]):
        return None
    return float(found[1].replace(",", ""))


def _in_ascii(text: str) -> str:
    """Return the text with digits, points and commas of other scripts in ASCII."""
    digits = "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text)
    return digits.translate(_MARKS)


def number_parts(reply: float, truth: float) -> dict[str, float]:
    """Return every measure of a number, each in [0, 1].

    * exact: 1 if both round to the same two decimals. Video-R1 also demands that both or neither be written with
      a decimal point or comma; here 3 and 3.0 are one number. `published` holds theirs.
    * relative: 1 - min(1, |reply - truth| / |truth|); where the truth is 0, exact.
    * mean_relative: the share of theta in 0.50, 0.55, ..., 0.95 with |reply - truth| / |truth| below 1 - theta.
    """
    exact = float(round(reply, 2) == round(truth, 2))
    if truth == 0:
        return {"exact": exact, "relative": exact, "mean_relative": exact}
    error = abs(reply - truth) / abs(truth)
    below = sum(error < 1 - theta for theta in THRESHOLDS)
    return {"exact": exact, "relative": 1 - min(1.0, error), "mean_relative": below / len(THRESHOLDS)}
