"""Attention over packed groups: plugged into transformers' attention registry, so that no model file is edited.

A caller hands a `Layout` to the model as the keyword `layout`; every text layer then asks it to attend. Without one the
layer runs transformers' own SDPA attention. `PackedLayout` is the training and prefill form: several sequences, and
completions that branch off them, in one row without padding and without a (P + GC) squared mask.

Shapes: N tokens of the packed row, H query heads, K key/value heads, D head size, R rows and W width of a rectangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.modeling_outputs import BaseModelOutputWithPast

from reelgym.errors import RequestError
from reelgym.models import flex
from reelgym.models.kernels import attend, attend_backward, merge

NAME = "reelgym"
"""The name under which the attention is registered."""

WASTE = 1.25
"""Rows of different lengths share a rectangle while it holds at most this many times their tokens."""


class Layout(Protocol):
    """Who attends to whom; keeps keys and values where it caches them."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, scale: float) -> Tensor:
        """Return (B, T, H, D) from query (B, H, T, D), key and value (B, K, T, D)."""


def install(model: nn.Module) -> None:
    """Make the text layers of a transformers model obey `layout`; without one they attend as under `sdpa`.

    Stays installed, so that a backward pass under gradient checkpointing finds it too.
    """
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    if config._attn_implementation != NAME:
        AttentionInterface.register(NAME, _attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        config._attn_implementation = NAME


def serves(model: nn.Module) -> bool:
    """Return whether every text layer of a transformers model is full attention, which a layout can stand in for.

    Recurrent states and sliding windows are not: a completion would see its siblings through them.
    """
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def no_mask(device: torch.device) -> Tensor:
    """Return the (1, 1, 1, 1) stand-in that keeps transformers from building a mask; the layout replaces it."""
    return torch.zeros(1, 1, 1, 1, device=device)


def states(output: BaseModelOutputWithPast) -> Tensor:
    """Return the hidden states (B, T, D) of a model's output."""
    assert output.last_hidden_state is not None
    return output.last_hidden_state


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    if layout is None:
        found = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
        return found[0], None
    if dropout:
        raise RequestError(f"attention_dropout={dropout}: packed attention has none; set it to 0 in the model's config")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    layer: int = module.layer_idx  # type: ignore[assignment]
    return layout.attend(layer, query, key, value, scale=scale), None


@dataclass(frozen=True, eq=False)
class Rectangle:
    """R rows of tokens that lie one after another in [start, stop) of the packed row, seen R x W.

    `index` (R * W,) names the token of each cell, `cells` (stop - start,) the cell of each token; both None where all
    rows are W long and the rectangle is a view. Cells after a row's end repeat some token and are never read.
    """

    start: int
    stop: int
    rows: int
    width: int
    index: Tensor | None = None
    cells: Tensor | None = None

    @staticmethod
    def of(start: int, lengths: Sequence[int], device: torch.device) -> Rectangle:
        """Return the rectangle of rows with these lengths, the first token at `start`."""
        stop, width = start + sum(lengths), max(lengths)
        if min(lengths) == width:
            return Rectangle(start, stop, len(lengths), width)
        sizes = torch.tensor(lengths)
        first = torch.cumsum(sizes, 0) - sizes
        inside = torch.arange(width)[None, :] < sizes[:, None]
        index = torch.where(inside, start + first[:, None] + torch.arange(width)[None, :], start)
        cells = inside.flatten().nonzero()[:, 0]
        return Rectangle(start, stop, len(lengths), width, index.flatten().to(device), cells.to(device))

    def take(self, packed: Tensor) -> Tensor:
        """Return (R, H, W, D) from (N, H, D)."""
        flat = packed[self.start : self.stop] if self.index is None else packed.index_select(0, self.index)
        return flat.view(self.rows, self.width, *packed.shape[1:]).transpose(1, 2)

    def spread(self, packed: Tensor) -> Tensor:
        """Return (R, H, W, D) from (N, H, D) with zeros in the cells that hold no token."""
        part = packed[self.start : self.stop]
        if self.cells is not None:
            flat = packed.new_zeros(self.rows * self.width, *packed.shape[1:])
            part = flat.index_copy_(0, self.cells, part)
        return part.reshape(self.rows, self.width, *packed.shape[1:]).transpose(1, 2)

    def tokens(self, rectangle: Tensor) -> Tensor:
        """Return (stop - start, H, D) from (R, H, W, D): the cells that hold a token, in the packed order."""
        flat = rectangle.transpose(1, 2).reshape(self.rows * self.width, *rectangle.shape[1::2])
        return flat if self.cells is None else flat.index_select(0, self.cells)


@dataclass(frozen=True, eq=False)
class Branch:
    """Completions of n groups that branch off n prompts of equal length, equally many completions each."""

    prompts: Rectangle
    completions: Rectangle

    def fold(self, rectangle: Tensor) -> Tensor:
        """Return (n, H, G * W, D) from (n * G, H, W, D): the completions of a group side by side."""
        rows, heads, width, size = rectangle.shape
        groups = self.prompts.rows
        return rectangle.transpose(1, 2).reshape(groups, rows // groups * width, heads, size).transpose(1, 2)

    def unfold(self, folded: Tensor) -> Tensor:
        """Return (n * G, H, W, D) from (n, H, G * W, D)."""
        heads, size = folded.shape[1], folded.shape[3]
        return folded.transpose(1, 2).reshape(-1, self.completions.width, heads, size).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class PackedLayout:
    """Causal sequences, and completions that attend to the whole of their prompt and causally to themselves.

    Exact in value and gradient: a completion's attention over its prompt and over itself are two kernel calls whose
    results are merged by their log-sum-exp, and whose backward calls are given the merged result, as in ring attention
    (Liu et al., Ring Attention with Blockwise Transformers, arXiv 2310.01889; there over devices, here over the parts).
    On a GPU with Triton the same layout is one block-sparse kernel call (`flex`).
    """

    sequences: tuple[Rectangle, ...]
    branches: tuple[Branch, ...] = ()
    _masks: dict[torch.device, BlockMask] = field(default_factory=dict, init=False, repr=False)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, scale: float) -> Tensor:
        """Return (1, N, H, D) for the packed row: query (1, H, N, D), key and value (1, K, N, D)."""
        if flex.chosen(query.device):
            return flex.attend(query, key, value, self._block_mask(query.device), scale=scale)
        packed = (x[0].transpose(0, 1) for x in (query, key, value))
        found: Tensor = _Packed.apply(*packed, self, scale)  # type: ignore[no-untyped-call]
        return found[None]

    def _block_mask(self, device: torch.device) -> BlockMask:
        """Return the row's block mask, made once for all layers."""
        if device not in self._masks:
            self._masks[device] = flex.Spans.of(self, device).block_mask()
        return self._masks[device]


class _Packed(torch.autograd.Function):
    """Packed attention with its own backward, so that each kernel sees the merged output and log-sum-exp."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, layout: PackedLayout, scale: float) -> Tensor:
        out = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        norms: list[Tensor] = []
        for rect in layout.sequences:
            part, norm = attend(rect.take(query), rect.take(key), rect.take(value), causal=True, scale=scale)
            out[rect.start : rect.stop] = rect.tokens(part)
            norms.append(norm)
        for branch in layout.branches:
            rows, above = branch.completions, branch.prompts
            q = rows.take(query)
            own, own_norm = attend(q, rows.take(key), rows.take(value), causal=True, scale=scale)
            shared, norm = attend(branch.fold(q), above.take(key), above.take(value), causal=False, scale=scale)
            shared, norm = branch.unfold(shared), branch.unfold(norm[..., None])[..., 0]
            part, norm = merge(own, own_norm, shared, norm)
            out[rows.start : rows.stop] = rows.tokens(part)
            norms.append(norm)
        ctx.save_for_backward(query, key, value, out, *norms)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, *norms = ctx.saved_tensors
        layout: PackedLayout = ctx.layout
        given = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for rect, norm in zip(layout.sequences, norms, strict=False):
            packed = rect.take(query), rect.take(key), rect.take(value)
            parts = attend_backward(rect.spread(grad), *packed, rect.take(out), norm, causal=True, scale=ctx.scale)
            for total, part in zip(given, parts, strict=True):
                total[rect.start : rect.stop] += rect.tokens(part)
        for branch, norm in zip(layout.branches, norms[len(layout.sequences) :], strict=True):
            rows, above = branch.completions, branch.prompts
            q, o, g = rows.take(query), rows.take(out), rows.spread(grad)
            own = attend_backward(g, q, rows.take(key), rows.take(value), o, norm, causal=True, scale=ctx.scale)
            folded = branch.fold(g), branch.fold(q), above.take(key), above.take(value), branch.fold(o)
            shared = attend_backward(*folded, branch.fold(norm[..., None])[..., 0], causal=False, scale=ctx.scale)
            for total, part in zip(given, own, strict=True):
                total[rows.start : rows.stop] += rows.tokens(part)
            given[0][rows.start : rows.stop] += rows.tokens(branch.unfold(shared[0]))
            for total, part in zip(given[1:], shared[1:], strict=True):
                total[above.start : above.stop] += above.tokens(part)
        return *given, None, None


def rectangles(lengths: Sequence[int], device: torch.device, *, start: int = 0) -> tuple[Rectangle, ...]:
    """Return rectangles over rows of these lengths, in order, cutting where padding would waste more than `WASTE`."""
    found: list[Rectangle] = []
    begin = 0
    for end in range(1, len(lengths) + 1):
        row = lengths[begin : end + 1]
        if end < len(lengths) and max(row) * len(row) <= WASTE * sum(row):
            continue
        found.append(Rectangle.of(start, lengths[begin:end], device))
        start, begin = found[-1].stop, end
    return tuple(found)
