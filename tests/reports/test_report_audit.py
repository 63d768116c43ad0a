"""The audit on a page: which shortcuts beat a guesser, which puzzles they solve, and puzzles without a gap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.reports import audit
from reelgym.reports.page import render
from reelgym.reports.payload import Payload
from reelgym.reports.puzzles import puzzle
from reelgym.video import FrameSpec

SPEC = FrameSpec(fps=1.0, size=(28, 28))


def interval(mean: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"mean": mean, "low": low, "high": high, "level": 0.95, "rows": 20, "clusters": 5}


@pytest.fixture
def about() -> dict[str, Any]:
    sure, luck = interval(0.6, 0.4, 0.8), interval(0.2, 0.0, 0.4)
    return {
        "audit": {
            "mvp": {
                "chance_solved": 0.1,
                "baselines": {"first": {"value": luck, "solved": luck}, "by_noise": {"value": sure, "solved": sure}},
                "solved_samples": {"b": ["first"], "a": ["by_noise"], "c": ["by_noise", "first"]},
            }
        },
        "stored_audit": {
            "rule": "thin",
            "tasks": {"mvp": {"samples": 1200, "removed": 30, "solved_by_any": interval(0.61, None, None)}},
        },
        "structure": {"videos looked at": 5, "with cuts": 2},
    }


def test_a_chart_puts_what_solves_most_first_and_marks_what_beats_a_guesser(about: dict[str, Any]) -> None:
    (chart,) = audit.charts(about)
    assert chart.chance == 0.1 and "mvp" in chart.title
    assert [(bar.label, bar.role) for bar in chart.bars] == [("By noise", "before"), ("First", "floor")]
    assert (chart.bars[0].number.low, chart.bars[0].number.high) == (0.4, 0.8)


def test_puzzles_that_most_shortcuts_solve_come_first(about: dict[str, Any]) -> None:
    assert list(audit.solved_by(about)) == ["c", "a", "b"]


def test_tables_say_what_the_rule_did_and_what_videos_hold(about: dict[str, Any]) -> None:
    done, held = audit.tables(about)
    assert done.rows == (("mvp", "1,200", "61.0%", "30"),) and "Rule: thin" in done.caption
    assert held.rows == (("Videos looked at", "5"), ("With cuts", "2"))
    assert audit.tables({"stored_audit": {}, "structure": {}}) == []
    assert audit.charts({"audit": {}}) == () and audit.solved_by({"audit": {}}) == {}


def test_a_puzzle_without_a_gap_shows_its_parts_one_by_one(about: dict[str, Any]) -> None:
    parts = (
        Text("Watch.\nClip 1: "),
        Clip(video="full:0", spec=SPEC, times=(3.0, 1.0)),
        Text("\nA question that is far too long to be the label of the picture that comes after it: "),
        Image(video="full:0", spec=SPEC, time=2.0),
    )
    sample = Sample(
        id="jigsaw-train-1",
        task="jigsaw",
        messages=(Message("user", parts),),
        answer=[2, 1],
        split="train",
        provenance={"source": "full:0"},
    )

    def grey(part: Image | Clip) -> np.ndarray:
        count = len(part.times) if isinstance(part, Clip) else 1
        return np.full((count, *(part.spec.size or (1, 1)), 3), 128, np.uint8)

    shown = puzzle(sample, grey)
    assert [(label, [frame.seconds for frame in frames]) for label, frames in shown.strips] == [
        ("Clip 1", [3.0, 1.0]),
        ("Part 2", [None]),
    ]
    assert shown.answer == (2, 1) and not shown.before and not shown.candidates
    page = render(Payload(title="t", headline="h", audits=audit.charts(about), puzzles=(shown,)))
    assert "Right answer" in page and "The clip and its gap" not in page and "Share of mvp puzzles solved" in page
    assert puzzle(sample, None).strips == ()


def test_a_measured_difficulty_is_a_chart_whose_ends_are_pale(about: dict[str, Any]) -> None:
    counts = [4, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 3]
    found = {"samples": 10, "histogram": counts, "rollouts": 8, "threshold": 1.0, "pass_rate": 0.43}
    chart = audit.charts(about | {"difficulty": {"tiny": found}})[-1]
    assert [round(bar.number.value * 10) for bar in chart.bars] == counts
    assert [bar.label for bar in chart.bars if bar.role == "floor"] == ["never", "always"]
    assert "8 replies each" in chart.caption and "tiny" in chart.title
