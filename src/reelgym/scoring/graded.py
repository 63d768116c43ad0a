"""Scores of several parts, of which one is the value (by a setting: the strict or the smooth), corrected for chance.

Reference: VideoSSR (arXiv 2511.06281) found that strict rewards give GRPO too little signal; both stay selectable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from reelgym.scoring.score import Score, corrected

Reward = Literal["strict", "smooth"]
"""Which part of a score is its value: all or nothing, or with partial credit."""

REWARDS = ("strict", "smooth")
"""The values of `Reward`."""

PARTIAL = 0.5
"""What a choice that is not the right one can earn at most under the smooth reward. Ours."""


def graded_score(parts: Mapping[str, float] | None, chances: Mapping[str, float], value: str, parsed: Any) -> Score:
    """Return the score of a reply with every part raw and corrected for chance.

    Args:
        parts: Raw measures; None for a reply that could not be read, which earns 0 in each.
        chances: What a guesser gets, for the same names.
        value: The name of the one that is the value.
        parsed: The answer that was read; not kept where `parts` is None.
    """
    raw = dict.fromkeys(chances, 0.0) if parts is None else dict(parts)
    skill = {f"{name}_corrected": corrected(raw[name], chance) for name, chance in chances.items()}
    valid = parts is not None
    return Score(value=raw[value], parts=raw | skill, valid=valid, parsed=parsed if valid else None)


def graded_chance(chances: Mapping[str, float], value: str) -> dict[str, float]:
    """Return the chance of every part of `graded_score` and of its value; a corrected part has 0."""
    return dict(chances) | {f"{name}_corrected": 0.0 for name in chances} | {"value": chances[value]}


def choice_parts(chosen: int, truth: int, closeness: Sequence[float]) -> dict[str, float]:
    """Return the parts of one choice among n: strict 1 for the right one; smooth 0.5 times its closeness for another.

    Args:
        chosen: In 1..n.
        truth: In 1..n.
        closeness: (n,) in [0, 1]: how near each option comes to the right one, by the task's own measure.
    """
    right = float(chosen == truth)
    return {"strict": right, "smooth": right or PARTIAL * closeness[chosen - 1]}


def choice_chance(truth: int, closeness: Sequence[float]) -> dict[str, float]:
    """Return the mean of `choice_parts` over all n choices, enumerated.

    >>> choice_chance(1, [1.0, 0.5, 0.5, 0.0])
    {'strict': 0.25, 'smooth': 0.375}
    """
    count = len(closeness)
    every = [choice_parts(chosen, truth, closeness) for chosen in range(1, count + 1)]
    return {name: sum(parts[name] for parts in every) / count for name in every[0]}


def share_parts(reply: Sequence[Any], truth: Sequence[Any]) -> dict[str, float]:
    """Return the parts of several independent answers: strict 1 where all are right, smooth the share that is."""
    right = sum(a == b for a, b in zip(reply, truth, strict=True)) / len(truth)
    return {"strict": float(right == 1.0), "smooth": right}


def share_chance(count: int, options: int) -> dict[str, float]:
    """Return what a guesser gets in `share_parts`: `options` equally likely words at each of `count` places.

    >>> share_chance(3, 2)
    {'strict': 0.125, 'smooth': 0.5}
    """
    return {"strict": options**-count, "smooth": 1 / options}
