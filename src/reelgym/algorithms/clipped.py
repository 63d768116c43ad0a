"""What GRPO and its relatives share: credit out of the group alone, and a loss over clipped ratios."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor

from reelgym.algorithms.base import Algorithm, LossSum, spread, standardise
from reelgym.algorithms.ratio import TokenLoss, clipped, token_loss
from reelgym.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class Clipped(Algorithm):
    """A method of the clipped ratio; a concrete one says how scores become credit and what the loss is divided by.

    Attributes:
        clip_low: How far below 1 the ratio counts, in (0, 1].
        clip_high: How far above 1.
    """

    clip_low: float = 0.2
    clip_high: float = 0.2

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        if not (0 < self.clip_low <= 1 and self.clip_high > 0):
            raise RequestError(
                f"clip_low={self.clip_low}, clip_high={self.clip_high}: clip_low is in (0, 1] and clip_high above 0"
            )

    @abstractmethod
    def normalise(self, scores: Tensor) -> Tensor:
        """Return (G, S) float64: what each score is worth within its group; NaN scores get 0."""

    @abstractmethod
    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of per-token losses (G, T), 0 where `mask` is False, and its count, both ()."""

    def surrogate(self, logprobs: Tensor, drift: Tensor, credit: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return each token's clipped loss and where the clip decided; see `ratio.Surrogate`."""
        return clipped(drift.exp(), credit, (self.clip_low, self.clip_high))

    def advantages(self, scores: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Return the (G, T) normalised scores; see `Algorithm.advantages`."""
        return spread(self.normalise(scores), segments, mask)

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
        """Return the clipped ratio loss, aggregated; see `Algorithm.loss`."""
        tokens = self.tokens(logprobs, old_logprobs, ref_logprobs, advantages, mask, kl_coef=kl_coef)
        return LossSum(*self.aggregate(tokens.loss, mask), tokens.metrics(mask))

    def tokens(
        self,
        logprobs: Tensor,
        old_logprobs: Tensor,
        ref_logprobs: Tensor | None,
        advantages: Tensor,
        mask: Tensor,
        *,
        kl_coef: float = 0.0,
    ) -> TokenLoss:
        """Return the loss of every token before it is aggregated; the arguments are those of `loss`."""
        given = (logprobs, old_logprobs, ref_logprobs, advantages, mask)
        return token_loss(*given, surrogate=self.surrogate, kl_coef=kl_coef)


@dataclass(frozen=True, kw_only=True)
class ZScored(Clipped):
    """A clipped method whose credit is the score's z-score within its group.

    Attributes:
        eps: Added to the standard deviation.
    """

    eps: float = 1e-4

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        Clipped.__post_init__(self)
        if self.eps <= 0:
            raise RequestError(f"eps={self.eps} must be above 0: it keeps a small deviation from blowing up the credit")

    def normalise(self, scores: Tensor) -> Tensor:
        """Return the (G, S) z-scores."""
        return standardise(scores, eps=self.eps)
