"""Which item comes when in shuffled epochs: a function of (seed, step) alone, with nothing to remember."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pick:
    """One item of a step.

    Attributes:
        index: Its place in the data.
        epoch: How often the data were gone through before.
        place: Its place in the step, over all ranks.
        eased: How many steps easier than the item it is asked.
    """

    index: int
    epoch: int
    place: int
    eased: int = 0


def picks(seed: int, step: int, *, size: int, items: int) -> list[Pick]:
    """Return the items of step `step` (from 1): `size` consecutive ones of the endless sequence of shuffled epochs.

    Every item comes once per epoch; epochs are shuffled by (seed, epoch), and a step may span two.
    """
    found: list[Pick] = []
    shuffled: dict[int, list[int]] = {}
    for place in range(size):
        epoch, offset = divmod((step - 1) * size + place, items)
        if epoch not in shuffled:
            shuffled[epoch] = np.random.default_rng(derive(seed, "order", epoch)).permutation(items).tolist()
        found.append(Pick(shuffled[epoch][offset], epoch, place))
    return found


def derive(seed: int, *keys: object) -> int:
    """Return 63 bits that follow from a seed and keys, by SHA-256, the same on every machine."""
    digest = hashlib.sha256(repr((seed, *keys)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
