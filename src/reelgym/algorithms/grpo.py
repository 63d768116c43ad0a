"""GRPO: the advantage is the score's z-score within its group; no critic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.base import Algorithm, LossSum, spread, standardise
from reelgym.algorithms.ratio import token_loss
from reelgym.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class GRPO(Algorithm):
    """Group relative policy optimisation.

    A_i = (R_i - mean R) / (std R + eps), with the unbiased standard deviation, per column of the scores; exactly 0 for
    a group without variance. Loss: mean over the trained tokens of a sequence of the clipped ratio loss, then mean over
    sequences. A sequence without a trained token is not counted.

    Reference: Shao et al., DeepSeekMath, arXiv 2402.03300, equations 3 and 4. We differ: eps; scores may be given per
    segment (VideoP2R, arXiv 2511.11113), each segment normalised by itself; the divergence is a setting of the run.

    Attributes:
        clip_low: How far below 1 the ratio counts.
        clip_high: How far above 1.
        eps: Added to the standard deviation.
    """

    name: ClassVar[str] = "grpo"
    clip_low: float = 0.2
    clip_high: float = 0.2
    eps: float = 1e-4

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        check_clip(self.clip_low, self.clip_high)
        if self.eps <= 0:
            raise RequestError(f"eps={self.eps} must be above 0: it keeps a small deviation from blowing up the credit")

    def advantages(self, scores: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Return the (G, T) z-scores; see `Algorithm.advantages`."""
        return spread(standardise(scores, eps=self.eps), segments, mask)

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
        """Return the sum over sequences of token means, and the number of sequences; see `Algorithm.loss`."""
        clip = (self.clip_low, self.clip_high)
        tokens = token_loss(logprobs, old_logprobs, ref_logprobs, advantages, mask, clip=clip, kl_coef=kl_coef)
        lengths = mask.sum(1)
        total = (tokens.loss.sum(1) / lengths.clamp(min=1)).sum()
        return LossSum(total, (lengths > 0).sum().float(), tokens.metrics(mask))


def check_clip(low: float, high: float) -> None:
    """Raise RequestError unless 0 < low <= 1 and high > 0."""
    if not (0 < low <= 1 and high > 0):
        raise RequestError(f"clip_low={low}, clip_high={high}: clip_low is in (0, 1] and clip_high above 0")
