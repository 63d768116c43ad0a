"""BNPO: GRPO's clip with one mean over all tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.clipped import ZScored


@dataclass(frozen=True, kw_only=True)
class BNPO(ZScored):
    """The token-mean loss that trainers call bnpo: DAPO's aggregation under GRPO's symmetric clip.

    A_i as in GRPO. Loss: sum over trained tokens / number of trained tokens of the whole step. Elsewhere the count is
    that of the local micro-batch, so that its size changes the loss; here it cannot. On one micro-batch both agree.

    Reference: the name is that of Xiao et al., BNPO: Beta normalization policy optimization, arXiv 2506.02864; the loss
    is that of TRL's `loss_type="bnpo"`. We differ from the paper: scores are z-scored, not normalised by a fitted Beta
    distribution.
    """

    name: ClassVar[str] = "bnpo"

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over tokens, and the number of tokens."""
        return losses.sum(), mask.sum().float()
