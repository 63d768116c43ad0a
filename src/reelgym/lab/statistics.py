"""Intervals over seeds and videos at once: both are drawn with replacement, and every drawn seed answers every video.

Reference: Owen, "The pigeonhole bootstrap" (arXiv 0712.1111): rows and columns of a table are resampled independently;
for a mean it overstates the noise of single cells and never understates it. With few seeds (3) percentile limits are
still too narrow for the seeds' own share; `Crossed.seeds` is stored so that a reader sees it.

Shapes: S seeds, R questions, V videos, D draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reelgym.errors import RequestError

DRAWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """A mean over seeds and questions, with what resampling both says of it.

    Attributes:
        mean: Over all cells.
        low: Lower limit; None where fewer than two videos make an interval impossible.
        high: Upper limit; None likewise.
        p: Two-sided, of a mean of 0: twice the smaller share of draws beyond it; 1 without an interval.
        detectable: The smallest true mean that such a table shows in four of five repetitions at this level: (z(level)
            + z(0.8)) times the standard deviation of the draws; None without an interval.
        seeds: S; with 1 the luck of a seed is in no limit.
        videos: V.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    detectable: float | None
    seeds: int
    videos: int

    @property
    def holds_zero(self) -> bool:
        """Whether 0 lies between the limits, or there are none."""
        return self.low is None or self.high is None or self.low <= 0.0 <= self.high

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def crossed(
    values: ArrayLike, videos: Sequence[str], *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Crossed:
    """Return the mean of a table of seeds by questions with its interval.

    Args:
        values: (S, R) finite numbers: scores, or differences paired by seed and question.
        videos: (R,) the source of each question.
        level: Coverage, in (0, 1).
        draws: Number D of bootstrap draws.
        seed: Of the draws.

    Raises:
        RequestError: Another shape, or a value that is not finite.

    >>> crossed([[0.0, 1.0], [1.0, 1.0]], ["a", "b"]).mean
    0.75
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not table.size or table.shape[1] != len(videos) or not np.isfinite(table).all():
        raise RequestError(f"a table of {table.shape} for {len(videos)} questions: give (seeds, questions), all finite")
    names, place = np.unique(np.asarray(videos, dtype=str), return_inverse=True)
    mean, about = float(table.mean()), {"seeds": len(table), "videos": len(names)}
    if len(names) < 2:
        return Crossed(mean=mean, low=None, high=None, p=1.0, detectable=None, **about)
    # Centred, so that a constant gives limits equal to it and not off by rounding.
    sums = np.stack([np.bincount(place, weights=row - mean) for row in table]).astype(np.float64)
    drawn = mean + _draws(sums, np.bincount(place).astype(np.float64), draws, seed)
    tail = (1.0 - level) / 2.0
    low, high = (float(limit) for limit in np.quantile(drawn, [tail, 1.0 - tail]))
    beyond = min(int((drawn <= 0.0).sum()), int((drawn >= 0.0).sum()))
    reach = NormalDist().inv_cdf((1.0 + level) / 2.0) + NormalDist().inv_cdf(0.8)
    return Crossed(
        mean=mean,
        low=low,
        high=high,
        p=min(1.0, 2.0 * (1 + beyond) / (1 + draws)),
        detectable=reach * math.sqrt(float(drawn.var())),
        **about,
    )


def _draws(sums: NDArray[np.float64], counts: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    """Return (D,) means of the cells of drawn seeds by drawn videos.

    Args:
        sums: (S, V) sum of a seed's values over each video's questions.
        counts: (V,) questions of each video.
        draws: D.
        seed: Of the draws.
    """
    stream = np.random.default_rng(seed)
    seeds, videos = sums.shape
    of_seeds = stream.multinomial(seeds, np.full(seeds, 1 / seeds), draws).astype(np.float64)
    of_videos = stream.multinomial(videos, np.full(videos, 1 / videos), draws).astype(np.float64)
    total = ((of_seeds @ sums) * of_videos).sum(axis=1)
    drawn: NDArray[np.float64] = total / (seeds * (of_videos @ counts))
    return drawn
