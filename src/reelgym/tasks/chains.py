"""The smoothest way through a pool of frames: what similarity alone would answer."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray


def smoothest(
    among: NDArray[np.float64],
    count: int,
    first: NDArray[np.float64] | None = None,
    last: NDArray[np.float64] | None = None,
) -> tuple[int, ...]:
    """Return the chain of `count` places whose neighbours are most similar in sum; the smallest one wins a tie.

    Args:
        among: (P, P) similarities.
        count: Length of the chain, at most P.
        first: (P,) what a place adds when it comes first; None adds nothing.
        last: (P,) the same for the last.
    """
    chains = _chains(len(among), count)
    total = np.zeros(len(chains))
    for left, right in zip(chains.T[:-1], chains.T[1:], strict=True):
        total += (among[left, right] + among[right, left]) / 2
    total += 0 if first is None else first[chains[:, 0]]
    total += 0 if last is None else last[chains[:, -1]]
    return tuple(int(place) for place in chains[int(np.argmax(total.round(5)))])


@lru_cache(maxsize=8)
def _chains(pool: int, count: int) -> NDArray[np.int8]:
    return np.array(list(permutations(range(pool), count)), dtype=np.int8)
