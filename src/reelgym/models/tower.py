"""The vision tower's attention, all frames at once: plugged into transformers' registry, no model file edited.

Each frame (or window of a frame) attends to itself alone. Stock SDPA attention runs a Python loop over them, which
costs a tiny model more than its arithmetic. Here frames of equal length share one call.

Shapes: N patches, H heads, D head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "reelgym-flash-segments"
"""Registered name. It holds "flash" because that is how transformers decides to hand over all segments at once."""


def install(model: Any) -> None:
    """Let the vision tower of a Qwen model attend by segments; text layers, and other towers, keep what they have."""
    if not hasattr(model.model, "visual"):
        return
    AttentionInterface.register(NAME, attend)
    model.model.visual.config._attn_implementation = NAME


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    cu_seq_lens_q: Tensor,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Return (1, N, H, D): attention within each segment [cu_seq_lens_q[i], cu_seq_lens_q[i + 1]) and nowhere else."""
    del module, attention_mask, kwargs
    lengths = (cu_seq_lens_q[1:] - cu_seq_lens_q[:-1]).tolist()
    if len(set(lengths)) == 1:
        return _equal([query, key, value], lengths[0], scaling, dropout).transpose(1, 2), None
    whole = torch.empty_like(query)
    of_patch = torch.repeat_interleave(torch.tensor(lengths), torch.tensor(lengths)).to(query.device)
    parts = []
    for length in sorted(set(lengths)):
        rows = torch.nonzero(of_patch == length).squeeze(-1)
        of_length = [tensor.index_select(2, rows) for tensor in (query, key, value)]
        parts.append((rows, _equal(of_length, length, scaling, dropout)))
    for rows, part in parts:
        whole = whole.index_copy(2, rows, part)
    return whole.transpose(1, 2), None


def _equal(inputs: list[Tensor], length: int, scaling: float | None, dropout: float) -> Tensor:
    """Return (1, H, N, D) from query, key and value of that shape, N cut into segments of `length`."""
    heads, size = inputs[0].shape[1], inputs[0].shape[3]
    query, key, value = (tensor.reshape(heads, -1, length, size).transpose(0, 1) for tensor in inputs)
    found = scaled_dot_product_attention(query, key, value, dropout_p=dropout, scale=scaling)
    return found.transpose(0, 1).flatten(1, 2).unsqueeze(0)
