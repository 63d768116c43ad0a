"""Perception: what a judge makes of an observation; and the protocol that judges satisfy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

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
        counts: Events worth a metric, such as `leak`, as 0 or 1; and `tokens`, how many the judge wrote.
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


@runtime_checkable
class Closing(Protocol):
    """A judge that holds something open: a run closes it when it ends, however it ends."""

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Lent:
    """What a run lends its judge; nothing of it outside a run.

    Attributes:
        frozen: Lends the policy that the run began with, for one call; None where nobody needs it.
        folder: The run's folder, where a judge may keep what is its own.
        rank: Which process of the run asks; every one has a judge of its own.
        samples: All that may be judged.
        videos: Video identity to file, where files are known.
    """

    frozen: Callable[[], AbstractContextManager[Any]] | None = None
    folder: Path | None = None
    rank: int = 0
    samples: Sequence[Sample] = ()
    videos: Mapping[str, str | Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """How a judge did on observations whose worth is known.

    Attributes:
        passed: Whether it may pay.
        figures: What was measured, by name.
        wanted: What would have passed, in words.
    """

    passed: bool
    figures: dict[str, float]
    wanted: str

    def words(self) -> str:
        """Return the figures beside what was wanted."""
        return ", ".join(f"{name} {value:.3f}" for name, value in self.figures.items()) + f"; wanted: {self.wanted}"

    def to_json(self) -> dict[str, Any]:
        """Return what `RUN/judge.json` holds."""
        return {"passed": self.passed, **self.figures, "wanted": self.wanted}


class JudgeConfig(ABC):
    """A judge as a frozen dataclass of its settings, part of a run.

    Attributes:
        name: What the command line and `config.json` call it.
        needs_reference: Whether it reads with the policy that the run began with.
    """

    name: ClassVar[str]
    needs_reference: ClassVar[bool] = False

    @abstractmethod
    def open(self, lent: Lent) -> Judge:
        """Return the judge; `lent.frozen` is there where `needs_reference`."""

    def trial(self, judge: Judge, samples: Sequence[Sample], observations: Sequence[str]) -> Trial:
        """Return how the judge did on gold observations; one that needs no trial passes."""
        return Trial(True, {}, "nothing")


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
