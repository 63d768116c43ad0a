"""Option rotation: the same options under other letters. Nothing is taken away; what moves is a liking for letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from reelgym.data.messages import Part, Text
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe, kind_of, mapped
from reelgym.scoring.choice import LETTERS

LETTERED = ("choice", "grounded")
"""Kinds whose answer names an option by its letter."""

_NAMES_OTHERS = re.compile(
    r"\bof the (above|below)\b|\b(option|answer|choice)s? \(?[A-Z]\b|^(both )?\(?[A-Z]\)? (and|or|&) \(?[A-Z]\)?\W*$",
    re.IGNORECASE,
)
"""An option that speaks of others by their place: `All of the above`, `Both A and B`."""


class OptionRotation(Probe):
    """Every option moves on by one letter, the last to A; frames stay. Right is the right option's new letter."""

    name: ClassVar[str] = "option_rotation"
    leaves: ClassVar[str] = "everything, the options under other letters"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; needs lettered options that do not speak of each other."""
        options = sample.evidence.get("options") if kind_of(sample) in LETTERED else None
        if not options or len(options) < 2:
            raise NoMeaning("has no lettered options")
        if any(_NAMES_OTHERS.search(option) for option in options):
            raise NoMeaning("has an option that speaks of others by their place")
        moved = [options[-1], *options[:-1]]
        old, new = lines(options), lines(moved)
        held = [part.text.count(old) for m in sample.messages for part in m.parts if isinstance(part, Text)]
        if sum(held) != 1:
            raise NoMeaning("does not list its options in lettered lines once")

        def change(part: Part) -> Part:
            return Text(part.text.replace(old, new)) if isinstance(part, Text) else part

        answer = LETTERS[(LETTERS.index(sample.answer) + 1) % len(options)]
        return replace(mapped(sample, change), answer=answer, evidence=sample.evidence | {"options": moved})


def lines(options: Sequence[str]) -> str:
    """Return the options as they stand in a prompt.

    >>> print(lines(["a cat", "a dog"]))
    A. a cat
    B. a dog
    """
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
