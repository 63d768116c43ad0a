"""Answers that need no understanding: what any question is asked to see whether it can be solved without looking.

These work from a sample's messages and the form of its answer; a task's own `baselines` come on top and win where they
have the same name. They answer questions whose answer is a list of numbers of images or clips of the prompt:

* order_by_similarity: the smoothest chain through the items, from and to the frames shown beside them; of single
  choices, the item most like the frames shown, or else least like the other items.
* boundary_matching: the same from the last frame of one item to the first of the next, pixel by pixel.
* context_free: the smoothest chain of the items alone; of single choices, the item most like the others.
* by_brightness: items by light, dark first; of single choices, the one nearest in light to the frames shown, or else
  the one farthest from the middle of all.
* by_noise: the same for fine noise, which tells how an encoder spent its bits.
* first: the first items as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from math import perm

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample
from reelgym.tasks.base import MediaReader, Task
from reelgym.video import GridDescriptor

MOST_CHAINS = 50_000
"""Orders that are tried; a question with more of them is left to its task's own baselines."""

_SMALL = 16

Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the shortcuts see: (n, D) first and last frames of the items; the frames shown beside them, if any."""

    first: Rows
    last: Rows
    before: Rows | None
    after: Rows | None
    light: Rows
    noise: Rows
    shown: tuple[float, float] | None


def replies(task: Task, sample: Sample, media: MediaReader) -> dict[str, str]:
    """Return the replies of all shortcuts to one sample, by name: the generic ones that apply, and its task's own."""
    once = _Once(media)
    found = {}
    for name, answer in generic(sample, once).items():
        found[name] = task.gold(replace(sample, answer=list(answer)))
    return found | task.baselines(sample, once)


class _Once:
    """Reads every part of a sample once: edits cost more than all shortcuts together."""

    def __init__(self, media: MediaReader) -> None:
        self._media = media
        self._read: dict[Image | Clip, NDArray[np.uint8]] = {}

    def __call__(self, part: Image | Clip) -> NDArray[np.uint8]:
        if part not in self._read:
            self._read[part] = self._media(part)
        return self._read[part]


def generic(sample: Sample, media: MediaReader) -> dict[str, tuple[int, ...]]:
    """Return the answers of the generic shortcuts; none where the answer is of another form."""
    split = _items(sample)
    if split is None:
        return {}
    items, context = split
    count = len(sample.answer)
    grid, pixels = _scene(items, context, media)
    first = {"first": tuple(range(1, count + 1))}
    if count == 1:
        return {name: (int(place) + 1,) for name, place in _chosen(grid, pixels).items()} | first
    if perm(len(items), count) > MOST_CHAINS:
        return first
    orders = {
        "order_by_similarity": _chain(grid, count, even=True),
        "boundary_matching": _chain(pixels, count),
        "context_free": _chain(replace(grid, before=None, after=None), count, even=True),
        "by_brightness": tuple(int(place) for place in np.argsort(grid.light, kind="stable")[:count]),
        "by_noise": tuple(int(place) for place in np.argsort(grid.noise, kind="stable")[:count]),
    }
    return {name: tuple(place + 1 for place in order) for name, order in orders.items()} | first


def _items(sample: Sample) -> tuple[list[Image | Clip], list[Image | Clip]] | None:
    """Return what the answer numbers, and what else is shown; None where it numbers nothing of the prompt."""
    answer = sample.answer
    if not isinstance(answer, list) or not answer or not all(type(number) is int for number in answer):
        return None
    parts = [part for message in sample.messages for part in message.parts if isinstance(part, Image | Clip)]
    images = [part for part in parts if isinstance(part, Image)]
    said = sample.evidence.get("pool", len(sample.evidence.get("closeness", ())))
    count = int(said) or len(images) or len(parts)
    if "options" in sample.evidence or not 2 <= count <= len(parts) or len(set(answer)) != len(answer):
        return None
    items = list(images) if len(images) == count else parts[-count:]
    if not all(1 <= number <= count for number in answer):
        return None
    return list(items), [part for part in parts if not any(part is item for item in items)]


def _scene(items: Sequence[Image | Clip], context: Sequence[Image | Clip], media: MediaReader) -> tuple[_Scene, _Scene]:
    """Return the scene twice, rows by the coarse grid and rows by pixels; dot products say how alike."""
    pixels = [media(part) for part in items]
    shown = [media(part) for part in context[:2]]
    # The frames beside the gap: the last of what is shown first, the first of what is shown second.
    sides = [shown[0][-1:] if shown else None, shown[1][:1] if len(shown) > 1 else None]
    light = np.array([part.mean() for part in pixels])
    noise = np.array([_noise(part) for part in pixels])
    levels = None
    if shown:
        levels = float(np.mean([part.mean() for part in shown])), float(np.mean([_noise(part) for part in shown]))

    def scene(described: _Described) -> _Scene:
        # Items of one size are described at once.
        ends = [part[[0, -1]] for part in pixels]
        alike = len({part.shape for part in ends}) == 1
        rows = described(np.concatenate(ends)) if alike else np.concatenate([described(part) for part in ends])
        first, last = rows[0::2], rows[1::2]
        before, after = (None if side is None else described(side)[0] for side in sides)
        return _Scene(first, last, before, after, light, noise, levels)

    return scene(_Described(grid=True)), scene(_Described(grid=False))


@dataclass(frozen=True)
class _Described:
    """Describes frames by the grid of `GridDescriptor`, or by 16 x 16 pixels; rows of length 1."""

    grid: bool

    def __call__(self, pixels: NDArray[np.uint8]) -> Rows:
        if self.grid:
            return GridDescriptor().describe(pixels).astype(np.float64)
        height, width = pixels.shape[1:3]
        rows, columns = ((np.arange(_SMALL) * side) // _SMALL for side in (height, width))
        flat = pixels[:, rows[:, None], columns[None]].reshape(len(pixels), -1).astype(np.float64) - 127.5
        return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9))


def _chain(scene: _Scene, count: int, *, even: bool = False) -> tuple[int, ...]:
    """Return the smoothest chain of `count` items, the smallest one where several are; `even` counts both ways."""
    joints = scene.last @ scene.first.T
    joints = (joints + joints.T) / 2 if even else joints
    chains = _chains(len(joints), count)
    total = np.zeros(len(chains))
    for left, right in zip(chains.T[:-1], chains.T[1:], strict=True):
        total += joints[left, right]
    if scene.before is not None:
        total += (scene.first @ scene.before)[chains[:, 0]]
    if scene.after is not None:
        total += (scene.last @ scene.after)[chains[:, -1]]
    return tuple(int(place) for place in chains[int(np.argmax(total.round(5)))])


def _chosen(grid: _Scene, pixels: _Scene) -> dict[str, int]:
    """Return the single item that each shortcut takes."""
    alike = (grid.first @ grid.first.T + grid.last @ grid.last.T) / 2
    others = (alike.sum(axis=1) - np.diag(alike)).round(5)
    if grid.shown is None or grid.before is None or pixels.before is None:
        light, noise = (-np.abs(values - np.median(values)) for values in (grid.light, grid.noise))
        joints = pixels.last @ pixels.first.T
        near = joints.sum(axis=0) + joints.sum(axis=1) - 2 * np.diag(joints)
        scores = {"order_by_similarity": -others, "boundary_matching": -near.round(5)}
    else:
        light, noise = (np.abs(v - at) for v, at in zip((grid.light, grid.noise), grid.shown, strict=True))
        scores = {"order_by_similarity": grid.first @ grid.before, "boundary_matching": pixels.first @ pixels.before}
    scores |= {"context_free": others, "by_brightness": -light, "by_noise": -noise}
    return {name: int(np.argmax(np.round(values, 5))) for name, values in scores.items()}


def _noise(pixels: NDArray[np.uint8]) -> float:
    """Return the median difference of a pixel from the mean of its four neighbours: noise, hardly edges."""
    grey = pixels.astype(np.float32).mean(axis=-1)
    if min(grey.shape[1:]) < 3:
        return 0.0
    around = (grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]) / 4
    return float(np.median(np.abs(grey[:, 1:-1, 1:-1] - around)))


@lru_cache(maxsize=16)
def _chains(pool: int, count: int) -> NDArray[np.int8]:
    return np.array(list(permutations(range(pool), count)), dtype=np.int8)
