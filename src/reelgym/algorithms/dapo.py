"""DAPO: GRPO with a higher upper clip and one mean over all tokens of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.base import Algorithm, LossSum, spread, standardise
from reelgym.algorithms.grpo import check_clip
from reelgym.algorithms.ratio import token_loss
from reelgym.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class DAPO(Algorithm):
    """Decoupled clip, token-level loss.

    A_i as in GRPO. Loss: sum over trained tokens / number of trained tokens of the whole step, so that a long
    completion weighs more than a short one.

    Reference: Yu et al., DAPO, arXiv 2503.14476, equations 8 and 12. We differ: eps in the z-score; dropping groups
    without signal and masking cut completions are settings of the run (`groups`, `mask_truncated`), not of the loss.

    Attributes:
        clip_low: How far below 1 the ratio counts.
        clip_high: How far above 1: room for unlikely tokens to grow.
        eps: Added to the standard deviation.
    """

    name: ClassVar[str] = "dapo"
    clip_low: float = 0.2
    clip_high: float = 0.28
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
        """Return the sum over tokens, and the number of tokens; see `Algorithm.loss`."""
        clip = (self.clip_low, self.clip_high)
        tokens = token_loss(logprobs, old_logprobs, ref_logprobs, advantages, mask, clip=clip, kl_coef=kl_coef)
        return LossSum(tokens.loss.sum(), mask.sum().float(), tokens.metrics(mask))
