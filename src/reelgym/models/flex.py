"""Packed attention as one block-sparse kernel: torch's flex_attention, compiled, on a GPU with Triton.

The block mask is made from the spans that each token sees, never from an (N, N) mask. Chosen by device; on a CPU the
same code runs without a compiler in the tests, which hold its values to the split form of `attention`. It has not been
run on a GPU yet, and its gradients nowhere: torch has them on GPUs only.

Reference: Dong et al., Flex Attention, arXiv 2412.05496.

Shapes: N tokens of the packed row, H query heads, K key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.utils._triton import has_triton

if TYPE_CHECKING:
    from reelgym.models.attention import PackedLayout

BLOCK = 128
"""Tokens of a block, of queries and of keys."""

ROWS = 32
"""Blocks of queries looked at together while the block mask is made: bounds its memory to 4096 x N / 128 cells."""


def chosen(device: torch.device) -> bool:
    """Return whether packed attention on this device is one block-sparse kernel."""
    return device.type == "cuda" and has_triton()


def attend(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, *, scale: float) -> Tensor:
    """Return (1, N, H, D) from query (1, H, N, D), key and value (1, K, N, D)."""
    found = _kernel(query.device.type)(query, key, value, block_mask=mask, scale=scale, enable_gqa=True)
    return found.transpose(1, 2)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Spans:
    """What each of N tokens sees, all (N,) int64: [begin, itself], and [above, until) where it is of a branch."""

    begin: Tensor
    above: Tensor
    until: Tensor

    @staticmethod
    def of(layout: PackedLayout, device: torch.device) -> Spans:
        """Return the spans of a packed row."""
        tokens = max(part.stop for part in (*layout.sequences, *(branch.completions for branch in layout.branches)))
        begin, above, until = (torch.zeros(tokens, dtype=torch.int64, device=device) for _ in range(3))
        for part in (*layout.sequences, *(branch.completions for branch in layout.branches)):
            cells = torch.arange(part.stop - part.start, device=device) if part.cells is None else part.cells
            place = torch.arange(part.start, part.stop, device=device)
            begin[part.start : part.stop] = place - cells % part.width
        for branch in layout.branches:
            part, prompts = branch.completions, branch.prompts
            cells = torch.arange(part.stop - part.start, device=device) if part.cells is None else part.cells
            group = cells // part.width // (part.rows // prompts.rows)
            above[part.start : part.stop] = prompts.start + group * prompts.width
            until[part.start : part.stop] = prompts.start + (group + 1) * prompts.width
        return Spans(begin, above, until)

    def block_mask(self) -> BlockMask:
        """Return the mask in blocks: which are empty, which are whole, and a rule for the rest."""
        tokens, device = len(self.begin), self.begin.device
        begin, above, until = self.begin, self.above, self.until
        starts = torch.arange(0, tokens, BLOCK, device=device)
        stops = (starts + BLOCK).clamp(max=tokens)
        some, whole = [], []
        for first in range(0, len(starts), ROWS):
            token = torch.arange(first * BLOCK, min((first + ROWS) * BLOCK, tokens), device=device)[:, None]
            own, start, stop = begin[token], above[token], until[token]
            seen = (own < stops) & (starts <= token) | (start < stops) & (starts < stop)
            full = (own <= starts) & (stops - 1 <= token) | (start <= starts) & (stops <= stop)
            some.append(_blocks(seen, fill=False).any(1))
            whole.append(_blocks(full, fill=True).all(1))
        full_blocks = torch.cat(whole)
        partial, partial_count = _listed(torch.cat(some) & ~full_blocks)
        full_places, full_count = _listed(full_blocks)

        def visible(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
            return (k >= begin[q]) & (k <= q) | (k >= above[q]) & (k < until[q])

        return BlockMask.from_kv_blocks(
            partial_count, partial, full_count, full_places, BLOCK_SIZE=BLOCK, mask_mod=visible,
            seq_lengths=(tokens, tokens),
        )  # fmt: skip


def _blocks(seen: Tensor, *, fill: bool) -> Tensor:
    """Return (blocks of queries, BLOCK, blocks of keys) from (queries, blocks of keys), the last block filled up."""
    missing = -len(seen) % BLOCK
    padded = torch.cat([seen, seen.new_full((missing, seen.shape[1]), fill)])
    return padded.view(-1, BLOCK, seen.shape[1])


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each row of blocks (Q, K) bool the places of those that are set, first, and their number."""
    places = torch.argsort(blocks.int(), dim=1, descending=True, stable=True)
    return places.int()[None, None], blocks.sum(1).int()[None, None]


@cache
def _kernel(device_type: str) -> Callable[..., Any]:
    kernel: Callable[..., Any] = flex_attention
    return kernel if device_type == "cpu" else torch.compile(kernel, dynamic=True)
