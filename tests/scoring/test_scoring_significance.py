"""Tests of significance against enumeration, against hand arithmetic, and against what they promise in simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym.errors import RequestError
from reelgym.scoring.significance import detectable, equivalence, holm, mcnemar, permutation
from reelgym.scoring.statistics import clustered_mean

BITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9)


@given(BITS)
def test_mcnemar_is_the_share_of_coin_flips_at_least_as_lopsided(pairs: list[tuple[bool, bool]]) -> None:
    first, second = zip(*pairs, strict=True)
    gained = sum(b > a for a, b in pairs)
    lost = sum(b < a for a, b in pairs)
    flips = list(itertools.product((0, 1), repeat=gained + lost))
    hits = sum(abs(2 * sum(flip) - len(flip)) >= abs(gained - lost) for flip in flips)
    assert mcnemar(first, second) == pytest.approx(min(1.0, hits / len(flips)))


def test_mcnemar_refuses_graded_scores() -> None:
    with pytest.raises(RequestError, match="right or wrong"):
        mcnemar([0.5], [1.0])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), min_size=1, max_size=12))
def test_the_permutation_test_enumerates_the_sides_of_whole_clusters(rows: list[tuple[int, int]]) -> None:
    clusters = [str(cluster) for cluster, _ in rows]
    sums = [sum(change for cluster, change in rows if cluster == one) for one in sorted({c for c, _ in rows})]
    totals = [abs(sum(s * t for s, t in zip(sums, flip, strict=True))) for flip in _flips(len(sums))]
    wanted = sum(total >= abs(sum(sums)) for total in totals) / len(totals)
    assert permutation([0.0] * len(rows), [change for _, change in rows], clusters) == wanted


def _flips(count: int) -> list[Sequence[int]]:
    return list(itertools.product((-1, 1), repeat=count))


@pytest.mark.parametrize("sums", [[1, 2, 6, -6], [3, -1, -2, 7, 7], [2, 2, -4, 9, -9, 1]])
def test_rounding_breaks_no_tie(sums: list[int]) -> None:
    names = [str(place) for place in range(len(sums))]
    tenths = permutation([0.0] * len(sums), [one / 10 for one in sums], names)
    assert tenths == permutation([0] * len(sums), sums, names)


def test_many_clusters_are_drawn_and_agree_with_the_normal_law() -> None:
    # 100 clusters of one row, 60 rise and 40 fall by 1: z = 20 / 10 with the continuity of steps of 2.
    changes = [1.0] * 60 + [-1.0] * 40
    found = permutation([0.0] * 100, changes, [str(i) for i in range(100)])
    assert found == pytest.approx(2 * (1 - NormalDist().cdf(19 / 10)), abs=0.01)
    assert permutation([0.0] * 100, [1.0] * 100, [str(i) for i in range(100)]) == 1 / 20_001


def test_copies_of_a_row_within_its_video_are_no_evidence() -> None:
    alone = permutation([0, 0, 0], [1, 1, 1], ["a", "b", "c"])
    assert permutation([0] * 30, [1] * 30, ["a", "b", "c"] * 10) == alone == 0.25
    assert mcnemar([0] * 30, [1] * 30) < 1e-8


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> 0.06 (never below the one before).
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm([]) == [] and holm([0.7]) == [0.7] and holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(value <= new <= 1 for value, new in zip(values, adjusted, strict=True))
    assert sorted(range(len(values)), key=lambda i: (values[i], i)) == sorted(
        range(len(values)), key=lambda i: (adjusted[i], values[i], i)
    )


def test_the_detectable_difference_by_hand() -> None:
    # Four videos of one row each, differences 1, -1, 1, -1: variance 4/3, standard error sqrt(4/3 / 4) = 0.57735.
    found = detectable([1.0, -1.0, 1.0, -1.0], list("abcd"))
    assert found == pytest.approx((1.959964 + 0.841621) * math.sqrt(1 / 3), rel=1e-5)
    assert detectable([1.0, 0.0], ["a", "a"]) is None


def test_a_detectable_difference_is_detected_in_four_of_five_repetitions() -> None:
    rng = np.random.default_rng(0)
    clusters = [str(i // 3) for i in range(300)]
    noise = rng.normal(0, 1, (400, 100)).repeat(3, 1) + rng.normal(0, 1, (400, 300))
    size = float(np.mean([detectable(row, clusters) or 0.0 for row in noise[:50]]))
    error = size / (1.959964 + 0.841621)
    seen = np.abs(noise.mean(1) + size) > 1.959964 * error
    assert 0.72 < seen.mean() < 0.88


def test_equivalence_needs_both_limits_within_the_margin() -> None:
    values, clusters = [0.0, 1.0] * 200, [str(i // 2) for i in range(400)]  # Every video scores one half: no spread.
    assert equivalence(values, clusters, 0.48, margin=0.03).equivalent
    assert not equivalence(values, clusters, 0.46, margin=0.03).equivalent
    wide = equivalence([0.0, 1.0] * 5, [str(i) for i in range(10)], 0.5, margin=0.1)
    assert not wide.equivalent and wide.low < -0.1 < 0.1 < wide.high
    # Two tests at 0.05 each are the interval at 0.9.
    interval = clustered_mean([0.0, 1.0] * 5, [str(i) for i in range(10)], level=0.9)
    assert (wide.low, wide.high) == (interval.low - 0.5, interval.high - 0.5)
    with pytest.raises(RequestError, match="margin=0"):
        equivalence(values, clusters, 0.5, margin=0)
