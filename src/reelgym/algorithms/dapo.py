"""DAPO: GRPO with a higher upper clip and one mean over all tokens of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.clipped import ZScored


@dataclass(frozen=True, kw_only=True)
class DAPO(ZScored):
    """Decoupled clip, token-level loss.

    A_i as in GRPO. Loss: sum over trained tokens / number of trained tokens of the whole step, so that a long
    completion weighs more than a short one. The upper clip is wider: room for unlikely tokens to grow.

    Reference: Yu et al., DAPO, arXiv 2503.14476, equations 8 and 12. We differ: eps in the z-score; dropping groups
    without signal and masking cut completions are settings of the run (`groups`, `mask_truncated`), not of the loss.
    """

    name: ClassVar[str] = "dapo"
    clip_high: float = 0.28

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over tokens, and the number of tokens."""
        return losses.sum(), mask.sum().float()
