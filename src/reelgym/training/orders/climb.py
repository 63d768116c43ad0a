"""From easy kinds of samples to hard ones, as fast as the policy masters them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.training.orders.base import Order
from reelgym.training.pass_rates import PassRates

MASTERED = 0.7
"""Running pass rate from which on a kind counts as mastered. Ours."""

SHARE = 0.7
"""Share of draws for the kind at hand; the rest goes to all kinds, so that rates stay known. Ours."""


class Climb(Order):
    """Most draws go to the easiest kind that is not mastered yet; the rest to all samples evenly.

    A kind is a task with its facets, such as one level of masked video prediction: a dataset of several levels is
    climbed as fast as its running pass rates allow. Where all are mastered the hardest is the one at hand. That
    difficulty should follow what the policy can do is from Jigsaw-R1 (arXiv 2505.23590) and SSL4RL (arXiv 2510.16416);
    this rule is ours.
    """

    name: ClassVar[str] = "climb"

    def weights(self, rates: PassRates) -> NDArray[np.float64]:
        """Return the even share of every sample, and beside it that of the samples of the kind at hand."""
        rate = rates.of_kinds()
        unmastered = np.where(rate < MASTERED, rate, -1.0)
        at_hand = int(unmastered.argmax()) if (unmastered >= 0).any() else int(rate.argmin())
        own = (rates.kinds == at_hand).astype(np.float64)
        return np.asarray((1 - SHARE) / len(own) + SHARE * own / own.sum())
