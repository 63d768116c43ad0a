from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym.errors import RequestError
from reelgym.scoring.statistics import Interval, clustered_mean, paired_difference

ROWS = st.lists(st.tuples(st.floats(-10, 10), st.sampled_from("abcde")), min_size=2, max_size=30)


def loop_oracle(values: list[float], clusters: list[str], level: float, draws: int, seed: int) -> tuple[float, float]:
    """The bootstrap as one would say it: draw whole videos, join their rows, average; sort; cut both tails."""
    names = sorted(set(clusters))
    rng = np.random.default_rng(seed)
    means = []
    for picks in rng.integers(0, len(names), size=(draws, len(names))):
        rows = [v for pick in picks for v, cluster in zip(values, clusters, strict=True) if cluster == names[pick]]
        means.append(sum(rows) / len(rows))
    means.sort()

    def quantile(q: float) -> float:
        place = q * (draws - 1)
        below = math.floor(place)
        return means[below] + (place - below) * (means[min(below + 1, draws - 1)] - means[below])

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


@settings(max_examples=15, deadline=None)
@given(ROWS, st.sampled_from([0.5, 0.95, 0.99]))
def test_limits_equal_those_of_a_loop_over_rows(rows: list[tuple[float, str]], level: float) -> None:
    values, clusters = [v for v, _ in rows], [c for _, c in rows]
    found = clustered_mean(values, clusters, level=level, draws=60, seed=3)
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    if found.clusters > 1:
        low, high = loop_oracle(values, clusters, level, 60, 3)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_two_even_clusters_have_the_limits_of_three_outcomes() -> None:
    # Means 0 and 1: a draw of two gives 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4. At 95% both ends are reached, at
    # 40% (quantiles 0.3 and 0.7) neither is.
    values, clusters = [0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"]
    wide, narrow = (clustered_mean(values, clusters, level=level) for level in (0.95, 0.4))
    assert (wide.low, wide.mean, wide.high) == (0.0, 0.5, 1.0)
    assert (narrow.low, narrow.high) == (0.5, 0.5)


def test_many_single_rows_give_the_normal_interval() -> None:
    # 2,000 independent coin flips: half-width 1.96 sqrt(0.25 / 2000) = 0.0219.
    values = np.tile([0.0, 1.0], 1000)
    found = clustered_mean(values, [str(i) for i in range(2000)])
    assert (found.high - found.low) / 2 == pytest.approx(0.0219, rel=0.04)
    wide = clustered_mean(values, [str(i) for i in range(2000)], level=0.99)
    assert (wide.high - wide.low) / 2 == pytest.approx(2.576 / 1.96 * 0.0219, rel=0.05)


def test_rows_of_one_video_count_as_one_voice() -> None:
    # 100 videos of 5 equal rows: the interval is that of 100 rows, sqrt(5) times as wide as that of 500.
    values = np.repeat(np.tile([0.0, 1.0], 50), 5)
    videos = clustered_mean(values, [str(i // 5) for i in range(500)])
    rows = clustered_mean(values, [str(i) for i in range(500)])
    assert (videos.high - videos.low) / (rows.high - rows.low) == pytest.approx(math.sqrt(5), rel=0.05)


def test_uneven_clusters_average_rows_and_not_videos() -> None:
    assert clustered_mean([0.0, 1.0, 1.0, 1.0], ["a", "b", "b", "b"]).mean == 0.75


def test_a_constant_has_an_interval_without_width() -> None:
    found = clustered_mean([0.1] * 7, list("aabbccd"))
    assert found.low == found.high == pytest.approx(0.1, abs=1e-15)


def test_one_video_has_no_interval() -> None:
    found = clustered_mean([0.0, 1.0], ["a", "a"])
    assert found.mean == 0.5 and math.isnan(found.low) and math.isnan(found.high)
    assert not found.above(-1.0)
    assert found.to_json()["low"] is None
    again = Interval.from_json(found.to_json())
    assert math.isnan(again.low) and again.mean == 0.5


@settings(max_examples=30, deadline=None)
@given(ROWS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_limits_do_not_know_the_order_of_rows_and_move_with_the_values(
    rows: list[tuple[float, str]], seed: int, random: object
) -> None:
    mixed = list(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = (
        clustered_mean([v for v, _ in some], [c for _, c in some], draws=200, seed=seed) for some in (rows, mixed)
    )
    moved = clustered_mean([2 * v + 1 for v, _ in rows], [c for _, c in rows], draws=200, seed=seed)
    if first.clusters < 2:
        return
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-9)
    assert (moved.low, moved.high) == pytest.approx((2 * first.low + 1, 2 * first.high + 1), abs=1e-9)
    means = [np.mean([v for v, c in rows if c == name]) for name in {c for _, c in rows}]
    assert min(means) - 1e-9 <= first.low <= first.high <= max(means) + 1e-9


def test_a_seed_repeats_and_another_one_differs() -> None:
    values, clusters = list(np.linspace(0, 1, 40) ** 2), [str(i // 2) for i in range(40)]
    assert clustered_mean(values, clusters, seed=1) == clustered_mean(values, clusters, seed=1)
    assert clustered_mean(values, clusters, seed=1).low != clustered_mean(values, clusters, seed=2).low


def test_chunks_of_draws_do_not_change_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    values, clusters = list(np.linspace(0, 1, 40) ** 2), [str(i) for i in range(40)]
    whole = clustered_mean(values, clusters, draws=500)
    monkeypatch.setattr("reelgym.scoring.statistics._CHUNK", 1000)
    assert clustered_mean(values, clusters, draws=500) == whole


def test_pairing_takes_away_what_is_hard_for_both() -> None:
    rng = np.random.default_rng(0)
    before = rng.random(300)
    after = before + 0.1
    clusters = [str(i // 3) for i in range(300)]
    found = paired_difference(before, after, clusters)
    assert found.mean == pytest.approx(0.1)
    assert found.high - found.low < 1e-9
    assert found.above(0.0) and not found.above(0.2)
    assert clustered_mean(after, clusters).high - clustered_mean(after, clusters).low > 0.03


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # 200 worlds of 60 videos with 4 rows that share half their variance; 95% nominal, binomial noise about 1.5%.
    rng = np.random.default_rng(11)
    clusters = [str(i // 4) for i in range(240)]
    hits = 0
    for world in range(200):
        values = np.repeat(rng.normal(size=60), 4) + rng.normal(size=240)
        found = clustered_mean(values, clusters, draws=400, seed=world)
        hits += found.low <= 0.0 <= found.high
    assert 0.90 <= hits / 200 <= 0.98


def test_ten_thousand_draws_take_well_under_a_second() -> None:
    start = time.perf_counter()
    clustered_mean(np.zeros(900), [str(i // 3) for i in range(900)])
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(
    ("values", "clusters", "level", "words"),
    [
        ([], [], 0.95, "at least one"),
        ([1.0], ["a", "b"], 0.95, "equally many"),
        ([1.0, math.nan], ["a", "b"], 0.95, "1 of 2 values are not finite"),
        ([1.0, 2.0], ["a", "b"], 95.0, "level=95.0 is outside"),
    ],
)
def test_what_cannot_be_averaged_is_refused(values: list[float], clusters: list[str], level: float, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        clustered_mean(values, clusters, level=level)


def test_sides_of_different_lengths_are_refused() -> None:
    with pytest.raises(RequestError, match="pair equal rows first"):
        paired_difference([1.0], [1.0, 2.0], ["a", "b"])
