"""Prompts that show the same media: what they begin with is read once, and each prompt's own end beside it.

Shapes: N tokens of the packed row, Q prompts of a wave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reelgym.models.attention import Branch, PackedLayout, Rectangle, rectangles
from reelgym.rollout.cache import Held

if TYPE_CHECKING:
    from reelgym.models.base import Features, Prompt


@dataclass(frozen=True)
class Prefix:
    """What some prompts have in common.

    Attributes:
        places: Of the prompts.
        tokens: How many they share, all their media among them; each has at least one more. 0: nothing is shared.
    """

    places: tuple[int, ...]
    tokens: int

    def cut(self, most: int) -> list[Prefix]:
        """Return the same with at most so many prompts in each."""
        runs = [self.places[start : start + most] for start in range(0, len(self.places), most)]
        return [Prefix(run, self.tokens) for run in runs]


def prefixes(prompts: Sequence[Prompt], placeholders: Tensor) -> list[Prefix]:
    """Return every prompt's place in one prefix; those of one shape stand side by side, those that share none last.

    Tokens are shared where prompts show the very same images and clips, and ids and positions agree up to and with the
    last of them.

    Args:
        prompts: To look at.
        placeholders: (K,) ids that stand for features.
    """
    alike: dict[object, list[int]] = {}
    for place, prompt in enumerate(prompts):
        alike.setdefault(_head(prompt, placeholders) or place, []).append(place)
    found = []
    for places in alike.values():
        if len(places) > 1:
            found.append(Prefix(tuple(places), _common([prompts[place] for place in places])))
        else:
            found.append(Prefix((places[0],), 0))

    def shape(prefix: Prefix) -> tuple[bool, int, int]:
        return not prefix.tokens, prefix.tokens or len(prompts[prefix.places[0]]), len(prefix.places)

    return sorted(found, key=shape)


def shown(prompt: Prompt) -> object:
    """Return what tells the media of a prompt from others; None without media, or where their names are not known."""
    if not prompt.grids or any(len(prompt.names.get(kind, ())) != len(prompt.grids[kind]) for kind in prompt.grids):
        return None
    return tuple((kind, prompt.names[kind], str(prompt.grids[kind].tolist())) for kind in sorted(prompt.grids))


def _head(prompt: Prompt, placeholders: Tensor) -> object:
    """Return what a prompt is up to its last medium; None where that is not known, or where nothing follows."""
    media = shown(prompt)
    stop = int(torch.isin(prompt.ids, placeholders).nonzero().max()) + 1 if media else len(prompt)
    if stop == len(prompt):
        return None
    return media, prompt.ids[:stop].numpy().tobytes(), prompt.positions[:, :stop].numpy().tobytes()


def _common(prompts: Sequence[Prompt]) -> int:
    """Return how many tokens all prompts begin with alike, one less than the shortest at most."""
    most = min(len(prompt) for prompt in prompts) - 1
    first = prompts[0]
    alike = torch.ones(most, dtype=torch.bool)
    for prompt in prompts[1:]:
        alike &= prompt.ids[:most] == first.ids[:most]
        alike &= (prompt.positions[:, :most] == first.positions[:, :most]).all(0)
    return int(alike.long().cumprod(0).sum())


@dataclass(frozen=True, eq=False)
class PackedRow:
    """A wave as one packed row.

    Attributes:
        ids: (N,) int64.
        positions: (3, N) int64.
        features: In the row's order.
        layout: Who attends to whom.
        last: (Q,) where each prompt's last token stands.
        held: What the cache takes over.
    """

    ids: Tensor
    positions: Tensor
    features: list[Features]
    layout: PackedLayout
    last: Tensor
    held: tuple[tuple[Held, ...], ...]


def order(found: Sequence[Prefix]) -> list[int]:
    """Return the places of all prompts in the order in which a shared row holds them."""
    return [place for prefix in found for place in prefix.places]


def plain_row(
    prompts: Sequence[Prompt], features: Sequence[Features], found: Sequence[Prefix], n: int, device: torch.device
) -> PackedRow:
    """Return the row of prompts one after the other; arguments as for `shared_row`, no prefix holds a token."""
    del found
    lengths = [len(prompt) for prompt in prompts]
    sequences = rectangles(lengths, device)
    left = iter(lengths)
    held = tuple(Held(rect, [next(left) for _ in range(rect.rows)], [n] * rect.rows) for rect in sequences)
    return PackedRow(
        ids=torch.cat([prompt.ids for prompt in prompts]).to(device),
        positions=torch.cat([prompt.positions for prompt in prompts], 1).to(device),
        features=list(features),
        layout=PackedLayout(sequences),
        last=torch.tensor(lengths, device=device).cumsum(0) - 1,
        held=(held,),
    )


def shared_row(
    prompts: Sequence[Prompt], features: Sequence[Features], found: Sequence[Prefix], n: int, device: torch.device
) -> PackedRow:
    """Return the row that holds every prefix once, then the ends of its prompts as branches.

    Args:
        prompts: Of the wave, in the order of `order`.
        features: Theirs; of a prefix those of its first prompt are taken.
        found: Prefixes, those of one shape side by side; their places count through `prompts`.
        n: Completions of each prompt.
        device: Of the model.
    """
    tokens = [prefix.tokens or len(prompts[prefix.places[0]]) - 1 for prefix in found]
    shape = [(count, len(prefix.places)) for count, prefix in zip(tokens, found, strict=True)]
    runs = [list(run) for _, run in groupby(range(len(found)), key=lambda at: shape[at])]
    heads = [(prompts[found[at].places[0]], tokens[at]) for run in runs for at in run]
    ends = [(prompts[place], tokens[at]) for run in runs for at in run for place in found[at].places]
    start, stop = 0, sum(count for _, count in heads)
    branches, above, below, lasts = [], [], [], []
    for run in runs:
        count, members = shape[run[0]]
        own = [len(prompts[place]) - count for at in run for place in found[at].places]
        branch = Branch(Rectangle.of(start, [count] * len(run), device), Rectangle.of(stop, own, device))
        branches.append(branch)
        above.append(Held(branch.prompts, [count] * len(run), [members * n] * len(run)))
        below.append(Held(branch.completions, own, [n] * len(own)))
        lasts.append(stop + torch.tensor(own).cumsum(0) - 1)
        start, stop = start + count * len(run), stop + sum(own)
    pieces = [(prompt, slice(0, count)) for prompt, count in heads]
    pieces += [(prompt, slice(count, None)) for prompt, count in ends]
    return PackedRow(
        ids=torch.cat([prompt.ids[part] for prompt, part in pieces]).to(device),
        positions=torch.cat([prompt.positions[:, part] for prompt, part in pieces], 1).to(device),
        features=[features[prefix.places[0]] for prefix in found],
        layout=PackedLayout(tuple(branch.prompts for branch in branches), tuple(branches)),
        last=torch.cat(lasts).to(device),
        held=(tuple(above), tuple(below)),
    )
