"""Shuffled: the frames in another order. What is left is the content of the frames without their order."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, Probe, number_of, reordered


class Shuffled(Probe):
    """The frames of the clips of one video change places by a draw; the times told stay. Right is what was right.

    Where at least two frames differ the order is never the original one. VBenchComp (arXiv 2505.14321) calls a question
    that is answered all the same semantic.
    """

    name: ClassVar[str] = "shuffled"
    leaves: ClassVar[str] = "the frames without their order"
    without: ClassVar[str] = "order"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; one frame has no order."""

        def order(times: list[float], pool: int) -> list[float]:
            # The word is that of the first release: the same seed goes on giving the same order.
            rng = np.random.default_rng(number_of("shuffled_context", sample.id, among.seed, pool))
            drawn = times
            while drawn == times and len(set(times)) > 1:
                drawn = [times[i] for i in rng.permutation(len(times))]
            return drawn

        return reordered(sample, order)
