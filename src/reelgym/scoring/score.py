"""Score: what one reply is worth, with its parts; and the correction for chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one reply is worth.

    Attributes:
        value: The task's own measure, in [0, 1]; 0 for an invalid reply.
        parts: Every measure by name, each raw one beside `<name>_corrected`.
        valid: Whether the reply could be read as an answer.
        parsed: The answer that was read; None where the reply is invalid.
    """

    value: float
    parts: dict[str, float] = field(default_factory=dict)
    valid: bool
    parsed: Any = None


def corrected(score: float, chance: float) -> float:
    """Return (score - chance) / (1 - chance): 0 for a guesser, 1 for a perfect answer, negative below chance.

    A measure that a guesser always gets whole (chance 1) tells nothing: its correction is 0.

    >>> corrected(0.75, 0.5)
    0.5
    """
    return (score - chance) / (1.0 - chance) if chance < 1.0 else 0.0
