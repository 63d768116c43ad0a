"""Probes: the same question with something taken away or exchanged, to see whether the score depends on it.

One file each: what is shown then, what the right answer is then, and what has no meaning. The id stays, so that a
probe's rows pair with the plain ones. Public names: get, names, apply, Applied, Probe, NoMeaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe
from reelgym.registry import discover, lookup

OLD_NAMES = {"shuffled_context": "shuffled"}
"""Names that results of earlier releases bear."""


@dataclass(frozen=True)
class Applied:
    """Questions under a probe.

    Attributes:
        samples: Those that it has a meaning for, changed, in their order.
        left_out: Why others have none, with how many of each.
        asked: How many there were.
    """

    samples: tuple[Sample, ...]
    left_out: dict[str, int]
    asked: int

    def told(self) -> str:
        """Return what was left out in one line, empty where nothing was."""
        if not self.left_out:
            return ""
        reasons = "; ".join(f"{count}: {reason}" for reason, count in sorted(self.left_out.items()))
        return f"{self.asked - len(self.samples)} of {self.asked} questions left out ({reasons})"


@cache
def get(name: str) -> Probe:
    """Return the probe of this name; an unknown name is an error that lists them."""
    return lookup(__name__, Probe, "probe", OLD_NAMES.get(name, name))()


def names() -> list[str]:
    """Return the names of all probes."""
    return list(discover(__name__, Probe))


def apply(name: str, samples: Sequence[Sample], seed: int = 0) -> Applied:
    """Return the questions under a probe; those that it has no meaning for are left out and counted.

    Args:
        name: Of the probe.
        samples: Plain questions.
        seed: With each sample's id or source it decides what is drawn.

    Raises:
        RequestError: No such probe, or it has a meaning for none of the questions; the line says why.
    """
    probe, among = get(name), Among(samples, seed)
    changed: list[Sample] = []
    lost: Counter[str] = Counter()
    for sample in samples:
        try:
            changed.append(probe.shown(sample, among))
        except NoMeaning as error:
            lost[str(error)] += 1
    if not changed:
        reasons = "; ".join(f"{reason} ({count} of {len(samples)})" for reason, count in sorted(lost.items()))
        raise RequestError(f"the probe {probe.name} has no meaning for any of these questions: {reasons}")
    return Applied(tuple(changed), dict(lost), len(samples))


__all__ = ["Among", "Applied", "NoMeaning", "Probe", "apply", "get", "names"]
