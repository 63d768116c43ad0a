"""Scores of one choice among lettered options.

Reference: the multiple-choice reward of Video-R1 (arXiv 2503.21776), which VideoP2R (arXiv 2511.11113) takes over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""How options are named."""

_LONGEST = 2_000
_NAMED = re.compile(r"[(\[]?([A-Za-z])[)\]]?\s*[.:)]?\s*(.*)", re.DOTALL)


def parse_choice(text: str, options: Sequence[str]) -> int | None:
    """Return the place of the option that the whole text names, counted from 0, or None.

    It is named by its letter, by its letter and its text, or by its text alone; case, spaces, wide letters and a full
    stop at the end do not matter. A text that two options share names none, a letter beside another option's text names
    none, and a letter is never picked out of a sentence.

    >>> parse_choice("(b)", ["a cat", "a dog"]), parse_choice("B. a dog", ["a cat", "a dog"])
    (1, 1)
    >>> parse_choice("not A but B", ["a cat", "a dog"]) is None
    True
    """
    if len(text) > _LONGEST:
        return None
    text = unicodedata.normalize("NFKC", text)
    texts = [_plain(option) for option in options]
    found = _NAMED.fullmatch(text.strip())
    if found is not None:
        place, words = LETTERS.find(found[1].upper()), _plain(found[2])
        if place < len(options) and words in ("", texts[place]):
            return place
    said = _plain(text)
    return texts.index(said) if texts.count(said) == 1 else None


def choice_parts(reply: int, truth: int) -> dict[str, float]:
    """Return `exact`: 1 if the right option was chosen."""
    return {"exact": float(reply == truth)}


def choice_chance(count: int) -> dict[str, float]:
    """Return the chance of every part among `count` options."""
    return {"exact": 1 / count}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower().removesuffix(".")
