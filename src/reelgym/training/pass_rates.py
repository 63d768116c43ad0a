"""The running pass rate of every sample and of every kind of sample, while a policy learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.data.sample import Sample

MEMORY = 0.7
"""What an earlier count still weighs at the next one of the same sample: a policy changes. Ours."""

KIND_MEMORY = 0.98
"""The same for a kind of samples, whose groups are many. Ours."""

WEIGHT = 4.0
"""Replies that the rate of its kind stands for in a sample's own rate. Ours."""

PARTS = ("never", "rarely", "sometimes", "often", "always")
"""Names of the parts of the running rates, cut at 0.05, 0.35, 0.65 and 0.95."""


class PassRates:
    """Counts passes and replies, older ones weighing less, and estimates every sample's pass rate.

    A sample's rate is (its passes + WEIGHT x rate of its kind) / (its replies + WEIGHT), so that what was never asked
    is thought to be like others of its kind; a kind begins at 1/2. A kind is a task with all its facets: of masked
    video prediction, each level is one.
    """

    def __init__(self, samples: Sequence[Sample], measured: Mapping[str, float] | None = None) -> None:
        """Begin with nothing counted, or with rates that were measured before, worth WEIGHT replies each.

        Args:
            samples: All that may be drawn.
            measured: Pass rate by sample id.
        """
        names = [(sample.task, *sorted((k, str(v)) for k, v in sample.facets.items())) for sample in samples]
        known = sorted(set(names), key=repr)
        number = {name: place for place, name in enumerate(known)}
        self.kinds: NDArray[np.int64] = np.array([number[name] for name in names], dtype=np.int64)
        self._sample = np.zeros((len(samples), 2))
        self._kind = np.zeros((len(known), 2))
        for place, sample in enumerate(samples):
            if measured and sample.id in measured:
                counts = WEIGHT * np.array([measured[sample.id], 1.0])
                self._sample[place] += counts
                self._kind[self.kinds[place]] += counts

    def count(self, outcomes: Iterable[tuple[int, int, int]]) -> None:
        """Add what groups did: (index of the sample, members that passed, members), in an order that is always same."""
        for index, passed, members in outcomes:
            self._sample[index] = MEMORY * self._sample[index] + (passed, members)
            kind = self.kinds[index]
            self._kind[kind] = KIND_MEMORY * self._kind[kind] + (passed, members)

    def of_kinds(self) -> NDArray[np.float64]:
        """Return (kinds,) the running rate of every kind."""
        return np.asarray((self._kind[:, 0] + 1) / (self._kind[:, 1] + 2))

    def of_samples(self) -> NDArray[np.float64]:
        """Return (samples,) the running rate of every sample."""
        prior = self.of_kinds()[self.kinds]
        return np.asarray((self._sample[:, 0] + WEIGHT * prior) / (self._sample[:, 1] + WEIGHT))

    def parts(self) -> dict[str, float]:
        """Return the share of samples in each of PARTS."""
        place = np.digitize(self.of_samples(), (0.05, 0.35, 0.65, 0.95))
        return {name: float((place == number).mean()) for number, name in enumerate(PARTS)}

    def state(self) -> dict[str, Any]:
        """Return all counts as JSON; of samples only those that have any, by index."""
        counted = np.flatnonzero(self._sample.any(axis=1)).tolist()
        samples = {str(index): self._sample[index].tolist() for index in counted}
        return {"samples": samples, "kinds": self._kind.tolist()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self._sample[:] = 0
        for index, counts in state["samples"].items():
            self._sample[int(index)] = counts
        self._kind[:] = state["kinds"]
