"""Perception: what a judge makes of an observation; and the protocol that judges satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory
from reelgym.errors import WorkError
from reelgym.rewards.base import Reward, Scores

LEDGER = "perception"
"""Where a trajectory's ledger keeps its verdict."""


@dataclass(frozen=True)
class Case:
    """One observation to judge.

    Attributes:
        sample: The question.
        observation: Text of the observation without its tags; None where the reply has none that is well formed.
        key: Names the trajectory: what a judge draws, it draws from it.
    """

    sample: Sample
    observation: str | None
    key: str


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one observation.

    Attributes:
        score: Its worth. 1 at best; a judge that corrects for chance may go below 0. None where the judge gave no
            verdict at all: the reward then does not apply.
        reason: Why, in words or in what the judge wrote.
        counts: Events worth a metric, such as `leak`, as 0 or 1.
    """

    score: float | None
    reason: str = ""
    counts: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what the ledger of a trajectory keeps."""
        return {"score": self.score, "reason": self.reason, **self.counts}


class Judge(Protocol):
    """Anything that says what observations are worth."""

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return one verdict per case, in order. A missing observation is worth 0."""
        ...


@dataclass(frozen=True)
class Perception(Reward):
    """The judge's score of the observation (VideoP2R's accuracy of perception, arXiv 2511.11113, equation 3).

    The loop asks the run's judge and notes its verdicts; this reads them. Limits: worth as much as the judge.
    """

    name: ClassVar[str] = "perception"

    def score(self, group: Group) -> Scores:
        """Return (G, 1), NaN where the judge gave no verdict.

        Raises:
            WorkError: No judge was asked.
        """
        return np.array([[_noted(member)] for member in group.trajectories], dtype=np.float64)


def _noted(member: Trajectory) -> float:
    if LEDGER not in member.ledger:
        raise WorkError("the reward perception found no verdict: give the run a judge")
    score = member.ledger[LEDGER]["score"]
    return float("nan") if score is None else float(score)
