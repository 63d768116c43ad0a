"""Intervals of a mean whose rows come in clusters: questions cut from one video are not independent.

The percentile bootstrap draws whole videos with replacement and takes the mean over their rows (a ratio of sums, so
that videos with more rows weigh more, as they do in the plain mean).

Shapes: R rows, C clusters, D draws.

Reference: Cameron, Gelbach and Miller, "Bootstrap-based improvements for inference with clustered errors" (2008);
here the pairs (cluster) bootstrap with percentile limits, without their refinement. With few clusters (below about 20)
percentile limits are too narrow; `Interval.clusters` is stored so that a reader can see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reelgym.errors import RequestError

DRAWS = 10_000
"""Bootstrap draws: the limits then wobble by about 1% of the interval's width from seed to seed."""

_CHUNK = 4_000_000
"""Cluster picks held in memory at once (32 MB)."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with the limits between which it lies at `level`.

    Attributes:
        mean: Mean over the rows.
        low: Lower limit; NaN where fewer than two clusters make an interval impossible.
        high: Upper limit; NaN likewise.
        level: Coverage asked for, in (0, 1).
        rows: Rows under the mean.
        clusters: Source videos they come from.
    """

    mean: float
    low: float
    high: float
    level: float
    rows: int
    clusters: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, NaN as None."""
        return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in asdict(self).items()}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Interval:
        """Return the interval written by `to_json`."""
        plain: dict[str, Any] = {name: math.nan if v is None else v for name, v in value.items()}
        return Interval(**plain)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Both limits; None where there is no interval."""
        return None if math.isnan(self.low) else (self.low, self.high)

    def above(self, number: float) -> bool:
        """Return whether the whole interval lies above a number; False where there is no interval."""
        return self.low > number


def clustered_mean(
    values: ArrayLike, clusters: Sequence[str], *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Return the mean of rows with its video-clustered percentile bootstrap interval.

    Args:
        values: (R,) finite numbers, R at least 1.
        clusters: (R,) the cluster (source video) of each row.
        level: Coverage, in (0, 1).
        draws: Number D of bootstrap draws.
        seed: Of the draws; equal seeds and clusters give equal limits, whatever the order of the rows.

    Returns:
        The interval; its limits are NaN if all rows come from one cluster.

    Raises:
        RequestError: Nothing to average, unequal lengths, a value that is not finite, or a level outside (0, 1).

    >>> clustered_mean([0.0, 1.0, 1.0, 1.0], ["a", "a", "b", "b"]).mean
    0.75
    """
    rows = _checked(values, clusters, level)
    _, place = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    counts = np.bincount(place).astype(np.float64)
    mean = float(rows.mean())
    if len(counts) < 2:
        return Interval(mean=mean, low=math.nan, high=math.nan, level=level, rows=len(rows), clusters=len(counts))
    # Centred sums: a constant gives limits equal to it and not off by rounding.
    sums = np.bincount(place, weights=rows - mean).astype(np.float64)
    drawn = _draw_means(sums, counts, draws, seed)
    tail = (1.0 - level) / 2.0
    low, high = mean + np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(mean=mean, low=float(low), high=float(high), level=level, rows=len(rows), clusters=len(counts))


def paired_difference(
    before: ArrayLike,
    after: ArrayLike,
    clusters: Sequence[str],
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return the mean of after - before over equal rows, with its video-clustered interval.

    Pairing keeps the rows together, so that what is hard for both does not widen the interval.

    Args:
        before: (R,) finite numbers.
        after: (R,) finite numbers of the same rows in the same order.
        clusters: (R,) the cluster of each row.
        level: Coverage, in (0, 1).
        draws: Number of bootstrap draws.
        seed: Of the draws.

    Raises:
        RequestError: As in `clustered_mean`, or the two sides differ in length.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape:
        raise RequestError(
            f"a paired difference got {first.shape} rows before and {second.shape} after: pair equal rows first"
        )
    return clustered_mean(second - first, clusters, level=level, draws=draws, seed=seed)


def _checked(values: ArrayLike, clusters: Sequence[str], level: float) -> NDArray[np.float64]:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 1 or len(rows) == 0 or len(rows) != len(clusters):
        raise RequestError(
            f"a mean takes equally many values and clusters, at least one: {rows.shape}, {len(clusters)}"
        )
    if not np.isfinite(rows).all():
        raise RequestError(
            f"{int((~np.isfinite(rows)).sum())} of {len(rows)} values are not finite: leave those rows out"
        )
    if not 0.0 < level < 1.0:
        raise RequestError(f"level={level} is outside (0, 1): give 0.95 or 0.99")
    return rows


def _draw_means(sums: NDArray[np.float64], counts: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    """Return (D,) means over clusters drawn with replacement, as many as there are."""
    rng = np.random.default_rng(seed)
    size = len(counts)
    step = max(1, _CHUNK // size)
    means = np.empty(draws, dtype=np.float64)
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        picks = rng.integers(0, size, size=(stop - start, size))
        means[start:stop] = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    return means
