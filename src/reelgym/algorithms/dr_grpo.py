"""Dr. GRPO: GRPO without the two divisions that bias it, by the group's deviation and by the sequence's length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.base import standardise
from reelgym.algorithms.clipped import Clipped
from reelgym.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class DrGRPO(Clipped):
    """GRPO done right: centred scores, and token sums divided by one constant.

    A_i = R_i - mean R. Loss: sum over trained tokens / (sequences * max_completion_tokens). Dividing by the deviation
    weighs questions by how even their scores are; dividing by the length makes long wrong answers cheap.

    Reference: Liu et al., Understanding R1-Zero-like training, arXiv 2503.20783, section 3.2. We differ: sequences
    without a trained token are not counted.

    Attributes:
        max_completion_tokens: The constant; set it to the run's completion cap. Another value only scales the loss.
    """

    name: ClassVar[str] = "dr_grpo"
    max_completion_tokens: int = 1024

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        Clipped.__post_init__(self)
        if self.max_completion_tokens < 1:
            raise RequestError(f"max_completion_tokens={self.max_completion_tokens} must be at least 1")

    def normalise(self, scores: Tensor) -> Tensor:
        """Return the (G, S) centred scores."""
        return standardise(scores, eps=None)

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over tokens, and sequences times the constant."""
        sequences = (mask.sum(1) > 0).sum().float()
        return losses.sum(), sequences * self.max_completion_tokens
