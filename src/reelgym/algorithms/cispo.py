"""CISPO: the importance weight is clipped and held fixed, so that no token loses its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.clipped import ZScored


@dataclass(frozen=True, kw_only=True)
class CISPO(ZScored):
    """Clipped importance sampling policy optimisation: policy gradient under a bounded weight.

    A_i as in GRPO. Loss of a token: -w A logprob with w = clip(r, 1 - clip_low, 1 + clip_high), r the ratio of the
    token, and no gradient through w. Loss: sum over trained tokens / number of trained tokens of the whole step. The
    clipped methods drop tokens whose ratio has left its range, often the rare ones that turn a line of thought; here
    they only weigh no more than the bound.

    Reference: MiniMax, MiniMax-M1, arXiv 2506.13585, which bounds the weight from above alone: our
    clip_low of 1 is no lower bound. The bound of 5 is that of Khatri et al., ScaleRL, arXiv 2510.13786. We differ: eps
    in the z-score; the divergence is a setting of the run.
    """

    name: ClassVar[str] = "cispo"
    clip_low: float = 1.0
    clip_high: float = 4.0

    def surrogate(self, logprobs: Tensor, drift: Tensor, credit: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return -w A logprob, and 1.0 where the weight was cut."""
        ratio = drift.detach().exp()
        weight = ratio.clamp(1 - self.clip_low, 1 + self.clip_high)
        return -weight * credit * logprobs, (weight != ratio).to(ratio.dtype)

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over tokens, and the number of tokens."""
        return losses.sum(), mask.sum().float()
