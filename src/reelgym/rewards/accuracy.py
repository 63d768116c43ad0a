"""Accuracy: what the sample's own task gives the reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reelgym import tasks
from reelgym.data.trajectory import Group, Trajectory
from reelgym.errors import unknown
from reelgym.rewards.base import Reward, Scores


@dataclass(frozen=True)
class Accuracy(Reward):
    """The task's score of the reply, or one part of it.

    Why: one scorer serves tasks, rewards, evaluation and export, so that training and reports never disagree.
    Limits: reads the last turn only.

    Attributes:
        part: `value` for the score itself, the name of one of its parts (`exact`, `selection`, `order`, ...), or
            `auto`: the metric of the papers where the task has it (`published`), else the score itself.
    """

    name: ClassVar[str] = "accuracy"
    part: str = "value"

    @property
    def label(self) -> str:
        """Return `accuracy`, or `accuracy_PART`."""
        return self.name if self.part in ("value", "auto") else f"{self.name}_{self.part}"

    def score(self, group: Group) -> Scores:
        """Return (G, 1); a fault of the scorer is raised as it is.

        Raises:
            RequestError: The task's score has no such part.
        """
        return np.array([[self._value(group, member)] for member in group.trajectories], dtype=np.float64)

    def _value(self, group: Group, member: Trajectory) -> float:
        score = tasks.get(group.sample.task).score(member.reply, group.sample)
        part = self.part
        if part == "auto":
            part = "published" if "published" in score.parts else "value"
        if part == "value":
            return float(score.value)
        if part not in score.parts:
            raise unknown(f"part of task {group.sample.task!r}", part, ["auto", "value", *score.parts])
        return float(score.parts[part])
