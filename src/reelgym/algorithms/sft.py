"""Supervised fine-tuning: cross-entropy of given replies, as a sum and a count like every other loss."""

from __future__ import annotations

import torch
from torch import Tensor

from reelgym.algorithms.base import LossSum


def cross_entropy(logprobs: Tensor, mask: Tensor) -> LossSum:
    """Return -sum of the log-probs of the trained tokens, and their number.

    The prompt is not trained: it is simply not among `logprobs`. Divided by the count of the whole step this is the
    mean over tokens, so long replies weigh more than short ones, as in every common SFT trainer.

    Args:
        logprobs: (B, T) float32 with gradient, of each reply token.
        mask: (B, T) bool, True where the policy is trained; what lies under False never matters, NaN included.
    """
    total = -torch.where(mask, logprobs, logprobs.new_zeros(())).sum()
    tokens = mask.sum().float()
    return LossSum(total, tokens, {"nll": (total.detach(), tokens)})
