from __future__ import annotations

from typing import Any

import pytest

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.errors import RequestError

OPTIONS = {"options": ["a cat", "a small dog", "a fish", "a bird"]}
CASES: dict[str, tuple[Any, dict[str, Any], str, float]] = {
    # kind: answer, evidence, a worse reply, its value by hand
    "choice": ("B", OPTIONS, "C", 0.0),
    "number": ("3", {}, "4", 0.0),
    "regression": ("10", {}, "8", 0.8),
    "ocr": ("EXIT NOW", {}, "EXIT HERE", 0.5),
    "text": ("a red car", {}, "a red bus", (2 / 3 + 1 / 2 + 2 / 3) / 3),
    "span": ([2.0, 8.0], {"duration_seconds": 30.0}, "0 - 6", 0.5),
}


def _sample(kind: str) -> Sample:
    answer, evidence, _, _ = CASES[kind]
    return Sample(
        id=kind, task="labelled", messages=(), answer=answer, split="test", evidence={"kind": kind} | evidence
    )


@pytest.mark.parametrize("kind", CASES)
def test_gold_scores_1_and_a_worse_reply_what_the_hand_says(kind: str) -> None:
    task, sample = tasks.get("labelled"), _sample(kind)
    gold = task.gold(sample)
    for reply in (gold, f"<think>so</think><answer>{gold}</answer>"):
        assert task.score(reply, sample).value == 1.0
    worse = task.score(CASES[kind][2], sample)
    assert worse.valid
    assert worse.value == pytest.approx(CASES[kind][3])


@pytest.mark.parametrize("kind", CASES)
def test_an_unreadable_reply_is_invalid_and_worth_0(kind: str) -> None:
    score = tasks.get("labelled").score("<answer></answer>", _sample(kind))
    assert (score.valid, score.value, score.parsed) == (False, 0.0, None)


@pytest.mark.parametrize("kind", CASES)
def test_chance_names_every_part_of_the_score(kind: str) -> None:
    task, sample = tasks.get("labelled"), _sample(kind)
    assert set(task.chance(sample)) == set(task.score(task.gold(sample), sample).parts) | {"value"}


def test_chance_of_a_choice_is_one_in_its_options() -> None:
    task, sample = tasks.get("labelled"), _sample("choice")
    values = [task.score(letter, sample).value for letter in "ABCD"]
    assert task.chance(sample)["value"] == sum(values) / len(values) == 0.25


def test_baselines_see_nothing() -> None:
    task = tasks.get("labelled")
    unread: Any = None
    assert task.baselines(_sample("choice"), unread) == {"longest_option": "B"}
    whole = task.baselines(_sample("span"), unread)["whole_video"]
    assert task.score(whole, _sample("span")).value == pytest.approx(6 / 30)
    assert task.baselines(_sample("text"), unread) == {}


def test_it_cuts_no_video() -> None:
    with pytest.raises(RequestError, match=r"make them with `reelgym import FILE --videos DIR`"):
        tasks.get("labelled").wanted_frames()
