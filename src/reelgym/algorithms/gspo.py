"""GSPO: one importance ratio per sequence instead of one per token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.clipped import ZScored
from reelgym.algorithms.ratio import clipped


@dataclass(frozen=True, kw_only=True)
class GSPO(ZScored):
    """Group sequence policy optimisation: a sequence is clipped as a whole.

    A_i as in GRPO. s_i = exp(mean over the trained tokens of logprob - old logprob), the geometric mean of the token
    ratios. Loss of a token: -min(s_i A, clip(s_i, 1 - clip_low, 1 + clip_high) A); then GRPO's means over tokens and
    sequences. The gradient of a token is s_i A times that of its own log-prob, so that credit given per segment stays
    with its segment; where a sequence has one advantage, that is the plain form.

    Reference: Zheng et al., Group sequence policy optimization, arXiv 2507.18071, equation 5, and its token form
    (section 4.3); the narrow clip is that of its section 5.1. We differ: eps in the z-score.
    """

    name: ClassVar[str] = "gspo"
    clip_low: float = 3e-4
    clip_high: float = 4e-4

    def surrogate(self, logprobs: Tensor, drift: Tensor, credit: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return each token's clipped loss under its sequence's ratio, and where the clip decided."""
        mean = drift.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
        # In value exp(mean); in gradient each token stands for itself.
        ratio = (mean.detach() + (drift - drift.detach())).exp()
        return clipped(ratio, credit, (self.clip_low, self.clip_high))

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over sequences of token means, and the number of sequences."""
        lengths = mask.sum(1)
        return (losses.sum(1) / lengths.clamp(min=1)).sum(), (lengths > 0).sum().float()
