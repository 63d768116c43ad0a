"""Candidates as a text mentions them: giving them other numbers, and telling whether a text states an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reelgym.scoring.parse import parse_indices

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPOKEN = {word: number for number, word in enumerate(_WORDS, start=1)}
_NUMBER = re.compile(r"(?<![\w.])(?:#\s?)?(\d{1,6}|" + "|".join(_WORDS) + r")(?!\w|\.\d|:\d|%)", re.IGNORECASE)
_BETWEEN = re.compile(
    r"(?:[\s,;:.()\[\]{}<>*|#>=\u2192\u21d2\uff0c\u3001-]|\b(?:a|after|an|and|answer|before|by|candidates?|comes?|correct|final|finally"
    r"|afterwards?|begin(?:s|ning)?|ends?|ending|start(?:s|ing)?|first|follow(?:ed|s)?|frames?|gap|goes|images?|in|is|it|last|lastly|next|number|order|pictures?|right|second|so|that|the"
    r"|then|third|time|to|was|with|earl(?:y|ier|iest)|late(?:r|st)?|middle|preced(?:es|ed|ing)|succeed(?:s|ed)|which|than|slots?"
    r"|positions?|places?|holds|fourth|fifth)\b)*",
    re.IGNORECASE,
)


def renumber(text: str, numbers: Mapping[int, int]) -> str:
    """Return the text with every number that names a candidate replaced.

    A number that stands alone, in digits or as a word up to twelve, is taken to name a candidate; one inside a word, a
    decimal, a clock time or a percentage is not. Replacing is simultaneous, so the inverse gives the digits back.

    Args:
        text: What mentions candidates.
        numbers: Old number to new number; others stay.

    >>> renumber("b2 1, then candidate 2 at 2.5 s", {1: 2, 2: 1})
    'b2 2, then candidate 1 at 2.5 s'
    """

    def replaced(match: re.Match[str]) -> str:
        number = _value(match[1])
        return match[0] if number not in numbers else match[0].replace(match[1], str(numbers[number]))

    return _NUMBER.sub(replaced, text)


def states_answer(text: str, count: int, upper: int) -> bool:
    """Return whether a text states `count` distinct candidates out of 1..upper as an order, instead of what they show.

    True where the whole text, a line or a sentence parses as an answer (`parse_indices`), and where numbers follow each
    other with nothing between them but punctuation and words of order, exactly `count` of them or some of them again.

    >>> states_answer("The gap shows 3, then 1 and finally 2.", 3, 5)
    True
    >>> states_answer("a1 1 b2 2 c3 3", 3, 3)
    False
    """
    parts = [text, *re.split(r"[\n.;!?]+", text)]
    if any(parse_indices(part, count, upper) for part in parts if part.strip()):
        return True
    return any(_ordered(run, count, upper) for run in _runs(text))


def _ordered(run: list[int], count: int, upper: int) -> bool:
    """Return whether numbers in a row are an order, or hold one beside numbers that they name again.

    Without a repetition more numbers than `count` are an enumeration.
    """
    if max(run) > upper or (len(run) != count and len(run) == len(set(run))):
        return False
    windows = (run[start : start + count] for start in range(len(run) - count + 1))
    return any(len(set(window)) == count for window in windows)


def _runs(text: str) -> list[list[int]]:
    """Return the numbers from 1 of each stretch that holds nothing but numbers and what `_BETWEEN` allows."""
    runs: list[list[int]] = []
    end = -1
    for match in _NUMBER.finditer(text):
        joined = end >= 0 and _BETWEEN.fullmatch(text, end, match.start()) is not None
        if not joined:
            runs.append([])
        runs[-1].append(_value(match[1]))
        end = match.end()
    return [run for run in runs if min(run) >= 1]


def _value(written: str) -> int:
    return int(written) if written.isdigit() else _SPOKEN[written.lower()]


def stated_order(text: str, count: int, upper: int) -> tuple[int, ...] | None:
    """Return the last order of `count` distinct candidates out of 1..upper that a text states, or None.

    Where it states none as such, the candidates that it mentions, if it mentions exactly `count` and each once.

    >>> stated_order("First I saw 1, 2, 3. No: 3, then 1 and finally 2.", 3, 5)
    (3, 1, 2)
    >>> stated_order("b2 3 c4 1 d5 2", 3, 5)
    (3, 1, 2)
    """
    runs = _runs(text)
    for run in reversed(runs):
        if len(run) == count == len(set(run)) and max(run) <= upper:
            return tuple(run)
    every = [number for run in runs for number in run if number <= upper]
    return tuple(every) if len(every) == count == len(set(every)) else None
