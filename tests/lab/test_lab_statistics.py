"""The crossed bootstrap against a loop, and against the clustered one where there is one seed."""

from __future__ import annotations

import numpy as np
import pytest

from reelgym.errors import RequestError
from reelgym.lab.statistics import crossed
from reelgym.scoring.significance import detectable
from reelgym.scoring.statistics import clustered_mean

VIDEOS = ["a", "a", "b", "c", "c", "c", "d"]
TABLE = np.random.default_rng(3).normal(0.3, 1.0, (3, len(VIDEOS)))


def by_loop(draws: int, seed: int) -> list[float]:
    """Return the means of drawn tables, cell by cell, from the same picks."""
    names = sorted(set(VIDEOS))
    stream = np.random.default_rng(seed)
    of_seeds = stream.multinomial(3, [1 / 3] * 3, draws)
    of_videos = stream.multinomial(len(names), [1 / len(names)] * len(names), draws)
    means = []
    for draw in range(draws):
        total = count = 0.0
        for row in range(3):
            for place, video in enumerate(VIDEOS):
                times = of_seeds[draw, row] * of_videos[draw, names.index(video)]
                total, count = total + times * TABLE[row, place], count + times
        means.append(total / count)
    return means


def test_limits_are_the_quantiles_of_tables_drawn_in_a_loop() -> None:
    found, means = crossed(TABLE, VIDEOS, draws=200, seed=5), by_loop(200, 5)
    assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist())
    assert found.mean == pytest.approx(TABLE.mean())
    below = sum(mean <= 0 for mean in means)
    assert found.p == pytest.approx(min(1.0, 2 * (1 + min(below, 200 - below)) / 201))


def test_one_seed_is_the_clustered_bootstrap_of_its_row() -> None:
    stream = np.random.default_rng(0)
    videos = [f"v{place // 3}" for place in range(120)]
    row = stream.normal(0.2, 1.0, 120) + np.repeat(stream.normal(0, 1, 40), 3)
    found, plain = crossed(row[None], videos), clustered_mean(row, videos)
    assert found.mean == pytest.approx(plain.mean)
    assert [found.low, found.high] == pytest.approx([plain.low, plain.high], abs=0.03)
    assert found.detectable == pytest.approx(detectable(row, videos), rel=0.05)


def test_seeds_that_disagree_widen_the_interval() -> None:
    videos = [f"v{place}" for place in range(50)]
    cells = np.random.default_rng(1).normal(0, 0.1, (4, 50))
    apart = cells + np.array([[-0.5], [0.5], [-0.5], [0.5]])
    calm, torn = crossed(cells + 0.2, videos), crossed(apart + 0.2, videos)
    assert not calm.holds_zero and torn.holds_zero
    assert torn.detectable is not None and calm.detectable is not None and torn.detectable > 5 * calm.detectable


def test_no_difference_at_all_holds_zero_and_one_video_has_no_interval() -> None:
    same = crossed(np.zeros((2, 4)), ["a", "b", "b", "c"])
    assert (same.low, same.high, same.p, same.detectable) == (0.0, 0.0, 1.0, 0.0) and same.holds_zero
    lone = crossed([[1.0, 1.0]], ["a", "a"])
    assert (lone.low, lone.p, lone.detectable) == (None, 1.0, None) and lone.holds_zero


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(RequestError, match="for 1 questions"):
        crossed([[1.0, 2.0]], ["a"])
    with pytest.raises(RequestError, match="finite"):
        crossed([[float("nan")]], ["a"])
