"""Questions with exact answers, and how their options are made: neither order nor spread tells the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random
from typing import Literal

from reelgym.world.facts import CELLS, Facts, square

QuestionKind = Literal["what", "when", "where", "how many", "order", "next"]
CHOICES = 4
"""Most options of a question."""
CLEAR = 0.02
"""Least distance of a point from the border of its square for the square to be asked for."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about one video.

    Attributes:
        kind: What is asked for.
        text: The question, without its options.
        options: Distinct choices in an order that says nothing about the answer.
        answer: One of the options.
    """

    kind: QuestionKind
    text: str
    options: tuple[str, ...]
    answer: str

    def __post_init__(self) -> None:
        """Hold that the answer is one of at least two distinct options."""
        assert self.answer in self.options and len(set(self.options)) == len(self.options) >= 2, self


class Asker:
    """Collects the questions of one video; all chance comes from the scene's own seed."""

    def __init__(self, facts: Facts) -> None:
        """Begin without questions."""
        self.facts = facts
        self.random = Random(f"questions/{facts.kind}/{facts.seed}")
        self.asked: list[Question] = []

    def choose(self, kind: QuestionKind, text: str, answer: str, wrong: Iterable[str]) -> None:
        """Ask with up to `CHOICES` options: the answer and others drawn from the wrong ones; skip if there are none."""
        others = sorted(set(wrong) - {answer})
        options = [answer, *self.random.sample(others, min(CHOICES - 1, len(others)))]
        self.random.shuffle(options)
        if len(options) > 1:
            self.asked.append(Question(kind=kind, text=text, options=tuple(options), answer=answer))

    def count(self, text: str, answer: int) -> None:
        """Ask for a number among successive ones; the answer may be any of them."""
        low = self.random.randint(max(0, answer - CHOICES + 1), answer)
        self.choose("how many", text, str(answer), (str(low + i) for i in range(CHOICES)))

    def when(self, text: str, time: float) -> None:
        """Ask for a time among times a whole gap of 1.5 to 2.5 s apart; the answer may be any of them."""
        gap = self.random.choice((1.5, 2.0, 2.5))
        times = [time + gap * i for i in range(1 - CHOICES, CHOICES) if 0 <= time + gap * i <= self.facts.seconds]
        place = times.index(time)
        low = self.random.randint(max(0, place - CHOICES + 1), min(place, max(0, len(times) - CHOICES)))
        self.choose("when", text, seconds(time), map(seconds, times[low : low + CHOICES]))

    def order(self, text: str, answer: Sequence[str]) -> None:
        """Ask for an order of distinct things among their other orders."""
        if len(set(answer)) == len(answer) >= 2:
            self.choose("order", text, ", ".join(answer), (", ".join(other) for other in permutations(answer)))

    def where(self, name: str) -> None:
        """Ask for a thing's square at a time when it lies well inside one; the others lie two squares off or more."""
        track, facts = self.facts.tracks[name], self.facts
        clear = [k for k in range(facts.frames) if track.visible[k] and _is_clear(track.x[k]) and _is_clear(track.y[k])]
        if not clear:
            return
        k = self.random.choice(clear)
        column, row = int(track.x[k] * CELLS), int(track.y[k] * CELLS)
        far = [
            square((c + 0.5) / CELLS, (r + 0.5) / CELLS)
            for c in range(1, CELLS - 1)
            for r in range(1, CELLS - 1)
            if max(abs(c - column), abs(r - row)) >= 2
        ]
        text = f"In which square is the {name} at {k / facts.fps:.2f} s? Columns a to h, rows 1 to 8 from the top."
        self.choose("where", text, square(track.x[k], track.y[k]), far)


def _is_clear(value: float) -> bool:
    return CLEAR <= (value * CELLS) % 1 / CELLS <= 1 / CELLS - CLEAR and 0 <= value < 1


def seconds(time: float) -> str:
    """Return a time as it is written in questions.

    >>> seconds(3.04)
    '3.0 s'
    """
    return f"{time:.1f} s"


def ordinal(number: int) -> str:
    """Return the word for a position counted from 1.

    >>> ordinal(1), ordinal(12), ordinal(23)
    ('1st', '12th', '23rd')
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
