"""Whether what a sampler returned can be trained on: checked before anything is scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reelgym.data.trajectory import Turn
from reelgym.errors import WorkError


def check(turns: Sequence[Sequence[Turn]], *, prompts: int, n: int, max_tokens: int) -> None:
    """Refuse groups that are not as asked.

    An empty completion is allowed: it is scored, and has no token to train on.

    Args:
        turns: The completions, group by group.
        prompts: Groups asked for.
        n: Completions asked for in each.
        max_tokens: Cap of a completion.

    Raises:
        WorkError: Another number of groups or members, a completion above its cap, arrays of different lengths, or a
            log-prob that is no number.
    """
    if len(turns) != prompts or any(len(group) != n for group in turns):
        raise WorkError(f"the sampler returned groups of {sorted({len(g) for g in turns})} for {prompts} prompts x {n}")
    for place, group in enumerate(turns):
        for member, turn in enumerate(group):
            fault = _fault(turn, max_tokens)
            if fault:
                raise WorkError(f"the sampler's completion {member} of prompt {place} {fault}: see its settings or log")


def _fault(turn: Turn, max_tokens: int) -> str:
    """Return what is wrong with a completion, or nothing."""
    length = len(turn.ids)
    if length > max_tokens:
        return f"has {length} tokens, above max_tokens={max_tokens}"
    if len(turn.logprobs) != length or len(turn.loss_mask) != length:
        return f"has {length} tokens, {len(turn.logprobs)} log-probs and a mask of {len(turn.loss_mask)}"
    if not np.isfinite(turn.logprobs).all() or (turn.logprobs > 1e-3).any():
        return "has log-probs that are no log-probs"
    return ""
