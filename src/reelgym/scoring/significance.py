"""Tests between evaluations: McNemar, a clustered permutation test, Holm, power and equivalence.

Shapes: R rows, C clusters (source videos), K hypotheses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reelgym.errors import RequestError
from reelgym.scoring.statistics import clustered_mean

EXACT_CLUSTERS = 14
"""Up to so many clusters every one of the 2 ** C sign patterns is tried."""
DRAWS = 20_000
"""Sign patterns drawn where there are more clusters: p-values of 0.05 then wobble by about 0.0015."""


def mcnemar(before: ArrayLike, after: ArrayLike) -> float:
    """Return the exact two-sided p-value of McNemar's test: as many rows turned right as turned wrong.

    Exact binomial over the rows that changed; 1 where none did. It takes rows for independent: with several questions
    per video prefer `permutation`.

    Args:
        before: (R,) right or wrong.
        after: (R,) of the same rows.

    Reference: McNemar, "Note on the sampling error of the difference between correlated proportions" (1947).

    >>> mcnemar([1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1])
    0.0625
    """
    first, second = _pair(before, after)
    if not np.isin(np.concatenate([first, second]), (0.0, 1.0)).all():
        raise RequestError(
            "McNemar's test takes right or wrong (1 or 0), and these are graded: use the permutation test"
        )
    gained, lost = int((second > first).sum()), int((second < first).sum())
    changed = gained + lost
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1))
    return float(min(1.0, 2 * tail / 2**changed))


def permutation(before: ArrayLike, after: ArrayLike, clusters: Sequence[str], *, seed: int = 0) -> float:
    """Return the two-sided p-value of the paired difference when whole clusters change sides at random.

    Exact over all sign patterns up to `EXACT_CLUSTERS` clusters; else (1 + hits) / (1 + draws), which is never 0.

    Args:
        before: (R,) scores.
        after: (R,) of the same rows.
        clusters: (R,) the source of each row.
        seed: Of the draws.
    """
    first, second = _pair(before, after)
    _, place = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums = np.bincount(place, weights=second - first).astype(np.float64)
    seen = abs(float(sums.sum()))
    exact = len(sums) <= EXACT_CLUSTERS
    signs = _patterns(len(sums)) if exact else np.random.default_rng(seed).choice([-1.0, 1.0], (DRAWS, len(sums)))
    hits = int((np.abs(signs @ sums) >= seen - 1e-9 * max(1.0, seen)).sum())
    return hits / len(signs) if exact else (1 + hits) / (1 + DRAWS)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for K hypotheses by Holm's step-down rule, in the order given.

    Reference: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=lambda place: values[place])
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def detectable(
    differences: ArrayLike, clusters: Sequence[str], *, level: float = 0.95, power: float = 0.8
) -> float | None:
    """Return the smallest true difference that a set like this one would show in `power` of all repetitions.

    (z(level) + z(power)) times the clustered standard error of the mean difference; None with fewer than 2 clusters.

    Args:
        differences: (R,) after - before.
        clusters: (R,) the source of each row.
        level: Of the two-sided test.
        power: Share of repetitions in which it should be seen.
    """
    rows = np.asarray(differences, dtype=np.float64)
    names, place = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    count = len(names)
    if count < 2:
        return None
    sums = np.bincount(place, weights=rows - rows.mean()).astype(np.float64)
    error = math.sqrt(count / (count - 1) * float(np.square(sums).sum())) / len(rows)
    return (NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)) * error


@dataclass(frozen=True)
class Equivalence:
    """Whether a mean lies within `margin` of a reference, by two one-sided tests.

    Attributes:
        low: Lower limit of mean - reference at 1 - 2 alpha.
        high: Upper limit.
        margin: What counts as equal.
        equivalent: Both limits within the margin.
    """

    low: float
    high: float
    margin: float
    equivalent: bool


def equivalence(
    values: ArrayLike, clusters: Sequence[str], reference: float, *, margin: float, alpha: float = 0.05, seed: int = 0
) -> Equivalence:
    """Return whether the mean of rows equals a published number within `margin`.

    The two one-sided tests at `alpha` hold exactly where the interval at 1 - 2 alpha lies within the margin (Schuirmann
    1987); the interval is the video-clustered bootstrap. The reference is taken as exact.

    Args:
        values: (R,) scores.
        clusters: (R,) the source of each row.
        reference: The number to equal, on the scale of the values.
        margin: Above 0.
        alpha: Of each test.
        seed: Of the bootstrap.
    """
    if not margin > 0:
        raise RequestError(f"margin={margin} must be above 0: say how far apart still counts as equal")
    found = clustered_mean(values, clusters, level=1 - 2 * alpha, seed=seed)
    low, high = found.low - reference, found.high - reference
    return Equivalence(low, high, margin, bool(low >= -margin and high <= margin))


def _pair(before: ArrayLike, after: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise RequestError(
            f"a paired test got {first.shape} rows before and {second.shape} after: pair equal rows first"
        )
    return first, second


def _patterns(count: int) -> NDArray[np.float64]:
    """Return all (2 ** count, count) patterns of signs."""
    bits = np.arange(2**count)[:, None] >> np.arange(count)[None, :]
    return np.where(bits & 1, 1.0, -1.0)
