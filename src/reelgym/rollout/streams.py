"""Random numbers by name: every trajectory draws from its own stream, whatever it is batched with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def uniforms(seed: int, step: int, prompt: str | int, member: int, count: int) -> NDArray[np.float64]:
    """Return (count,) float64 in [0, 1): token t of a trajectory is drawn with the t-th.

    Counter-based (Philox 4x64, Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011): its key is the
    SHA-256 of the four names, so a stream depends on nothing else, and a longer one begins with the shorter.

    >>> uniforms(0, 1, "a", 0, 3)[:2].tolist() == uniforms(0, 1, "a", 0, 2).tolist()
    True
    """
    name = json.dumps([seed, step, prompt, member]).encode()
    key = np.frombuffer(hashlib.sha256(name).digest()[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key)).random(count)


@dataclass(frozen=True)
class Streams:
    """The streams of one sampling call.

    Attributes:
        seed: Of the run.
        step: Of the loop.
        prompts: The name of each prompt of the call (a sample's id), in order.
        first_member: Member number of each group's first completion: more members can be drawn later.
    """

    seed: int
    step: int
    prompts: Sequence[str | int]
    first_member: int = 0

    def number(self, place: int) -> int:
        """Return 63 bits that follow from the name of a group's first stream: for a sampler with its own generator."""
        name = json.dumps([self.seed, self.step, self.prompts[place], self.first_member]).encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8], "little") >> 1

    def draw(self, place: int, n: int, count: int) -> NDArray[np.float64]:
        """Return (n, count): the first `count` numbers of the n members of the prompt at `place`."""
        members = range(self.first_member, self.first_member + n)
        return np.stack([uniforms(self.seed, self.step, self.prompts[place], member, count) for member in members])
