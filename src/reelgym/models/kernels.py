"""Attention kernels that also return the log-sum-exp of the scores, so that attention over parts can be merged.

On CPU torch's fused flash kernel; elsewhere plain matrix products over bounded blocks of queries, which are the same
numbers and never hold more than `BLOCK` x keys scores per head.

Shapes: B rows, H query heads, K key/value heads (H a multiple of K), T queries, S keys, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1024
"""Queries per block of the plain form."""

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def attend(
    query: Tensor, key: Tensor, value: Tensor, *, causal: bool, scale: float, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return attention (B, H, T, D) and the log-sum-exp of its scores (B, H, T), natural logarithm.

    Args:
        query: (B, H, T, D).
        key: (B, K, S, D).
        value: (B, K, S, D).
        causal: Query t sees keys 0 to t; T must equal S.
        scale: Factor on the scores before the softmax.
        mask: Added to the scores, broadcastable to (B, H, T, S); not together with `causal`.
    """
    key, value = _repeat(key, query.shape[1]), _repeat(value, query.shape[1])
    if query.device.type == "cpu":
        out, norm = _flash(query, key, value, 0.0, causal, attn_mask=mask, scale=scale)
        return out, norm
    return plain(query, key, value, causal=causal, scale=scale, mask=mask)


def attend_backward(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    norm: Tensor,
    *,
    causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of query, key and value.

    `out` and `norm` may be those of a merge of several parts; then each part's call yields its exact share, because
    the probabilities are exp(score - norm) and the correction grad . out is that of the whole.
    """
    heads = key.shape[1]
    key, value = _repeat(key, query.shape[1]), _repeat(value, query.shape[1])
    if query.device.type == "cpu":
        found = _flash_backward(grad, query, key, value, out, norm, 0.0, causal, scale=scale)
    else:
        found = plain_backward(grad, query, key, value, out, norm, causal=causal, scale=scale)
    return found[0], _reduce(found[1], heads), _reduce(found[2], heads)


def merge(first: Tensor, first_norm: Tensor, second: Tensor, second_norm: Tensor) -> tuple[Tensor, Tensor]:
    """Return attention over the union of two disjoint sets of keys, (B, H, T, D) and (B, H, T).

    out = first * exp(first_norm - norm) + second * exp(second_norm - norm), norm = logaddexp of the two.
    """
    share = torch.sigmoid(second_norm - first_norm)[..., None]
    out = torch.lerp(first.to(share.dtype), second.to(share.dtype), share)
    return out.to(first.dtype), torch.logaddexp(first_norm, second_norm)


def plain(
    query: Tensor, key: Tensor, value: Tensor, *, causal: bool, scale: float, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return what `attend` returns, by matrix products over blocks of queries; key and value with H heads."""
    out, norm = torch.empty_like(query), query.new_empty(query.shape[:-1], dtype=_wide(query))
    for start in range(0, query.shape[2], BLOCK):
        part = slice(start, start + BLOCK)
        scores = _scores(query[:, :, part], key, scale=scale, start=start if causal else None)
        if mask is not None:
            scores = scores + (mask if mask.shape[-2] == 1 else mask[..., part, :])
        norm[:, :, part] = scores.logsumexp(-1)
        out[:, :, part] = scores.softmax(-1).to(value.dtype) @ value
    return out, norm


def plain_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, out: Tensor, norm: Tensor, *, causal: bool, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `attend_backward` returns, by matrix products over blocks of queries; all with H heads."""
    wide = _wide(query)
    d_query = torch.empty_like(query)
    d_key, d_value = torch.zeros_like(key, dtype=wide), torch.zeros_like(value, dtype=wide)
    for start in range(0, query.shape[2], BLOCK):
        part = slice(start, start + BLOCK)
        scores = _scores(query[:, :, part], key, scale=scale, start=start if causal else None)
        chances = (scores - norm[:, :, part, None]).exp()
        given = grad[:, :, part].to(wide)
        d_value += chances.transpose(-1, -2) @ given
        delta = (given * out[:, :, part].to(wide)).sum(-1, keepdim=True)
        d_scores = chances * (given @ value.to(wide).transpose(-1, -2) - delta) * scale
        d_query[:, :, part] = (d_scores @ key.to(wide)).to(query.dtype)
        d_key += d_scores.transpose(-1, -2) @ query[:, :, part].to(wide)
    return d_query, d_key.to(key.dtype), d_value.to(value.dtype)


def _scores(query: Tensor, key: Tensor, *, scale: float, start: int | None) -> Tensor:
    scores = (query @ key.transpose(-1, -2)).to(_wide(query)) * scale
    if start is None:
        return scores
    later = (
        torch.arange(key.shape[2], device=key.device)[None, :]
        > torch.arange(start, start + query.shape[2], device=key.device)[:, None]
    )
    return scores.masked_fill(later, -torch.inf)


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


def _repeat(tensor: Tensor, heads: int) -> Tensor:
    return tensor if tensor.shape[1] == heads else tensor.repeat_interleave(heads // tensor.shape[1], 1)


def _reduce(tensor: Tensor, heads: int) -> Tensor:
    return tensor if tensor.shape[1] == heads else tensor.reshape(len(tensor), heads, -1, *tensor.shape[2:]).sum(2)
