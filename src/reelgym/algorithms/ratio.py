"""The clipped token ratio and the k3 divergence, token by token."""

from __future__ import annotations

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


def token_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    ref_logprobs: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: tuple[float, float],
    kl_coef: float,
) -> TokenLoss:
    """Return -min(r A, clip(r, 1 - low, 1 + high) A) + kl_coef k3 for each token.

    r = exp(logprobs - old_logprobs). k3 = exp(ref - logprobs) - (ref - logprobs) - 1, never negative, an unbiased
    estimate of KL(policy || reference) under the policy's own samples (Schulman 2020; used by GRPO, arXiv 2402.03300,
    equation 4).

    Args:
        logprobs: (G, T) float32 with gradient.
        old_logprobs: (G, T) float32.
        ref_logprobs: (G, T) float32 or None.
        advantages: (G, T) float32.
        mask: (G, T) bool; what lies under False may be NaN.
        clip: (low, high), how far below and above 1 the ratio counts.
        kl_coef: Weight of k3.
    """
    if kl_coef > 0 and ref_logprobs is None:
        raise RequestError(f"kl_coef={kl_coef} needs the reference's log-probs: give ref_logprobs, or set kl_coef=0")
    zero = logprobs.new_zeros(())
    new, old = torch.where(mask, logprobs, zero), torch.where(mask, old_logprobs, zero)
    credit = torch.where(mask, advantages, zero)
    drift = new - old
    ratio = drift.exp()
    bounded = ratio.clamp(1 - clip[0], 1 + clip[1])
    loss = -torch.minimum(ratio * credit, bounded * credit)
    kl = torch.zeros_like(new)
    if ref_logprobs is not None:
        gap = torch.where(mask, ref_logprobs, zero) - new
        kl = gap.exp() - gap - 1
        if kl_coef > 0:
            loss = loss + kl_coef * kl
    with torch.no_grad():
        clipped = (bounded * credit < ratio * credit).float()
    return TokenLoss(loss, kl, clipped, drift.detach().abs())
