"""Dr. GRPO: GRPO without the two divisions that bias it, by the group's deviation and by the sequence's length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.base import Algorithm, LossSum, spread, standardise
from reelgym.algorithms.grpo import check_clip
from reelgym.algorithms.ratio import token_loss
from reelgym.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class DrGRPO(Algorithm):
    """GRPO done right: centred scores, and token sums divided by one constant.

    A_i = R_i - mean R. Loss: sum over trained tokens / (sequences * max_completion_tokens). Dividing by the deviation
    weighs questions by how even their scores are; dividing by the length makes long wrong answers cheap.

    Reference: Liu et al., Understanding R1-Zero-like training, arXiv 2503.20783, section 3.2. We differ: sequences
    without a trained token are not counted.

    Attributes:
        clip_low: How far below 1 the ratio counts.
        clip_high: How far above 1.
        max_completion_tokens: The constant; set it to the run's completion cap. Another value only scales the loss.
    """

    name: ClassVar[str] = "dr_grpo"
    clip_low: float = 0.2
    clip_high: float = 0.2
    max_completion_tokens: int = 1024

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        check_clip(self.clip_low, self.clip_high)
        if self.max_completion_tokens < 1:
            raise RequestError(f"max_completion_tokens={self.max_completion_tokens} must be at least 1")

    def advantages(self, scores: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Return the (G, T) centred scores; see `Algorithm.advantages`."""
        return spread(standardise(scores, eps=None), segments, mask)

    def loss(
        self,
        logprobs: Tensor,
        old_logprobs: Tensor,
        ref_logprobs: Tensor | None,
        advantages: Tensor,
        mask: Tensor,
        *,
        kl_coef: float = 0.0,
    ) -> LossSum:
        """Return the sum over tokens, and sequences times the constant; see `Algorithm.loss`."""
        clip = (self.clip_low, self.clip_high)
        tokens = token_loss(logprobs, old_logprobs, ref_logprobs, advantages, mask, clip=clip, kl_coef=kl_coef)
        sequences = (mask.sum(1) > 0).sum().float()
        return LossSum(tokens.loss.sum(), sequences * self.max_completion_tokens, tokens.metrics(mask))
