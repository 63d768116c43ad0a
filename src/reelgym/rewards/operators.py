"""The operators of the reward language: sum, product, gate, clip, rescale, schedule, and one value per segment.

Not applicable (NaN) is skipped by Sum and Product, where every part is NaN the result is; elsewhere NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reelgym.errors import RequestError
from reelgym.rewards.base import WHOLE, Expression, Operator, Scores


@dataclass(frozen=True)
class Sum(Operator):
    """w_1 x_1 + w_2 x_2 + ...; weights default to 1.

    Attributes:
        terms: The parts.
        weights: One per part, or empty for all 1.
    """

    terms: tuple[Expression, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty sum and a wrong number of weights."""
        if not self.terms or (self.weights and len(self.weights) != len(self.terms)):
            raise RequestError(
                f"a Sum of {len(self.terms)} terms has {len(self.weights)} weights: give one each, or none"
            )

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the terms."""
        return self.terms

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the weighted sum of the parts that apply."""
        weights = self.weights or (1.0,) * len(values)
        stack = np.stack(np.broadcast_arrays(*(w * v for w, v in zip(weights, values, strict=True))))
        return np.where(np.isnan(stack).all(0), np.nan, np.nansum(stack, axis=0))


@dataclass(frozen=True)
class Product(Operator):
    """x_1 x_2 ...; a part that does not apply is left out."""

    terms: tuple[Expression, ...]

    def __post_init__(self) -> None:
        """Refuse an empty product."""
        if not self.terms:
            raise RequestError("a Product needs at least one term: Product((Accuracy(), ...))")

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the terms."""
        return self.terms

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the product of the parts that apply."""
        stack = np.stack(np.broadcast_arrays(*values))
        return np.where(np.isnan(stack).all(0), np.nan, np.nanprod(stack, axis=0))


@dataclass(frozen=True)
class Gate(Operator):
    """Pays `term` where `condition` is above `threshold`, else 0. Gate process rewards on correctness.

    Where the term or the condition does not apply, the gate does not either.

    Attributes:
        term: What is paid.
        condition: What must be above the threshold.
        threshold: Strictly above it opens; 0 by default, so any positive condition does.
    """

    term: Expression
    condition: Expression
    threshold: float = 0.0

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the term and the condition."""
        return (self.term, self.condition)

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the term where the gate is open, 0 where it is shut."""
        term, condition = np.broadcast_arrays(*values)
        paid = np.where(condition > self.threshold, term, 0.0)
        return np.where(np.isnan(term) | np.isnan(condition), np.nan, paid)


@dataclass(frozen=True)
class Clip(Operator):
    """min(max(x, low), high)."""

    term: Expression
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an empty interval."""
        if not self.low <= self.high:
            raise RequestError(f"Clip low={self.low} is above high={self.high}: give the lower limit first")

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the term."""
        return (self.term,)

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the clipped value."""
        return np.clip(values[0], self.low, self.high)


@dataclass(frozen=True)
class Rescale(Operator):
    """scale * x + offset. `Rescale.corrected(x, chance)` is (x - chance) / (1 - chance)."""

    term: Expression
    scale: float = 1.0
    offset: float = 0.0

    @staticmethod
    def corrected(term: Expression, chance: float) -> Rescale:
        """Return the chance-corrected expression: 0 at chance, 1 at the best, negative below chance."""
        if not 0 <= chance < 1:
            raise RequestError(f"chance={chance} is outside [0, 1): give what a guesser earns as a share of the best")
        return Rescale(term, 1 / (1 - chance), -chance / (1 - chance))

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the term."""
        return (self.term,)

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the rescaled value."""
        return self.scale * values[0] + self.offset


@dataclass(frozen=True)
class Schedule(Operator):
    """x times a weight that moves in a straight line over training.

    The weight is `begin` up to progress `start`, `end` from progress `stop` on, linear between.
    """

    term: Expression
    begin: float
    end: float
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an interval that is not inside [0, 1]."""
        if not 0 <= self.start < self.stop <= 1:
            raise RequestError(
                f"Schedule start={self.start}, stop={self.stop}: progress runs over [0, 1], start < stop"
            )

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the term."""
        return (self.term,)

    def weight(self, progress: float) -> float:
        """Return the weight at a share of training done."""
        share = min(max((progress - self.start) / (self.stop - self.start), 0.0), 1.0)
        return self.begin + share * (self.end - self.begin)

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the weighted value."""
        return self.weight(progress) * values[0]


@dataclass(frozen=True)
class Stack(Operator):
    """One score per segment: part k, which scores completions, becomes the column of segment `names[k]`.

    Credit goes to the tokens of a segment from its own column, normalised by itself (VideoP2R, arXiv 2511.11113).

    Attributes:
        names: Segment names; `think+answer` joins two.
        terms: As many parts, each of one column.
    """

    names: tuple[str, ...]
    terms: tuple[Expression, ...]

    def __post_init__(self) -> None:
        """Refuse names and parts that do not pair up."""
        if not self.names or len(self.names) != len(self.terms):
            raise RequestError(f"a Stack of {len(self.names)} names has {len(self.terms)} terms: give one each")
        named = [name for joined in self.names for name in joined.split("+")]
        if len(set(named)) != len(named) or (WHOLE[0] in named and len(named) > 1):
            raise RequestError(f"a Stack names each segment once, and not beside 'completion': {', '.join(self.names)}")
        if any(term.segments != WHOLE for term in self.terms):
            raise RequestError("each term of a Stack scores the completion as a whole")

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the terms."""
        return self.terms

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self.names

    def combine(self, values: Sequence[Scores], progress: float) -> Scores:
        """Return the values side by side."""
        return np.concatenate(list(values), axis=1)
