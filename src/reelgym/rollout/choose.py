"""From logits to tokens. Shapes: B rows, V vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor

from reelgym.rollout.base import SamplingParams


def logprobs(logits: Tensor, forbidden: Tensor, temperature: float) -> Tensor:
    """Return (B, V) float32 log-probs after temperature, the forbidden ids barred; temperature 0 counts as 1.

    Args:
        logits: (B, V).
        forbidden: (K,) int64.
        temperature: At least 0.
    """
    scaled = logits.float() / (temperature or 1.0)
    return scaled.index_fill_(-1, forbidden, -torch.inf).log_softmax(-1)


def choose(chances: Tensor, uniforms: Tensor | None, params: SamplingParams) -> Tensor:
    """Return (B,) int64: the tokens drawn, by the inverse of the cumulative distribution in float64.

    A row's token depends on its own log-probs and number alone. Token i is taken where cdf[i - 1] <= u < cdf[i].

    Args:
        chances: (B, V) log-probs.
        uniforms: (B,) float64 in [0, 1); unused at temperature 0.
        params: The settings.
    """
    if params.temperature == 0 or uniforms is None:
        return chances.argmax(-1)
    kept = narrow(chances.double().exp(), params)
    cumulative = kept.cumsum(-1)
    total = cumulative[:, -1]
    target = torch.minimum(uniforms * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]


def narrow(chances: Tensor, params: SamplingParams) -> Tensor:
    """Return (B, V) probabilities with zeros where top-k, top-p or min-p drop a token; not normalised again.

    Ties at the boundary are cut by id, lowest kept. min-p compares with the likeliest token, which is always kept.

    Reference: top-p is nucleus sampling, Holtzman et al., arXiv 1904.09751; min-p is Nguyen et al., arXiv 2407.01082.
    """
    if params.top_k or params.top_p < 1:
        ranked, ids = chances.sort(dim=-1, descending=True, stable=True)
        if params.top_k:
            ranked[:, params.top_k :] = 0.0
        if params.top_p < 1:
            before = ranked.cumsum(-1) - ranked
            ranked = ranked.masked_fill(before >= params.top_p * ranked.sum(-1, keepdim=True), 0.0)
        chances = torch.zeros_like(chances).scatter_(-1, ids, ranked)
    if params.min_p:
        chances = chances.masked_fill(chances < params.min_p * chances.amax(-1, keepdim=True), 0.0)
    return chances
