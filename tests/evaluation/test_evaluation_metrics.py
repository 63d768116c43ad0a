from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.evaluation.metrics import mean
from reelgym.evaluation.results import Row
from reelgym.evaluation.spec import Metric
from reelgym.scoring.statistics import clustered_mean

PLAIN = Row(id="", source="v", reply="", parsed=None, valid=True, value=0, parts={}, chance={}, stop="eos", tokens=1)


def row(number: int, value: float, video: str = "v", **facets: str | int) -> Row:
    return replace(PLAIN, id=str(number), source=video, value=value, facets=dict(facets))


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1))
def test_a_mean_of_means_is_that_of_loops(held: list[tuple[float, str, str]]) -> None:
    rows = [row(at, value, outer=outer, inner=inner) for at, (value, outer, inner) in enumerate(held)]
    wanted = []
    for outer in {one[1] for one in held}:
        inners = {one[2] for one in held if one[1] == outer}
        groups = [[value for value, o, i in held if (o, i) == (outer, inner)] for inner in inners]
        wanted.append(sum(sum(group) / len(group) for group in groups) / len(groups))
    found = mean(rows, Metric(name="x", by=("outer", "inner")))
    assert found.mean == pytest.approx(sum(wanted) / len(wanted))
    assert math.isnan(found.low)  # One video: no interval.


def test_without_groups_mean_and_limits_are_those_of_the_clustered_bootstrap() -> None:
    rng = np.random.default_rng(0)
    rows = [row(at, float(rng.random() < 0.6), video=f"v{at % 40}") for at in range(200)]
    found = mean(rows, Metric(name="x"))
    plain = clustered_mean([one.value for one in rows], [one.source for one in rows])
    assert found.mean == pytest.approx(plain.mean)
    # Both are draws of the same distribution: limits agree to a few percent of the interval's width.
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.1 * (plain.high - plain.low))


def test_weights_and_groups_that_count_as_one_by_hand() -> None:
    rows = [
        row(1, 1.0, places=3, question="a"),
        row(2, 0.5, places=5, question="a"),
        row(3, 1.0, places=2, question="b"),
    ]
    # (3 + 2.5 + 2) / 10
    assert mean(rows, Metric(name="x", weight="places")).mean == pytest.approx(0.75)
    # Question a: 1 and 0.5 together 0.5; b: 1.
    assert mean(rows, Metric(name="x", all_of="question")).mean == pytest.approx(0.75)


def test_order_of_rows_never_matters() -> None:
    rows = [row(at, at % 3 / 2, video=f"v{at % 7}", task=f"t{at % 2}") for at in range(30)]
    metric = Metric(name="x", by=("task",))
    assert mean(rows, metric).to_json() == pytest.approx(mean(rows[::-1], metric).to_json())
