"""Keys and values of a wave of groups: what several rows read once, each completion's own; and attention over both.

Shapes: n prompts of a block, P keys of its longest, B rows (completions in the batch), S rows of the largest group,
H query heads, K key/value heads, H = K * R, D head size, C tokens a row can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reelgym.models.attention import PackedLayout, Rectangle
from reelgym.models.kernels import attend, merge

ROOM = 32
"""Tokens of a completion for which room is made at first; doubled when full."""


class Prefill:
    """Attends as a packed layout and keeps each layer's keys and values."""

    def __init__(self, layout: PackedLayout) -> None:
        """Prepare for one forward pass of the packed row that `layout` describes."""
        self.layout = layout
        self.keys: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, scale: float) -> Tensor:
        """Return (1, N, H, D); key and value (1, K, N, D) are kept."""
        self.keys[layer], self.values[layer] = key[0].transpose(0, 1), value[0].transpose(0, 1)
        return self.layout.attend(layer, query, key, value, scale=scale)


@dataclass(eq=False)
class _Block:
    """Prompts side by side: per layer (n, K, P, D), and how many rows of the batch each still has."""

    keys: dict[int, Tensor]
    values: dict[int, Tensor]
    mask: Tensor | None
    """(n, 1, 1, P), -inf after each prompt's end; None where all are P long."""
    members: list[int]

    def __post_init__(self) -> None:
        self.slots = max(self.members)
        self.cells: Tensor | None = None
        self.rows: Tensor | None = None
        if min(self.members) < self.slots:
            counts = torch.tensor(self.members)
            inside = torch.arange(self.slots)[None, :] < counts[:, None]
            places = (torch.cumsum(counts, 0) - counts)[:, None] + torch.arange(self.slots)[None, :]
            device = next(iter(self.keys.values())).device
            self.rows = torch.where(inside, places, 0).flatten().to(device)
            self.cells = inside.flatten().nonzero()[:, 0].to(device)

    def attend(self, layer: int, query: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Return (b, K, R, D) and (b, K, R) for this block's rows, query (b, K, R, D)."""
        key = self.keys[layer]
        n, heads, _, size = key.shape
        repeats = query.shape[2]
        cells = query if self.rows is None else query.index_select(0, self.rows)
        folded = cells.view(n, self.slots, heads, repeats, size).transpose(1, 2).reshape(n, heads, -1, size)
        out, norm = attend(folded, key, self.values[layer], causal=False, scale=scale, mask=self.mask)
        out = out.reshape(n, heads, self.slots, repeats, size).transpose(1, 2).reshape(-1, heads, repeats, size)
        norm = norm.reshape(n, heads, self.slots, repeats).transpose(1, 2).reshape(-1, heads, repeats)
        if self.cells is None:
            return out, norm
        return out.index_select(0, self.cells), norm.index_select(0, self.cells)

    def keep(self, members: list[int]) -> _Block | None:
        """Return the block with so many rows left per prompt; prompts without rows leave, None if all do."""
        if not any(members):
            return None
        if all(members):
            return _Block(self.keys, self.values, self.mask, members)
        left = torch.tensor([place for place, count in enumerate(members) if count])
        left = left.to(next(iter(self.keys.values())).device)
        keys = {layer: tensor.index_select(0, left) for layer, tensor in self.keys.items()}
        values = {layer: tensor.index_select(0, left) for layer, tensor in self.values.items()}
        mask = None if self.mask is None else self.mask.index_select(0, left)
        return _Block(keys, values, mask, [count for count in members if count])


@dataclass(frozen=True, eq=False)
class Held:
    """Texts of the packed row that a cache takes over.

    Attributes:
        rect: Where they stand.
        lengths: Their tokens.
        members: How many rows of the batch attend to each.
    """

    rect: Rectangle
    lengths: Sequence[int]
    members: Sequence[int]


class GroupCache:
    """A layout for one new token per row: over what the row shares with others and over the row itself.

    Rows stand group by group in the order of what is held. All rows hold equally many tokens of their own, `length`;
    after a forward pass the caller adds 1 to it.
    """

    def __init__(self, prefill: Prefill, levels: Sequence[Sequence[Held]]) -> None:
        """Take over keys and values.

        Args:
            prefill: After its forward pass.
            levels: Of each, what all rows attend to in their order: prompts alone, or shared prefixes and then ends.
        """
        self.length = 0
        self._own: dict[int, tuple[Tensor, Tensor]] = {}
        self._levels = [[_taken(prefill, held) for held in level] for level in levels]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, scale: float) -> Tensor:
        """Return (B, 1, H, D) from query (B, H, 1, D), key and value (B, K, 1, D), which join the rows' own."""
        rows, heads, _, size = key.shape
        keys, values = self._room(layer, key)
        stop = self.length + 1
        keys[:, :, self.length] = key[:, :, 0]
        values[:, :, self.length] = value[:, :, 0]
        grouped = query.reshape(rows, heads, -1, size)
        found, norm = attend(grouped, keys[:, :, :stop], values[:, :, :stop], causal=False, scale=scale)
        for blocks in self._levels:
            parts = []
            start = 0
            for block in blocks:
                end = start + sum(block.members)
                parts.append(block.attend(layer, grouped[start:end], scale))
                start = end
            shared = parts[0] if len(parts) == 1 else [torch.cat(part) for part in zip(*parts, strict=True)]
            found, norm = merge(found, norm, *shared)
        return found.reshape(rows, 1, -1, size)

    def keep(self, alive: Tensor) -> None:
        """Let the rows where `alive` (B,) is False leave the batch."""
        places = alive.nonzero()[:, 0]
        for layer, (keys, values) in self._own.items():
            self._own[layer] = keys.index_select(0, places), values.index_select(0, places)
        for level, blocks in enumerate(self._levels):
            flags = torch.split(alive, [count for block in blocks for count in block.members])
            left = iter([int(flag.sum()) for flag in flags])
            kept = [block.keep([next(left) for _ in block.members]) for block in blocks]
            self._levels[level] = [block for block in kept if block is not None]

    def _room(self, layer: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows' own keys and values, (B, K, C, D) each with C above `length`."""
        if layer not in self._own:
            shape = (*like.shape[:2], ROOM, like.shape[3])
            self._own[layer] = like.new_empty(shape), like.new_empty(shape)
        keys, values = self._own[layer]
        if keys.shape[2] == self.length:
            keys, values = (torch.cat([tensor, torch.empty_like(tensor)], 2) for tensor in (keys, values))
            self._own[layer] = keys, values
        return keys, values


def _taken(prefill: Prefill, held: Held) -> _Block:
    keys = {layer: held.rect.take(tensor).contiguous() for layer, tensor in prefill.keys.items()}
    values = {layer: held.rect.take(tensor).contiguous() for layer, tensor in prefill.values.items()}
    return _Block(keys, values, _ends(held.rect, held.lengths, keys[0]), list(held.members))


def _ends(rect: Rectangle, lengths: Sequence[int], like: Tensor) -> Tensor | None:
    if rect.index is None:
        return None
    after = torch.arange(rect.width)[None, :] >= torch.tensor(list(lengths))[:, None]
    mask = torch.zeros(rect.rows, rect.width, dtype=like.dtype).masked_fill_(after, -torch.inf)
    return mask[:, None, None, :].to(like.device)
