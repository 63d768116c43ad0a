"""The rule judge: what is known of a rendered video decides what an observation gets right, gets wrong and misses.

It needs no model, so it is the truth that other judges are held to, on the embedded world alone. It reads what it knows
the form of: squares of the board with the number of a candidate beside them, and the options of a question. Ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import ClassVar

from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.judges.leaks import leak
from reelgym.rewards.perception import Case, JudgeConfig, Lent, Verdict
from reelgym.scoring.choice import LETTERS
from reelgym.world import Facts, load_facts

Words = Callable[[Sample], Callable[[float], str] | None]
"""From a sample to what names the state of its video at a time in seconds, or None where nobody knows;
`recipes.proving.Ground.word` is one."""

_SQUARE = r"(?<![\w.])([a-h][1-8])(?!\w)"
_NUMBER = r"#?([0-9]{1,3})(?![\w]|\.[0-9])"
_CLAIM = re.compile(
    rf"(?:candidate|frame|picture|image|number)\s*{_NUMBER}\s*(?:shows?|is|has|:|=)?\s*(?:in|at|on)?\s*(?:square\s*)?{_SQUARE}"
    rf"|{_SQUARE}(?:\s*(?:is|in|at|for|=|:)?\s*(?:candidate|frame|picture|image|number)?\s*{_NUMBER})?",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:no|not|never|neither|nor|without|isn't|wasn't|doesn't|didn't)\b(?:(?!\bbut\b)[^,.;]){0,40}$", re.IGNORECASE
)


@dataclass(frozen=True)
class Findings:
    """What an observation says against what is known.

    Attributes:
        right: Claims that are true.
        wrong: Claims that are not.
        missed: What bears on the question and is not claimed rightly.
        suffices: Whether the answer follows from what is right, with nothing wrong to mislead.
    """

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    missed: tuple[str, ...]
    suffices: bool

    @property
    def precision(self) -> float | None:
        """Share of the claims that are true; None without any."""
        claims = len(self.right) + len(self.wrong)
        return len(self.right) / claims if claims else None

    @property
    def recall(self) -> float | None:
        """Share of what bears on the question that is claimed rightly; None where nothing does."""
        known = len(self.right) + len(self.missed)
        return len(self.right) / known if known else None

    def words(self) -> str:
        """Return the three lists in a line."""
        lists = {"right": self.right, "wrong": self.wrong, "missed": self.missed}
        return "; ".join(f"{name}: {', '.join(found) or 'nothing'}" for name, found in lists.items())


class RuleJudge:
    """Holds observations of the embedded world's videos to its facts."""

    name = "rule"

    def __init__(self, words: Words | None = None, *, leaks: bool = False) -> None:
        """Name where states come from.

        Args:
            words: None where only questions with options are judged.
            leaks: Whether observations that state an answer (`judges.leaks`) are worth 0, and counted.
        """
        self._words, self._leaks = words or _unknown, leaks

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return 1 or 0 per case, in order; no verdict on a sample of a kind that no rule knows."""
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Verdict:
        if case.observation is None or not case.observation.strip():
            return Verdict(0.0, "no observation")
        if self._leaks and (why := leak(case.observation, case.sample)):
            return Verdict(0.0, f"the observation states an answer: {why}", {"leak": 1.0})
        found = self.findings(case.sample, case.observation)
        if found is None:
            return Verdict(None, "no rule knows this kind of question")
        precision, recall = found.precision, found.recall
        counts = {name: value for name, value in (("precision", precision), ("recall", recall)) if value is not None}
        return Verdict(float(found.suffices), found.words(), counts | ({"leak": 0.0} if self._leaks else {}))

    def findings(self, sample: Sample, observation: str) -> Findings | None:
        """Return what an observation gets right, wrong and misses; None where no rule knows."""
        if "candidate_times" in sample.evidence and (word := self._words(sample)) is not None:
            return _puzzle(sample, observation, word)
        options = sample.evidence.get("options")
        if isinstance(options, list) and options and sample.answer in LETTERS[: len(options)]:
            return _choice(observation, options, LETTERS.index(sample.answer))
        return None


def facts_of(paths: Mapping[str, str | Path]) -> Callable[[str], Facts | None]:
    """Return what looks up the facts beside a rendered video by its identity; None where there are none."""

    @cache
    def look(identity: str) -> Facts | None:
        try:
            return load_facts(paths[identity]) if identity in paths else None
        except RequestError:
            # Any other video: nobody wrote down what is true of it.
            return None

    return look


def words_of(facts: Callable[[str], Facts | None]) -> Words:
    """Return what names the states of a sample's video, from what looks up its facts."""

    def words(sample: Sample) -> Callable[[float], str] | None:
        known = facts(sample.source)
        return None if known is None else known.word

    return words


@dataclass(frozen=True)
class Rule(JudgeConfig):
    """The facts beside rendered videos as the judge of a run: exact, and for nothing. Ours.

    Attributes:
        leaks: Whether observations that state an answer are worth 0, as they are to the other judges of a run.
    """

    name: ClassVar[str] = "rule"
    leaks: bool = True

    def open(self, lent: Lent) -> RuleJudge:
        """Return the judge.

        Raises:
            RequestError: Of some samples it knows nothing.
        """
        judge = RuleJudge(words_of(facts_of(lent.videos)), leaks=self.leaks)
        strange = [sample for sample in lent.samples if judge.findings(sample, "") is None]
        if strange:
            raise RequestError(
                f"the rule judge knows nothing of {len(strange)} of {len(lent.samples)} samples, such as "
                f"{strange[0].id}: it judges questions with options, and puzzles cut from videos of `reelgym world` "
                "that have their facts beside them; choose another judge"
            )
        return judge


def _unknown(sample: Sample) -> None:
    return None


def _puzzle(sample: Sample, observation: str, word: Callable[[float], str]) -> Findings:
    """Judge squares: of each candidate, and of the context in order.

    It suffices with every candidate's square right and none wrong, and with the last square before the gap and the
    first after it right: without them nothing says which way the order goes.
    """
    states = {number: word(time) for number, time in enumerate(sample.evidence["candidate_times"], start=1)}
    before, after = ([word(time) for time in times] for times in sample.evidence["context_times"])
    claimed, plain = _claims(observation)
    right = [f"{square} {number}" for number, square in claimed if states.get(number) == square]
    wrong = [f"{square} {number}" for number, square in claimed if states.get(number) != square]
    missed = [f"{square} {number}" for number, square in states.items() if (number, square) not in claimed]
    whole = not wrong and not missed
    blocks = SequenceMatcher(None, plain, [*before, *after], autojunk=False).get_matching_blocks()
    said = {block.a + step for block in blocks for step in range(block.size)}
    true = {block.b + step for block in blocks for step in range(block.size)}
    right += [square for place, square in enumerate(plain) if place in said]
    wrong += [square for place, square in enumerate(plain) if place not in said]
    missed += [square for place, square in enumerate([*before, *after]) if place not in true]
    edges = {place for place in (len(before) - 1, len(before)) if 0 <= place < len(before) + len(after)}
    return Findings(tuple(dict.fromkeys(right)), tuple(wrong), tuple(missed), whole and edges <= true)


def _claims(observation: str) -> tuple[list[tuple[int, str]], list[str]]:
    """Return (candidate, square) pairs, and the squares without a candidate, in order."""
    paired, plain = [], []
    for found in _CLAIM.finditer(observation):
        number, square = (found[1], found[2]) if found[2] else (found[4], found[3])
        if number:
            paired.append((int(number), square.lower()))
        else:
            plain.append(square.lower())
    return list(dict.fromkeys(paired)), plain


def _choice(observation: str, options: Sequence[str], truth: int) -> Findings:
    """Judge which options are asserted: mentioned in a row of words, and not denied just before.

    It suffices with the right one asserted and no other.
    """
    asserted = [option for option in options if _asserts(observation, option, options)]
    right = tuple(option for option in asserted if option == options[truth])
    wrong = tuple(option for option in asserted if option != options[truth])
    return Findings(right, wrong, () if right else (options[truth],), bool(right) and not wrong)


def _asserts(observation: str, option: str, options: Sequence[str]) -> bool:
    text = observation.lower()
    for longer in options:
        # An option that is part of another is not mentioned where the other is.
        if longer != option and option.lower() in longer.lower():
            text = text.replace(longer.lower(), " ")
    pattern = r"(?<![\w.])" + re.escape(option.lower()) + r"(?!\w|\.[0-9])"
    return any(not _NEGATED.search(text[: found.start()]) for found in re.finditer(pattern, text))
