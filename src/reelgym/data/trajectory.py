"""What a policy wrote, as tokens: segments, turns, trajectories, groups. The group is the unit of work everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.data.sample import Sample

Stop = Literal["eos", "length", "stop_string"]


@dataclass(frozen=True)
class Segment:
    """A named half-open span [start, stop) of a completion's tokens: observation, think, answer, tool call."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Turn:
    """One completion. Tokens are the truth: text is only ever decoded from `ids`, never tokenised again.

    Attributes:
        ids: (T,) int64, what the sampler drew, the first EOS included.
        logprobs: (T,) float32, of the policy after temperature and after barring the forbidden ids, before top-p/k.
        loss_mask: (T,) bool, True where the policy is trained.
        text: `ids` decoded without special tokens.
        stop: Why it ended.
        segments: Named spans of `ids`.
    """

    ids: NDArray[np.int64]
    logprobs: NDArray[np.float32]
    loss_mask: NDArray[np.bool_]
    text: str
    stop: Stop
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """The record of one rollout: its turns, what tools did (`ledger`), and errors with their boundary."""

    turns: tuple[Turn, ...]
    ledger: dict[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    @property
    def final(self) -> Turn:
        """The last turn: the one that holds the answer."""
        return self.turns[-1]

    @property
    def reply(self) -> str:
        """Text of the last turn."""
        return self.final.text


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """The G trajectories of one prompt."""

    sample: Sample
    trajectories: tuple[Trajectory, ...]

    def __len__(self) -> int:
        """Return the group size G."""
        return len(self.trajectories)
