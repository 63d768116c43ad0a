"""What an algorithm is: credit from scores, and a loss that is a sum with its count.

Shapes: G members of a group, S segments with a score of their own, T tokens of the longest completion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from reelgym.errors import RequestError

FLAT = 1e-9
"""A group whose scores differ by no more than this share of their size has no variance but rounding."""


@dataclass(frozen=True, eq=False)
class LossSum:
    """A loss as a sum and what to divide it by; sums and counts of parts add up to those of the whole.

    Attributes:
        total: () float32, the sum; carries the gradient.
        count: () float32 without gradient, in the unit of the method (sequences, tokens). The loop divides the sum
            over micro-batches and ranks by the count over micro-batches and ranks, so that neither changes the loss.
        metrics: Name to (sum, count), both () and without gradient; averaged by the loop in the same way.
    """

    total: Tensor
    count: Tensor
    metrics: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def detach(self) -> LossSum:
        """Return the same numbers without their graph."""
        return LossSum(self.total.detach(), self.count, self.metrics)

    @staticmethod
    def join(parts: Sequence[LossSum]) -> LossSum:
        """Return the loss of the whole from those of its parts, at least one."""

        def add(tensors: Iterable[Tensor]) -> Tensor:
            return torch.stack(list(tensors)).sum()

        names = parts[0].metrics
        metrics = {n: (add(p.metrics[n][0] for p in parts), add(p.metrics[n][1] for p in parts)) for n in names}
        return LossSum(add(p.total for p in parts), add(p.count for p in parts), metrics)


class Algorithm(ABC):
    """A method of policy optimisation over groups. A concrete one is a frozen dataclass of its settings.

    Attributes:
        name: What the command line and `config.json` call it.
        needs_reference: True if the loss reads `ref_logprobs` even where `kl_coef` is 0.
    """

    name: ClassVar[str]
    needs_reference: ClassVar[bool] = False

    @abstractmethod
    def advantages(self, scores: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Return the (G, T) float32 credit of each token; 0 where `mask` is False or no segment is scored.

        Args:
            scores: (G, S) float64, NaN where a score does not apply to a member.
            segments: (G, T) int64, the column of `scores` each token belongs to, -1 for none.
            mask: (G, T) bool, True where the policy is trained.
        """

    @abstractmethod
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
        """Return the loss of some members of a group as a sum and a count.

        Args:
            logprobs: (G, T) float32 with gradient, of the policy as it is now.
            old_logprobs: (G, T) float32, of the policy that sampled.
            ref_logprobs: (G, T) float32 of the reference; None where there is none.
            advantages: (G, T) float32.
            mask: (G, T) bool; what lies under False never matters, NaN included.
            kl_coef: Weight of the k3 divergence from the reference, at least 0.

        Raises:
            RequestError: `kl_coef` is positive and there is no reference.
        """


def spread(values: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
    """Return (G, T) float32: each token gets its segment's value out of (G, S), 0 where it has none."""
    if segments.shape != mask.shape or len(values) != len(segments):
        raise RequestError(
            f"scores {tuple(values.shape)}, segments {tuple(segments.shape)} and mask {tuple(mask.shape)} do not fit: "
            "they are (G, S), (G, T) and (G, T)"
        )
    if segments.numel() and int(segments.max()) >= values.shape[1]:
        raise RequestError(f"a token is of segment {int(segments.max())}, scores have {values.shape[1]} columns")
    taken = values.gather(1, segments.clamp(min=0))
    return torch.where(mask & (segments >= 0), taken, taken.new_zeros(())).float()


def standardise(scores: Tensor, *, eps: float | None) -> Tensor:
    """Return the (G, S) float64 scores centred over the group, and divided by (unbiased std + eps) unless eps is None.

    Each column stands alone. NaN members take no part in a column's statistics and get 0. A column without variance
    (up to rounding, `FLAT`), or with fewer than two members, is exactly 0.
    """
    scores = scores.double()
    applies = ~scores.isnan()
    count = applies.sum(0)
    known = torch.where(applies, scores, scores.new_zeros(()))
    centred = torch.where(applies, known - known.sum(0) / count.clamp(min=1), scores.new_zeros(()))
    high = torch.where(applies, scores, -torch.inf).amax(0)
    low = torch.where(applies, scores, torch.inf).amin(0)
    size = torch.where(applies, scores.abs(), 0.0).amax(0).clamp(min=1.0)
    varies = (count >= 2) & (high - low > FLAT * size)
    if eps is not None:
        centred = centred / ((centred.square().sum(0) / (count - 1).clamp(min=1)).sqrt() + eps)
    return torch.where(varies & applies, centred, scores.new_zeros(()))
