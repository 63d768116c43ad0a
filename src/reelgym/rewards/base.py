"""What a reward is, what an operator on rewards is, and the rubric that evaluates an expression of them.

Shapes: G trajectories of a group, S segments. A score is (G, S) float64; NaN means not applicable. A wrong answer
scores 0; a scorer that breaks raises, and its fault never becomes a 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.data.trajectory import Group
from reelgym.errors import RequestError, WorkError

Scores = NDArray[np.float64]

WHOLE = ("completion",)
"""The segments of a reward that scores a completion as a whole."""


class Reward(ABC):
    """Scores the trajectories of one group. A concrete one is a frozen dataclass of its settings.

    Attributes:
        name: What the command line and the metrics call it.
        segments: What the S columns of a score stand for: names of segments, `think+answer` for several as one,
            `completion` for all tokens.
    """

    name: ClassVar[str]

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the names of the S columns."""
        return WHOLE

    @property
    def label(self) -> str:
        """Return the name under which this reward is logged; distinct settings may want distinct labels."""
        return self.name

    @abstractmethod
    def score(self, group: Group) -> Scores:
        """Return (G, S) float64, NaN where the reward does not apply to a member."""


class Operator(ABC):
    """Combines the values of its parts; composed operators and rewards form an expression."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Expression, ...]:
        """Return the expressions whose values it combines."""

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the names of the S columns: those of its parts, a whole-completion part serving every column."""
        return common_segments(self.parts)

    @abstractmethod
    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return (G, S) from the parts' values, (G, S) or (G, 1) each, in order.

        Args:
            values: One array per part.
            progress: Share of training done, in [0, 1].
        """


Expression = Reward | Operator


def common_segments(parts: Sequence[Expression]) -> tuple[str, ...]:
    """Return the columns that parts agree on; a part that scores whole completions fits any."""
    found: tuple[str, ...] = WHOLE
    for part in parts:
        if part.segments not in (WHOLE, found):
            if found != WHOLE:
                raise RequestError(f"a reward of segments {part.segments} cannot be combined with one of {found}")
            found = part.segments
    return found


@dataclass(frozen=True, kw_only=True)
class Rubric:
    """A reward expression that a run trains on, evaluated with every reward logged by itself.

    Attributes:
        expression: What is paid.
        logged: Rewards that are scored and logged and not paid.
    """

    expression: Expression
    logged: tuple[Reward, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two different rewards under one label, and parts whose segments do not fit."""
        _ = self.segments
        seen: dict[str, Reward] = {}
        for reward in self.rewards:
            if seen.setdefault(reward.label, reward) != reward:
                raise RequestError(
                    f"two different rewards are logged as {reward.label!r}: {seen[reward.label]} and {reward}"
                )

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the names of the S columns of the score."""
        return self.expression.segments

    @property
    def rewards(self) -> tuple[Reward, ...]:
        """Return every distinct reward of the expression, left to right, then the logged ones."""
        return tuple(dict.fromkeys([*_leaves(self.expression), *self.logged]))

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """Return what the columns of each of `terms` stand for, by label."""
        return {"score": self.segments, **{reward.label: reward.segments for reward in self.rewards}}

    def terms(self, group: Group, progress: float = 0.0) -> dict[str, Scores]:
        """Return the score (G, S) under `score`, and each reward's own (G, S') under its label.

        Args:
            group: The G trajectories.
            progress: Share of training done, in [0, 1]; only schedules read it.

        Raises:
            WorkError: A reward returned another shape, or an infinite number.
        """
        leaves = {reward: _checked(reward, group) for reward in self.rewards}
        terms = {reward.label: value for reward, value in leaves.items()}
        score = _evaluate(self.expression, leaves, progress)
        return {"score": np.broadcast_to(score, (len(group), len(self.segments))).copy(), **terms}

    def score(self, group: Group, progress: float = 0.0) -> Scores:
        """Return (G, S): what each trajectory is paid for each segment."""
        return self.terms(group, progress)["score"]


def _leaves(expression: Expression) -> list[Reward]:
    if isinstance(expression, Reward):
        return [expression]
    return [leaf for part in expression.parts for leaf in _leaves(part)]


def _evaluate(expression: Expression, leaves: dict[Reward, Scores], progress: float) -> Scores:
    if isinstance(expression, Reward):
        return leaves[expression]
    return expression.combine([_evaluate(part, leaves, progress) for part in expression.parts], progress)


def _checked(reward: Reward, group: Group) -> Scores:
    value = np.asarray(reward.score(group), dtype=np.float64)
    if value.shape != (len(group), len(reward.segments)):
        raise WorkError(
            f"reward {reward.label!r} returned shape {value.shape} for {len(group)} trajectories "
            f"and segments {reward.segments}: return (G, S)"
        )
    if np.isinf(value).any():
        raise WorkError(f"reward {reward.label!r} returned an infinite score on sample {group.sample.id!r}")
    return value
