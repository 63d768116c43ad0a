"""Samples in proportion to what they can teach now."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.training.orders.base import Order
from reelgym.training.pass_rates import PassRates

FLOOR = 0.05
"""Weight of what is never or always solved, beside 0.25 at a rate of one half: it is still looked at now and then."""


class Learnable(Order):
    """A sample is drawn by p (1 - p) of its running pass rate p, the variance of its reward, and a small floor.

    Learnability p (1 - p) as a curriculum for reinforcement learning of language models is Foster et al.'s (arXiv
    2502.12272), after a method of reinforcement learning at large; the running rate, its prior and the floor are ours.
    """

    name: ClassVar[str] = "learnable"

    def weights(self, rates: PassRates) -> NDArray[np.float64]:
        """Return p (1 - p) + FLOOR."""
        rate = rates.of_samples()
        return rate * (1 - rate) + FLOOR
