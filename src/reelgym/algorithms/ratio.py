"""The clipped ratio and the k3 divergence, token by token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reelgym.errors import RequestError


@dataclass(frozen=True, eq=False)
class TokenLoss:
    """Per-token losses and what to report of them; every tensor is (G, T) and 0 where the mask is False."""

    loss: Tensor
    kl: Tensor
    clipped: Tensor
    drift: Tensor

    def metrics(self, mask: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Return sums over tokens with the number of tokens: share clipped, mean k3, mean |log ratio|."""
        tokens = mask.sum().float()
        parts = {"clip_fraction": self.clipped, "kl": self.kl, "log_ratio": self.drift}
        return {name: (value.detach().sum(), tokens) for name, value in parts.items()}


Surrogate = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From log-probs, log ratios, advantages and the mask, all (G, T) with 0 where the mask is False, to each token's loss
and 1.0 where clipping took its gradient or shrank its weight, both (G, T)."""


def clipped(ratio: Tensor, credit: Tensor, clip: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return -min(r A, clip(r, 1 - low, 1 + high) A) and 1.0 where the clip decided, all (G, T); clip is (low, high).

    Reference: Schulman et al., Proximal policy optimization algorithms, arXiv 1707.06347, equation 7.
    """
    bounded = ratio.clamp(1 - clip[0], 1 + clip[1])
    loss = -torch.minimum(ratio * credit, bounded * credit)
    return loss, (bounded * credit < ratio * credit).to(ratio.dtype)


def token_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    ref_logprobs: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    *,
    surrogate: Surrogate,
    kl_coef: float,
) -> TokenLoss:
    """Return surrogate + kl_coef k3 for each token.

    k3 = exp(ref - logprobs) - (ref - logprobs) - 1, never negative, an unbiased estimate of KL(policy || reference)
    under the policy's own samples (Schulman 2020; used by GRPO, arXiv 2402.03300, equation 4).

    Args:
        logprobs: (G, T) float32 with gradient.
        old_logprobs: (G, T) float32.
        ref_logprobs: (G, T) float32 or None.
        advantages: (G, T) float32.
        mask: (G, T) bool; what lies under False may be NaN.
        surrogate: The method's loss of a token; its log ratio is logprobs - old_logprobs.
        kl_coef: Weight of k3.
    """
    if kl_coef > 0 and ref_logprobs is None:
        raise RequestError(f"kl_coef={kl_coef} needs the reference's log-probs: give ref_logprobs, or set kl_coef=0")
    zero = logprobs.new_zeros(())
    new, old = torch.where(mask, logprobs, zero), torch.where(mask, old_logprobs, zero)
    credit = torch.where(mask, advantages, zero)
    drift = new - old
    loss, cut = surrogate(new, drift, credit, mask)
    kl = torch.zeros_like(new)
    if ref_logprobs is not None:
        gap = torch.where(mask, ref_logprobs, zero) - new
        kl = gap.exp() - gap - 1
        if kl_coef > 0:
            loss = loss + kl_coef * kl
    return TokenLoss(loss, kl, cut.detach(), drift.detach().abs())
