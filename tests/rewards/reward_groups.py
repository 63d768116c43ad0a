"""Groups with given replies, and a reward that reads its scores from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.rewards import Reward
from reelgym.rewards.base import Scores

GOOD = "<observation>a</observation><think>b</think><answer>3</answer>"


def sample(task: str = "none") -> Sample:
    messages = (Message("user", (Text("?"),)),)
    return Sample(id="s", task=task, messages=messages, answer=[1], split="train", provenance={"source": "v"})


def group(replies: Sequence[str], *, tokens: Sequence[int] | None = None, task: str = "none") -> Group:
    turns = [turn(reply, count) for reply, count in zip(replies, tokens or [3] * len(replies), strict=True)]
    return Group(sample=sample(task), trajectories=tuple(Trajectory(turns=(one,)) for one in turns))


def turn(reply: str, tokens: int) -> Turn:
    return Turn(
        ids=np.arange(tokens),
        logprobs=np.zeros(tokens, dtype=np.float32),
        loss_mask=np.ones(tokens, dtype=np.bool_),
        text=reply,
        stop="eos",
    )


@dataclass(frozen=True)
class Given(Reward):
    """A reward whose scores are given: (G, S) as nested tuples."""

    name: ClassVar[str] = "given"
    label: str = "given"  # type: ignore[assignment]
    values: tuple[tuple[float, ...], ...] = ()
    columns: tuple[str, ...] = ("completion",)

    @property
    def segments(self) -> tuple[str, ...]:
        return self.columns

    def score(self, group: Group) -> Scores:
        return np.array(self.values, dtype=np.float64)


def given(label: str, *values: float) -> Given:
    """Return a reward of one column."""
    return Given(label, tuple((value,) for value in values))
