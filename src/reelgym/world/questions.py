"""Questions with exact answers, and how their options are made and shuffled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

QuestionKind = Literal["what", "when", "where", "how many", "order", "next"]


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


def ask(random: Random, kind: QuestionKind, text: str, answer: str, wrong: Iterable[str]) -> Question:
    """Return a question whose options are the answer and the wrong ones, shuffled by the scene's own stream."""
    options = [answer, *dict.fromkeys(option for option in wrong if option != answer)]
    random.shuffle(options)
    return Question(kind=kind, text=text, options=tuple(options), answer=answer)
