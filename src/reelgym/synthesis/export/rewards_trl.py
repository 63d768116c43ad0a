"""TRL's reward signature: lists of completions and of every column of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelgym.synthesis.export.rewards import score, text_of


def reelgym_reward(completions: Sequence[Any], sample: Sequence[str], **columns: Any) -> list[float]:
    """Return the value of every completion; give this function to `GRPOTrainer(reward_funcs=...)`.

    Args:
        completions: As text, or as messages where prompts are conversations.
        sample: The column `sample` of the export.
        columns: What else TRL passes.
    """
    return [score(text_of(reply), carried).value for reply, carried in zip(completions, sample, strict=True)]
