"""Why a published parser reads something else than a reply states: the first cause that fits; none is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from published import ASKED, DRAWN
from replies import LETTERS, Stated


@dataclass(frozen=True)
class Case:
    """What a parser read in a reply (the letters that would be right; of other answers whether it found any)."""

    reply: str
    options: Sequence[str]
    stated: str | None
    read: frozenset[str]

    @property
    def wrong(self) -> str:
        """The letter that was read and is not stated; empty where none was."""
        return next(iter(sorted(self.read - {self.stated})), "")


def _alone(letter: str, reply: str) -> bool:
    return re.search(rf"(?<![A-Za-z]){letter}(?![A-Za-z])", reply) is not None


def _cut_off(reply: str) -> bool:
    return ("<think>" in reply and "</think>" not in reply) or "<observation>" in reply


def _two(case: Case) -> bool:
    """Return whether a reply that states nothing names two options."""
    return case.stated is None and sum(_alone(letter, case.reply) for letter in LETTERS[: len(case.options)]) > 1


def _denied(letter: str, reply: str) -> bool:
    before, after = (
        rf"(?:\bnot|n't|except)\s+\(?{letter}\b",
        rf"\b{letter}\b\)?,? (?:is|seems)? ?(?:wrong|incorrect|false|not)",
    )
    return re.search(f"{before}|{after}", reply) is not None


def _article(case: Case) -> bool:
    runs_on = rf"(?<![A-Za-z]){case.wrong}(?:\s+(?!(?:or|and|is|seems)\b)\w|'m)"
    return case.wrong in "AI" and re.search(runs_on, case.reply) is not None


LETTER_CAUSES: dict[str, Callable[[Case], bool]] = {
    "draws a letter at random where it finds none": lambda case: case.read == {DRAWN},
    "asks a hosted judge about all but a bare or leading letter": lambda case: case.read == {ASKED},
    "takes several letters as right at once": lambda case: len(case.read) > 1,
    "reads a letter beyond the options": lambda case: (
        case.wrong != "" and case.wrong not in LETTERS[: len(case.options)]
    ),
    "reads what was thought before the reply was cut off": lambda case: case.wrong != "" and _cut_off(case.reply),
    "takes a letter inside a word or an option's text": lambda case: (
        case.wrong != "" and not _alone(case.wrong, case.reply)
    ),
    "takes a letter that the reply denies": lambda case: case.wrong != "" and _denied(case.wrong, case.reply),
    "chooses one of two letters where the reply states neither": lambda case: case.wrong != "" and _two(case),
    "takes the article `A` or the pronoun `I` as an option": lambda case: case.wrong != "" and _article(case),
    "takes a name in the options (`C. elegans`) as option C": lambda case: (
        case.wrong != ""
        and any(case.wrong in re.findall(r"\w+", option) for option in case.options)
        and re.search(rf"\b{case.wrong}\.?\s+\w", case.reply) is not None
    ),
    "takes a letter where the reply states none": lambda case: case.wrong != "" and case.stated is None,
    "takes another letter than the concluding one": lambda case: case.wrong != "",
    "knows no option by its text": lambda case: (
        not _alone(case.stated or "", case.reply.upper()) and not _alone((case.stated or "").lower(), case.reply)
    ),
    "knows no lower-case letter": lambda case: not _alone(case.stated or "", case.reply),
    "finds no letter within marks (bold, box, tags, wide or bracketed)": lambda case: (
        re.search(r"[*\[\]<>{}\uff21-\uff3a]", case.reply) is not None
    ),
    "finds no letter in the sentence": lambda case: True,
}
"""Causes of another letter, the special ones first."""


@dataclass(frozen=True)
class Answer:
    """What a parser read that is no letter, beside what the reply states and what would be right."""

    said: Stated
    read: object


def _read_cut_off(answer: Answer) -> bool:
    return _cut_off(answer.said.text) and answer.read is not None and answer.read is not False


NUMBER_CAUSES: dict[str, Callable[[Answer], bool]] = {
    "reads what was thought before the reply was cut off": _read_cut_off,
    "takes the first of several numbers where the reply concludes none": lambda answer: answer.said.stated is None,
    "takes the first number, not the concluding one": lambda answer: answer.read is not None,
}
SPAN_CAUSES: dict[str, Callable[[Answer], bool]] = {
    "reads what was thought before the reply was cut off": _read_cut_off,
    "turns an interval that runs backwards round": lambda answer: (
        re.fullmatch(r"\d+ - \d+", answer.said.text) is not None
    ),
    "takes the first of two intervals": lambda answer: answer.said.stated is None,
    "finds no interval without a dash or `to` between its times": lambda answer: answer.read is None,
}
ORDER_CAUSES: dict[str, Callable[[Answer], bool]] = {
    "reads what was thought before the reply was cut off": _read_cut_off,
    "takes the first order in the reply, not the marked one": lambda answer: answer.read is not None,
    "finds no order without commas": lambda answer: "," not in answer.said.text,
}


def _contains(answer: Answer) -> bool:
    return str(answer.said.truth).lower() in answer.said.text.lower()


OURS = "OURS wants the whole answer to be the same; of free answers of MMVU a judge decides the rest"
"""The one cause of ours: of rules on free answers."""

PHRASE_CAUSES: dict[str, Callable[[Answer], bool]] = {
    "takes an empty reply as right": lambda answer: answer.read is True and answer.said.text == "",
    "reads what was thought before the reply was cut off": _read_cut_off,
    "takes a reply as right that holds the right answer anywhere": lambda answer: (
        answer.read is True and _contains(answer)
    ),
    "takes a part of the right answer as right": lambda answer: (
        answer.read is True and answer.said.text.lower() in str(answer.said.truth).lower()
    ),
    "takes a reply with all longer words of the right answer, or its first number, as right": lambda answer: (
        answer.read is True
    ),
    "does not find a number before a full stop or in a clause": lambda answer: (
        answer.read is False and re.search(r"\d", str(answer.said.truth)) is not None
    ),
}
