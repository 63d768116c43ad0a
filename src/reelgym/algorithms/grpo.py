"""GRPO: the advantage is the score's z-score within its group; no critic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.clipped import ZScored


@dataclass(frozen=True, kw_only=True)
class GRPO(ZScored):
    """Group relative policy optimisation.

    A_i = (R_i - mean R) / (std R + eps), with the unbiased standard deviation, per column of the scores; exactly 0 for
    a group without variance. Loss: mean over the trained tokens of a sequence of the clipped ratio loss, then mean over
    sequences. A sequence without a trained token is not counted.

    Reference: Shao et al., DeepSeekMath, arXiv 2402.03300, equations 3 and 4. We differ: eps; scores may be given per
    segment (VideoP2R, arXiv 2511.11113), each segment normalised by itself; the divergence is a setting of the run.
    """

    name: ClassVar[str] = "grpo"

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over sequences of token means, and the number of sequences."""
        lengths = mask.sum(1)
        return (losses.sum(1) / lengths.clamp(min=1)).sum(), (lengths > 0).sum().float()
