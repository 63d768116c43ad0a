"""EasyR1's reward signature: a batch of replies with their ground truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reelgym.synthesis.export.rewards import score

REWARD_NAME = "reelgym"
REWARD_TYPE = "batch"


def compute_score(reward_inputs: Sequence[Mapping[str, Any]], **others: Any) -> list[dict[str, float]]:
    """Return for every reply the value as `overall`, `format` (1 if it could be read) and `accuracy` (1 if value is 1).

    Args:
        reward_inputs: {response, response_length, ground_truth} of every reply.
        others: What the configuration passes; not used.
    """
    scores = [score(one["response"], one["ground_truth"]) for one in reward_inputs]
    return [{"overall": one.value, "format": float(one.valid), "accuracy": float(one.value == 1.0)} for one in scores]
