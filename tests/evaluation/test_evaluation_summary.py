from __future__ import annotations

import json
from dataclasses import replace

import pytest
from evaluation_samples import sample

from reelgym.errors import RequestError
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import grade
from reelgym.evaluation.summary import summarise


def evaluation(replies: list[str]) -> Evaluation:
    rows = tuple(grade(sample(i, videos=len(replies) // 2), reply) for i, reply in enumerate(replies))
    return Evaluation(model="m", position_rule="qwen", variant="tagged", probe=None, max_tokens=8, rows=rows)


def test_a_summary_says_before_after_and_how_sure() -> None:
    # Exact is 1, "1, 2" (right frames, wrong order) 0.25, unreadable 0.
    before, after = evaluation(["1, 2", "1, 2", "cat", "2, 1"]), evaluation(["2, 1"] * 4)
    floors = {"context_free": evaluation(["2, 1", "cat", "cat", "cat"])}
    found = summarise(before, after, blind_before=before, blind_after=before, floors=floors)
    assert found["before"] == pytest.approx(1.5 / 4) and found["after"] == 1.0
    assert found["difference"] == pytest.approx(2.5 / 4)
    assert found["interval"][0] <= found["difference"] <= found["interval"][1]
    assert found["valid_difference"] == pytest.approx(1.5 / 3)
    assert (found["invalid_before"], found["invalid_after"]) == (0.25, 0.0)
    assert found["exact"]["before"] == 0.25 and found["exact"]["chance"] == pytest.approx(1 / 12)
    assert found["exact"]["corrected_before"] == pytest.approx((0.25 - 1 / 12) / (11 / 12))
    assert found["context_free"] == 0.25 and (found["puzzles"], found["videos"]) == (4, 2)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_blind_interval_is_wider_at_its_own_level() -> None:
    replies = ["2, 1", "1, 2", "cat", "2, 3", "3, 4", "2, 1", "cat", "1, 3"] * 5
    one = evaluation(replies)
    wide, narrow = (
        summarise(one, one, blind_before=one, blind_after=one, floors={}, blind_level=level)["blind_interval"]
        for level in (0.99, 0.5)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_different_samples_have_no_summary() -> None:
    one = evaluation(["2, 1", "2, 1"])
    with pytest.raises(RequestError, match="different samples"):
        summarise(one, replace(one, rows=one.rows[:1]), blind_before=one, blind_after=one, floors={})
