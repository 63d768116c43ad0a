"""Composite scores of V-STaR: an answer, when and where, in one number.

Reference: V-STaR (arXiv 2503.11495). Components are shares in [0, 1]. Where we differ: the logarithm diverges as a
component nears 1, so components are clamped at `MOST`; the published script says nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 1 - 1e-6
"""What a component counts as at most inside the logarithm. Ours."""

Components = Sequence[float]


def arithmetic_mean(components: Components) -> float:
    """Return AM: the mean of accuracy, temporal IoU and spatial IoU of one chain.

    >>> round(arithmetic_mean([0.608, 0.167, 0.065]), 3)
    0.28
    """
    return sum(components) / len(components)


def log_geometric_mean(components: Components) -> float:
    """Return LGM: minus the mean of ln(1 - component), each clamped to `MOST`.

    >>> round(log_geometric_mean([0.608, 0.167, 0.065]), 3)
    0.395
    """
    return -sum(math.log(1 - min(component, MOST)) for component in components) / len(components)


def over_chains(chains: Sequence[Components]) -> dict[str, float]:
    """Return `mAM` and `mLGM`: AM and LGM averaged over the chains (what-when-where and what-where-when)."""
    return {
        "mAM": sum(map(arithmetic_mean, chains)) / len(chains),
        "mLGM": sum(map(log_geometric_mean, chains)) / len(chains),
    }
