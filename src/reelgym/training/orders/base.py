"""What an order is: a weight for every sample, from which a step's prompts are drawn without replacement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.training.order import Pick, derive
from reelgym.training.pass_rates import PassRates


class Order(ABC):
    """Draws prompts; the same seed, step, round and running rates give the same ones on every rank."""

    name: ClassVar[str]
    follows: ClassVar[bool] = True
    """Whether it reads running pass rates, which are then counted and saved."""

    @abstractmethod
    def weights(self, rates: PassRates) -> NDArray[np.float64]:
        """Return (samples,) how likely each sample is drawn next, 0 or more, against the others."""

    def draw(self, rates: PassRates, *, seed: int, step: int, size: int) -> list[Pick]:
        """Return a step's first picks, `size` of them: samples come again only where there are too few."""
        found = [Pick(index, 0, place) for place, index in enumerate(self.some(rates, seed, (step, 1), size, ()))]
        if not found:
            return []
        return [Pick(found[k % len(found)].index, k // len(found), k) for k in range(size)]

    def some(self, rates: PassRates, seed: int, when: tuple[int, int], size: int, taken: Collection[int]) -> list[int]:
        """Return up to `size` different samples that are not taken, drawn by weight.

        Args:
            rates: Running pass rates.
            seed: Of the run.
            when: Step and round.
            size: How many.
            taken: Samples that this step has drawn.
        """
        weights = self.weights(rates).copy()
        weights[list(taken)] = 0
        uniform = np.random.default_rng(derive(seed, "draw", *when)).random(len(weights))
        # Efraimidis and Spirakis (2006): the largest u^(1/w) are a weighted draw without replacement.
        with np.errstate(divide="ignore"):
            keys = np.where(weights > 0, np.log(uniform) / weights, -np.inf)
        best = np.argsort(-keys, kind="stable")[:size]
        return [int(index) for index in best if weights[index] > 0]
