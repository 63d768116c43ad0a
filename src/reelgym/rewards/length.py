"""Length: whether a completion is neither too short nor too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reelgym.data.trajectory import Group, Turn
from reelgym.errors import RequestError
from reelgym.rewards.base import Reward, Scores


@dataclass(frozen=True)
class Length(Reward):
    """1 if all turns together have low_tokens to high_tokens tokens, both included, else 0.

    Gate it on correctness: by itself it pays for words. Video-R1 (arXiv 2503.21776) pays 0.2 for 320 to 512 tokens of a
    right answer; VideoP2R (arXiv 2511.11113) for 128 to 320 of `observation` and 320 to 512 of `think+answer`. That
    tags count as tokens of their segment is ours.

    Attributes:
        low_tokens: Fewest tokens, at least 0.
        high_tokens: Most tokens.
        of: Names of segments joined by `+`: only their tokens count; all tokens where empty.
    """

    name: ClassVar[str] = "length"
    low_tokens: int = 320
    high_tokens: int = 512
    of: str = ""

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not 0 <= self.low_tokens <= self.high_tokens:
            raise RequestError(f"low_tokens={self.low_tokens}, high_tokens={self.high_tokens}: 0 <= low <= high")

    @property
    def label(self) -> str:
        """Return `length`, or `length/NAMES`."""
        return f"{self.name}/{self.of}" if self.of else self.name

    def score(self, group: Group) -> Scores:
        """Return (G, 1) of 0 and 1."""
        tokens = [sum(self._count(turn) for turn in member.turns) for member in group.trajectories]
        return np.array([[float(self.low_tokens <= count <= self.high_tokens)] for count in tokens], dtype=np.float64)

    def _count(self, turn: Turn) -> int:
        if not self.of:
            return len(turn.ids)
        names = self.of.split("+")
        return sum(segment.stop - segment.start for segment in turn.segments if segment.name in names)
