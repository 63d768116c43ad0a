"""A mean with its interval from rows seen once, in clusters: for more rows than memory holds.

With S_c and n_c the sum and number of rows of cluster c, m the mean and N all rows, the variance of m is
C / (C - 1) sum_c (S_c - n_c m)^2 / N^2, the usual cluster-robust one; limits are the normal ones. `statistics` draws
its intervals instead, which is better where there are few clusters and dearer where there are many.

Reference: Liang and Zeger, "Longitudinal data analysis using generalized linear models" (1986).
"""

from __future__ import annotations

import math

from reelgym.scoring.statistics import Interval

_NORMAL = 1.959964
"""Quantile of the normal distribution for a level of 0.95."""


class RunningMean:
    """The mean of rows that come cluster by cluster.

    >>> found = RunningMean()
    >>> for value, video in [(0.0, "a"), (1.0, "a"), (1.0, "b"), (1.0, "b")]:
    ...     found.add(value, video)
    >>> found.interval().mean, found.interval().clusters
    (0.75, 2)
    """

    def __init__(self) -> None:
        """Begin with no rows."""
        self._rows, self._clusters = 0, 0
        self._sum = self._squares = self._products = self._sizes = 0.0
        self._cluster: str | None = None
        self._own_sum, self._own_rows = 0.0, 0

    def add(self, value: float, cluster: str) -> None:
        """Take a row. Rows of one cluster must follow each other; a cluster that comes back counts as another."""
        if cluster != self._cluster:
            self._close()
            self._cluster = cluster
        self._own_sum += value
        self._own_rows += 1

    def interval(self) -> Interval:
        """Return the mean with its limits at 0.95, NaN without rows; no limits with fewer than 2 clusters."""
        self._close()
        self._cluster = None
        if not self._rows:
            return Interval(mean=math.nan, low=math.nan, high=math.nan, level=0.95, rows=0, clusters=0)
        mean, count = self._sum / self._rows, self._clusters
        error = math.nan
        if count > 1:
            spread = self._squares - 2 * mean * self._products + mean**2 * self._sizes
            error = _NORMAL * math.sqrt(max(0.0, spread) * count / (count - 1)) / self._rows
        low, high = mean - error, mean + error
        return Interval(mean=mean, low=low, high=high, level=0.95, rows=self._rows, clusters=count)

    def _close(self) -> None:
        if not self._own_rows:
            return
        self._rows += self._own_rows
        self._clusters += 1
        self._sum += self._own_sum
        self._squares += self._own_sum**2
        self._products += self._own_sum * self._own_rows
        self._sizes += self._own_rows**2
        self._own_sum, self._own_rows = 0.0, 0
