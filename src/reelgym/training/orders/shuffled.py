"""Shuffled epochs: every sample once before any comes again."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.training.order import Pick, picks
from reelgym.training.orders.base import Order
from reelgym.training.pass_rates import PassRates


class Shuffled(Order):
    """Every sample comes once per epoch, in an order that follows from seed and epoch alone."""

    name: ClassVar[str] = "shuffled"
    follows: ClassVar[bool] = False

    def weights(self, rates: PassRates) -> NDArray[np.float64]:
        """Return ones: what is drawn in place of other samples is drawn evenly."""
        return np.ones(len(rates.kinds))

    def draw(self, rates: PassRates, *, seed: int, step: int, size: int) -> list[Pick]:
        """Return consecutive picks of the endless sequence of epochs."""
        return picks(seed, step, size=size, items=len(rates.kinds))
