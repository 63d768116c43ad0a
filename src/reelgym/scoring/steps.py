"""Scores of a line of reasoning whose steps were judged: how much of the reference it has, and how much of it holds.

Reference: VCR-Bench (arXiv 2504.07956). Steps are of what was perceived, reasoned, or mere background, which never
counts. Recall is the share of reference steps that the reply has, precision that of the reply's own steps that hold,
redundant ones aside; efficiency is the share of its steps that are not redundant. The CoT score is the F1 of the means
over all questions. Where we differ: a reply of redundant and background steps alone has precision 0 and stays in the
mean, which the published script takes it out of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

KINDS = ("perception", "reasoning", "background")
"""What a step may be."""

REFERENCE = ("matched", "unmatched")
"""What may be said of a step of the reference."""

WRITTEN = ("matched", "wrong", "redundant")
"""What may be said of a step of a reply."""

PARTS = (
    *(f"{kind}_{share}" for kind in ("step", "perception", "reasoning") for share in ("recall", "precision")),
    "step_efficiency",
)
"""Names of the measures."""

Steps = Sequence[tuple[str, str]]
"""Kind and verdict of each step."""


def step_parts(reference: Steps, written: Steps) -> dict[str, float]:
    """Return the measures by name, in [0, 1]; without those that have no step to go by.

    Args:
        reference: Judged by `REFERENCE`, at least one.
        written: The reply's own, judged by `WRITTEN`, at least one.

    >>> found = step_parts([("perception", "matched"), ("reasoning", "unmatched")], [("reasoning", "wrong")])
    >>> found["step_recall"], found["perception_recall"], found["step_precision"], "perception_precision" in found
    (0.5, 1.0, 0.0, False)
    """
    parts = {"step_efficiency": 1 - _count(written, KINDS, "redundant") / len(written)}
    for name, kinds in (("step", KINDS[:2]), ("perception", KINDS[:1]), ("reasoning", KINDS[1:2])):
        parts[f"{name}_recall"] = _share(reference, kinds, "unmatched")
        parts[f"{name}_precision"] = _share(written, kinds, "wrong")
    if math.isnan(parts["step_precision"]):
        parts["step_precision"] = 0.0
    return {name: part for name, part in parts.items() if not math.isnan(part)}


def f1(precision: float, recall: float) -> float:
    """Return the harmonic mean of two shares; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _share(steps: Steps, kinds: Sequence[str], against: str) -> float:
    """Return the share of matched steps among those that are matched or `against`; NaN where there is none."""
    matched, rest = _count(steps, kinds, "matched"), _count(steps, kinds, against)
    return matched / (matched + rest) if matched + rest else math.nan


def _count(steps: Steps, kinds: Sequence[str], verdict: str) -> int:
    return sum(kind in kinds and said == verdict for kind, said in steps)
