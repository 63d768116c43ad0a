"""The running mean against the formula it states, and against the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring.running import RunningMean
from reelgym.scoring.statistics import clustered_mean


def told(rows: list[tuple[float, str]]) -> RunningMean:
    found = RunningMean()
    for value, cluster in rows:
        found.add(value, cluster)
    return found


@given(st.lists(st.lists(st.floats(-2, 2), min_size=1, max_size=5), min_size=2, max_size=8))
def test_it_is_the_cluster_robust_interval(clusters: list[list[float]]) -> None:
    rows = [(value, str(name)) for name, values in enumerate(clusters) for value in values]
    found = told(rows).interval()
    mean = np.mean([value for value, _ in rows])
    variance = sum((sum(values) - len(values) * mean) ** 2 for values in clusters)
    error = 1.959964 * math.sqrt(variance * len(clusters) / (len(clusters) - 1)) / len(rows)
    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((mean - error, mean + error), abs=1e-6)
    assert (found.rows, found.clusters) == (len(rows), len(clusters))


def test_with_many_clusters_it_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    rows = [(float(rng.random() < 0.1 + 0.5 * (n % 2)), str(n)) for n in range(150) for _ in range(4)]
    drawn = clustered_mean([value for value, _ in rows], [name for _, name in rows], draws=2000)
    found = told(rows).interval()
    assert (found.low, found.high) == pytest.approx((drawn.low, drawn.high), abs=0.01)


def test_no_rows_and_one_cluster_have_no_limits() -> None:
    assert math.isnan(RunningMean().interval().mean)
    found = told([(1.0, "a"), (0.0, "a")]).interval()
    assert found.mean == 0.5 and math.isnan(found.low) and not found.above(0.1)
