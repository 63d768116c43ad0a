"""The packed row: every prompt once, its completions as branches, no padding, and which hidden state predicts what.

Shapes: N tokens of the row, M written tokens of all completions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reelgym.models.attention import Branch, PackedLayout, Rectangle, rectangles
from reelgym.training.items import Continuation, PackItem

if TYPE_CHECKING:
    from reelgym.models.base import Features


@dataclass(frozen=True, eq=False)
class Row:
    """All prompts (with their completion where it is the only one), then all branches."""

    ids: Tensor
    """(N,) int64."""
    positions: Tensor
    """(3, N) int64."""
    layout: PackedLayout
    features: list[Features]
    """Of the media in the row, in its order."""
    sources: Tensor
    """(M,): the token whose hidden state predicts each written token, in the order of the items."""


def pack(items: Sequence[PackItem], device: torch.device) -> Row:
    """Return the row of `items`, equal shapes side by side."""
    row = _Builder(items, device)
    order = sorted(range(len(items)), key=row.shape)
    sequences = rectangles([row.prompt(place) for place in order], device)
    runs = [list(run) for (branches, *_), run in groupby(order, key=row.shape) if branches]
    found = [row.branch(places) for places in runs]
    branches = tuple(branch for branch in found if branch is not None)
    members = [(place, member) for place, group in enumerate(row.completions) for member in range(len(group))]
    return Row(
        ids=torch.cat(row.ids),
        positions=torch.cat(row.positions, 1),
        layout=PackedLayout(sequences, branches),
        features=row.features,
        sources=torch.cat([row.sources[key] for key in members]).to(device),
    )


class _Builder:
    """Grows a row: first every prompt, then the branches. A last token predicts nothing and may stay out."""

    def __init__(self, items: Sequence[PackItem], device: torch.device) -> None:
        self.device = device
        self.items = items
        self.completions = [[Continuation.of(completion) for completion in item.completions] for item in items]
        self.ids: list[Tensor] = []
        self.positions: list[Tensor] = []
        self.features: list[Features] = []
        self.total = 0
        self.starts: dict[int, int] = {}
        """Where the prompt of each place begins."""
        self.sources: dict[tuple[int, int], Tensor] = {}

    def shape(self, place: int) -> tuple[bool, int, int]:
        """Return (branches, length, members): items of one shape stand side by side and share kernel calls."""
        length, group = len(self.items[place].prompt), self.completions[place]
        return (True, length, len(group)) if len(group) != 1 else (False, length + len(group[0]), 1)

    def prompt(self, place: int) -> int:
        """Append a prompt, and its completion if it is the only one; return the tokens appended."""
        begin, item = self.total, self.items[place]
        self.starts[place] = begin
        self._append(item.prompt.ids, item.prompt.positions, item.features)
        if len(self.completions[place]) == 1:
            self._completion(place, 0)
        return self.total - begin

    def branch(self, places: Sequence[int]) -> Branch | None:
        """Append the completions of items of one shape; None where they hold no token."""
        begin = self.total
        rows = [self._completion(place, member) for place in places for member in range(len(self.completions[place]))]
        if self.total == begin:
            return None
        prompts = [len(self.items[place].prompt) for place in places]
        return Branch(
            Rectangle.of(self.starts[places[0]], prompts, self.device), Rectangle.of(begin, rows, self.device)
        )

    def _completion(self, place: int, member: int) -> int:
        completion, prompt = self.completions[place][member], self.items[place].prompt
        tokens, begin = completion.tokens, self.total
        # With media in it the last token may stand for a feature, which needs its place.
        inner = len(tokens) if completion.features else max(len(tokens) - 1, 0)
        self._append(tokens.ids[:inner], tokens.positions[:, :inner] + prompt.next_position, completion.features)
        first = torch.full((min(len(tokens), 1),), self.starts[place] + len(prompt) - 1)
        before = torch.cat([first, begin + torch.arange(max(len(tokens) - 1, 0))])
        self.sources[place, member] = before[completion.written.cpu()]
        return inner

    def _append(self, ids: Tensor, positions: Tensor, features: Features | None) -> None:
        self.ids.append(ids.to(self.device))
        self.positions.append(positions.to(self.device))
        self.features += [features] if features is not None else []
        self.total += len(ids)
