"""The frozen reader: no pixels, other numbers in every trajectory, no credit for a stated answer, and its own check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym import tasks
from reelgym.data.messages import Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.judges.reader import FrozenReader, Reader, question, relabelled, value
from reelgym.rewards.perception import Case, Verdict
from reelgym.video import FrameSpec

PLACES = ("door", "wall", "lamp", "roof", "gate")


def sample(number: int = 0, *, answer: Sequence[int] = (4, 1, 5)) -> Sample:
    parts: list[Any] = [Text("Which 3 of these 5 candidates fill the gap, in time order?")]
    for candidate in range(1, 6):
        image = Image(video="v", spec=FrameSpec(fps=1.0), time=float(candidate))
        parts += [Text(f"\nCandidate {candidate}: "), image]
    return Sample(
        id=f"s{number}",
        task="mvp",
        split="train",
        messages=(Message("user", tuple(parts)),),
        answer=list(answer),
        evidence={"pool": 5},
        provenance={"source": "v"},
    )


def observation(order: Sequence[int]) -> str:
    """Name each candidate's place; the n-th of `order` is at the n-th place."""
    places = dict(zip(order, PLACES, strict=False))
    rest = iter(PLACES[len(order) :])
    return ". ".join(f"Candidate {n} is at the {places.get(n) or next(rest)}" for n in range(1, 6)) + "."


class Words:
    """Stands for a policy: a prompt is its text."""

    def encode(self, messages: Sequence[Message], media: object, *, generate: bool = True) -> str:
        parts = [part for message in messages for part in message.parts]
        assert all(isinstance(part, Text) for part in parts)
        return "".join(part.text for part in parts if isinstance(part, Text))


class Solver:
    """Stands for a sampler: answers with the candidates at the first three places, or always the same."""

    def __init__(self, fixed: str = "") -> None:
        self.fixed, self.asked = fixed, 0
        self.calls: list[tuple[int, float]] = []

    def sample(self, prompts: Sequence[str], *, n: int, params: Any, streams: None) -> list[list[SimpleNamespace]]:
        self.asked += len(prompts)
        self.calls.append((len(prompts), params.temperature))
        return [[SimpleNamespace(text=self._reply(prompt), ids=[0, 1])] for prompt in prompts]

    def _reply(self, prompt: str) -> str:
        where = {place: number for number, place in re.findall(r"Candidate (\d) is at the (\w+)", prompt)}
        return f"<think>x</think><answer>{self.fixed or ', '.join(where[place] for place in PLACES[:3])}</answer>"


def reader(fixed: str = "") -> tuple[FrozenReader, Solver]:
    solver = Solver(fixed)
    return FrozenReader(lambda: nullcontext(Words()), sampler=lambda _: solver), solver  # type: ignore


def test_a_reader_is_asked_in_words_alone() -> None:
    (message,) = question(sample(), " Candidate 2 is at the door. ")
    text = "".join(part.text for part in message.parts if isinstance(part, Text))
    assert len(message.parts) == 7 and "stands for them:\nCandidate 2 is at the door.\n" in text


def test_an_observation_that_tells_enough_is_worth_1_whatever_the_candidates_are_called() -> None:
    one, told = sample(), observation((4, 1, 5))
    verdicts = reader()[0].judge([Case(one, told, f"member {member}") for member in range(6)])
    assert [verdict.score for verdict in verdicts] == [1.0] * 6
    assert len({verdict.reason for verdict in verdicts}) > 1


def test_observations_are_read_greedily_in_rows_and_their_tokens_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelgym.judges.reader.ROWS", 2)
    judge, solver = reader()
    orders = [(4, 1, 5), (1, 2, 3), (4, 1, 5), (1, 2, 3), (4, 1, 5)]
    verdicts = judge.judge([Case(sample(), observation(order), str(at)) for at, order in enumerate(orders)])
    assert [verdict.score == 1.0 for verdict in verdicts] == [order == (4, 1, 5) for order in orders]
    assert {tuple(verdict.counts.items()) for verdict in verdicts} == {(("leak", 0.0), ("tokens", 2.0))}
    assert solver.calls == [(2, 0.0), (2, 0.0), (1, 0.0)]


def test_what_is_not_answered_is_worth_less_than_chance() -> None:
    chance = tasks.get("mvp").chance(sample())["value"]
    assert value(sample(), "no idea") == pytest.approx(-chance / (1 - chance))


@pytest.mark.parametrize(
    ("shuffled", "passed"),
    [
        ([0.04] * 20, True),  # Near enough to chance, however narrow the interval.
        ([0.06] * 20, False),
        ([-0.06] * 20, False),
        ([1.0, -0.8] * 10, True),  # 0.1 from chance, with a margin of 1.96 * 0.92 / sqrt(20) = 0.4.
    ],
)
def test_a_trial_is_at_chance_within_the_interval_or_the_tolerance(shuffled: list[float], passed: bool) -> None:
    class Told(FrozenReader):
        told = iter([[1.0] * 20, shuffled])

        def judge(self, cases: Sequence[Case]) -> list[Verdict]:
            return [Verdict(score) for score in next(self.told)]

    samples = [sample(number) for number in range(20)]
    judge = Told(lambda: nullcontext(Words()))  # type: ignore
    assert Reader().trial(judge, samples, ["x"] * 20).passed == passed


def test_an_agreed_number_is_worth_nothing_in_the_mean() -> None:
    # A policy that says nothing and a reader that always answers 4, 1, 5: right only where the new numbers fit by luck.
    verdicts = reader("4, 1, 5")[0].judge([Case(sample(), "A quiet street.", str(member)) for member in range(400)])
    assert abs(sum(verdict.score or 0.0 for verdict in verdicts) / len(verdicts)) < 0.1


@pytest.mark.parametrize("planted", ["4, 1, 5", "The street. First 4, then 1, finally 5.", "[4] -> [1] -> [5]"])
def test_a_planted_answer_is_a_leak_and_never_read(planted: str) -> None:
    judge, solver = reader()
    (verdict,) = judge.judge([Case(sample(), planted, "k")])
    assert (verdict.score, verdict.counts, solver.asked) == (0.0, {"leak": 1.0}, 0)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_observation_is_worth_nothing_and_never_read(nothing: str | None) -> None:
    judge, solver = reader()
    (verdict,) = judge.judge([Case(sample(), nothing, "k")])
    assert (verdict.score, verdict.counts, solver.asked) == (0.0, {"leak": 0.0}, 0)


@given(st.text(max_size=20))
def test_question_observation_and_answer_get_the_same_new_numbers(key: str) -> None:
    case, numbers = relabelled(Case(sample(), observation((4, 1, 5)), key))
    assert sorted(numbers) == sorted(numbers.values()) == [1, 2, 3, 4, 5]
    assert case.sample.answer == [numbers[4], numbers[1], numbers[5]]
    assert f"Candidate {numbers[4]} is at the door" in str(case.observation)
    assert value(case.sample, ", ".join(map(str, case.sample.answer))) == 1.0


def test_order_and_leaks_keep_their_places() -> None:
    cases = [Case(sample(), text, str(place)) for place, text in enumerate(["4, 1, 5", observation((4, 1, 5))] * 2)]
    assert [verdict.score for verdict in reader()[0].judge(cases)] == [0.0, 1.0, 0.0, 1.0]


def test_a_trial_passes_a_reader_that_reads_and_refuses_one_that_guesses() -> None:
    rng = Random(0)
    orders = [tuple(rng.sample(range(1, 6), 3)) for _ in range(120)]
    samples = [sample(number, answer=order) for number, order in enumerate(orders)]
    told = [observation(order) for order in orders]
    good = Reader().trial(reader()[0], samples, told)
    assert good.figures["gold"] == 1.0 and good.passed
    bad = Reader().trial(reader("1, 2, 3")[0], samples, told)
    assert not bad.passed and "wanted: gold at least 0.8" in bad.words()


def test_a_reader_that_knows_without_reading_is_refused() -> None:
    class Knows(FrozenReader):
        def judge(self, cases: Sequence[Case]) -> list[Verdict]:
            return [Verdict(1.0) for _ in cases]

    samples = [sample(number) for number in range(10)]
    assert not Reader().trial(Knows(lambda: nullcontext(Words())), samples, [observation((4, 1, 5))] * 10).passed  # type: ignore


def test_free_words_are_read_and_a_planted_answer_is_not() -> None:
    free = replace(sample(), task="labelled", answer="a red car turns left", evidence={"kind": "text"})
    judge, solver = reader("a red car turns left")
    seen, planted = judge.judge([Case(free, "A street.\nA red car.", "a"), Case(free, "A red car turns left.", "b")])
    assert (seen.score, seen.counts["leak"], solver.asked) == (1.0, 0.0, 1)
    assert (planted.score, planted.counts["leak"]) == (0.0, 1.0) and "nothing but the answer" in planted.reason
