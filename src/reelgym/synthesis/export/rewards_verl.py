"""verl's reward signature: one reply at a time, with the ground truth of its row."""

from __future__ import annotations

from typing import Any

from reelgym.synthesis.export.rewards import score


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **others: Any
) -> dict[str, float]:
    """Return the value as `score`, beside `acc` (1 if the value is 1) and `valid` (1 if the reply could be read).

    Args:
        data_source: `reelgym/TASK`.
        solution_str: The reply.
        ground_truth: `reward_model.ground_truth` of the export.
        extra_info: Not used.
        others: What else verl or its configuration passes; not used.
    """
    found = score(solution_str, ground_truth)
    return {"score": found.value, "acc": float(found.value == 1.0), "valid": float(found.valid)}
