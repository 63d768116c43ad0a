"""Several counts at once: the parser, how near a count is, and what a guesser gets."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONGEST = 200
_COUNTS = re.compile(r"[(\[{*]*\s*([0-9]{1,4}(?:[\s,;]+[0-9]{1,4})*)\s*[)\]}*]*\.?")


def parse_counts(text: str, count: int, upper: int) -> tuple[int, ...] | None:
    """Return exactly `count` whole numbers in 0..upper, or None.

    Between them stand commas, semicolons or spaces; brackets around do not matter. Anything else is no answer.

    >>> parse_counts("3, 1, 4", 3, 9), parse_counts("3, 1", 3, 9)
    ((3, 1, 4), None)
    """
    found = _COUNTS.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    numbers = tuple(int(piece) for piece in re.findall("[0-9]+", found.group(1))) if found else ()
    return numbers if len(numbers) == count and all(number <= upper for number in numbers) else None


def count_parts(reply: Sequence[int], truth: Sequence[int]) -> dict[str, float]:
    """Return `strict`, `each` and `smooth` of counts.

    * strict: 1 if all are right.
    * each: the share that is right (VIUBench's measure).
    * smooth: the mean of max(0, 1 - |y' - y| / y) with y' written and y true (VideoSSR, arXiv 2511.06281); of a true
      count of 0, 1 if it is right and else 0.

    >>> count_parts((3, 1, 2), (3, 2, 4))
    {'strict': 0.0, 'each': 0.3333333333333333, 'smooth': 0.6666666666666666}
    """
    near = [_near(given, true) for given, true in zip(reply, truth, strict=True)]
    right = [given == true for given, true in zip(reply, truth, strict=True)]
    return {"strict": float(all(right)), "each": sum(right) / len(right), "smooth": sum(near) / len(near)}


def count_chance(truth: Sequence[int], upper: int) -> dict[str, float]:
    """Return the mean of `count_parts` over all replies with counts in 0..upper: what a guesser gets, enumerated.

    The counts are guessed apart, so means of shares are means over one count at a time.
    """
    guesses = range(upper + 1)
    near = [sum(_near(guess, true) for guess in guesses) / len(guesses) for true in truth]
    return {
        "strict": len(guesses) ** -float(len(truth)),
        "each": 1 / len(guesses),
        "smooth": sum(near) / len(near),
    }


def _near(given: int, true: int) -> float:
    return max(0.0, 1 - abs(given - true) / true) if true else float(given == true)
