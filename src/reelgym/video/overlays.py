"""What was drawn over a picture and tells the order of frames: clocks and counters, progress bars; logos and captions.

All of it is told from what natural pictures do not do. A digit takes few states, changes at a steady beat and comes
back pixel for pixel; a progress bar's pixels change once each, one column after another; a logo's edges stay where
they are while everything else changes; a caption is hard bright strokes on a row that hold still and then are others.
All numbers are ours, chosen on rendered clocks and the real clips. Transparent digits over a busy picture, letters
smaller than about a twentieth of the height, and words spoken or shown once are missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.video.spans import luma
from reelgym.video.types import Frames

Kind = Literal["clock", "progress", "logo", "caption"]

SIDE = 144
"""Short side in pixels of the frames that overlays are looked for in."""

FEWEST = 12
"""Frames below which nothing is said."""

_CELL = 6
_CONTRAST = 60.0
_STEP = 40.0
_HELD = 0.08
"""Share of a cell's pixels that may differ between two showings of one digit: coding noise."""

_TONE = 16.0
"""How much ink and ground may vary over time, as a standard deviation of grey levels."""

Box = tuple[float, float, float, float]
Cells = NDArray[np.float32]


@dataclass(frozen=True)
class Overlay:
    """Something drawn over the picture.

    Attributes:
        kind: `clock` (also counters), `progress`, `logo` (never changes), `caption` (changes now and then).
        box: Left, top, right, bottom as shares of width and height.
        beat_seconds: Time between two changes of its fastest part; 0 where it has none.
    """

    kind: Kind
    box: Box
    beat_seconds: float = 0.0

    @property
    def leaks_order(self) -> bool:
        """Whether it tells which of two frames came first."""
        return self.kind in ("clock", "progress")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"box": list(self.box)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Overlay:
        """Return the overlay written by `to_json`."""
        left, top, right, bottom = value["box"]
        return Overlay(value["kind"], (left, top, right, bottom), value["beat_seconds"])


def overlays(frames: Frames) -> list[Overlay]:
    """Return what was drawn over a video: at most one of each kind.

    Args:
        frames: At a steady rate, about `SIDE` pixels high; fewer than `FEWEST` different times give nothing.
    """
    fresh = np.flatnonzero(np.diff(frames.times, prepend=-1.0) > 0)
    if len(fresh) < FEWEST:
        return []
    bright = luma(frames.pixels[fresh])
    step = float(np.median(np.diff(frames.times[fresh])))
    found = (_clock(bright, step), _progress(frames.pixels[fresh], step), _logo(bright), _caption(bright))
    return [overlay for overlay in found if overlay is not None]


def _clock(bright: Cells, step: float) -> Overlay | None:
    """Return the digits that change at a steady beat, with the standing digits beside them."""
    cells = _cells(bright)
    high, low = cells.max(axis=-1), cells.min(axis=-1)
    written = ((high - low) > _CONTRAST).mean(axis=0) > 0.9
    ticking = np.zeros_like(written)
    beats: list[float] = []
    for row, column in np.argwhere(written):
        beat = _beat(cells[:, row, column])
        if beat is not None:
            ticking[row, column] = True
            beats.append(beat)
    if not ticking.any():
        return None
    together = max(_groups(ticking), key=len)
    rows = {row for row, _ in together}
    # The digits that tick more slowly stand in the same rows, joined by contrast.
    lines = np.zeros_like(written)
    lines[sorted(rows)] = written[sorted(rows)]
    joined = max(_groups(lines), key=lambda group: len(set(group) & set(together)))
    return Overlay("clock", _box(joined, bright.shape), round(min(beats) * step, 3))


def _beat(cell: Cells) -> float | None:
    """Return the frames between two changes of a cell that behaves like a digit, else None.

    It must be black-and-white and change steadily between 3 to 12 states, and either stand still in between or show
    the same states again in the same order.
    """
    high, low = cell.max(axis=1), cell.min(axis=1)
    if max(high.std(), low.std()) > _TONE:
        return None
    ink = cell > (np.median(high) + np.median(low)) / 2
    changed = (ink[1:] != ink[:-1]).mean(axis=1) > _HELD
    when = np.flatnonzero(changed)
    if len(when) < 4:
        return None
    pauses = np.diff(when)
    if pauses.max() - pauses.min() > 1:
        return None
    told = _told(ink[np.r_[0, when + 1]])
    if told is None or len(set(told)) < 3:
        return None
    # Standing still between steady changes is as telling as showing the same digit again.
    stands = len(when) >= 5 and pauses.min() >= 3
    again = len(told) - len(set(told)) >= max(2, len(when) // 4) and _repeats(told)
    return float(pauses.mean()) if stands or again else None


def _told(pictures: NDArray[np.bool_]) -> list[int] | None:
    """Return the number of each picture's state, None where there are more than a digit has."""
    states: list[NDArray[np.bool_]] = []
    numbers = []
    for picture in pictures:
        known = next((n for n, state in enumerate(states) if (picture != state).mean() <= _HELD), len(states))
        if known == len(states):
            states.append(picture)
        if len(states) > 12:
            return None
        numbers.append(known)
    return numbers


def _repeats(states: list[int]) -> bool:
    """Say whether a state is mostly followed by the same one, as a 4 by a 5."""
    following: dict[int, list[int]] = {}
    for state, after in pairwise(states):
        following.setdefault(state, []).append(after)
    known = [later for later in following.values() if len(later) > 1]
    usual = sum(max(map(later.count, later)) for later in known)
    return usual >= 0.6 * sum(map(len, known)) > 0


def _progress(pixels: NDArray[np.uint8], step: float) -> Overlay | None:
    """Return the rows in which columns change once each, one after another, over a fifth of the width or more."""
    height, width = pixels.shape[1:3]
    steps = _far(pixels[1:], pixels[:-1])
    once = steps.sum(axis=0, dtype=np.int16) == 1
    rows = []
    for row in np.flatnonzero(once.sum(axis=1) >= width / 5):
        strip, when = pixels[:, row], np.argmax(steps[:, row], axis=0)
        later = np.arange(len(pixels))[:, None] > when
        # Nothing else happened: each frame shows the first colour before the step and the last one after it.
        once[row] &= ~_far(strip, np.where(later[..., None], strip[-1], strip[0])).any(axis=0)
        if _sweeps(once[row], when, width):
            rows.append(int(row))
    if rows:
        rows = max(np.split(np.array(rows), np.flatnonzero(np.diff(rows) > 1) + 1), key=len).tolist()
    if not 2 <= len(rows) <= height / 6:
        return None
    columns = np.flatnonzero(once[rows].any(axis=0))
    edges = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return Overlay("progress", _rounded(edges), round(step, 3))


def _far(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether any channel of pixels differs by more than a step, without the last axis."""
    far = (np.maximum(left, right) - np.minimum(left, right)) > _STEP
    return np.asarray(far[..., 0] | far[..., 1] | far[..., 2])


def _sweeps(once: NDArray[np.bool_], when: NDArray[np.int64], width: int) -> bool:
    """Say whether single changes go over a fifth of the width or more, one way and at one speed."""
    columns = np.flatnonzero(once)
    if len(columns) < width / 5 or len(np.unique(when[columns])) < 5:
        return False
    if abs(np.corrcoef(columns, when[columns])[0, 1]) < 0.99:
        return False
    moves = np.diff(when[columns])
    return bool((moves >= 0).all() or (moves <= 0).all())


def _logo(bright: Cells) -> Overlay | None:
    """Return hard edges that never change where four fifths of the picture do."""
    restless = bright.std(axis=0)
    if np.quantile(restless, 0.2) < 10:
        return None
    still = (restless < 6) & (np.median(_edges(bright), axis=0) > _STEP)
    marked = _cells(still[None].astype(np.float32))[0].mean(axis=-1) > 0.15
    if not marked.any() or marked.mean() > 0.2:
        return None
    largest = max(_groups(marked), key=len)
    return Overlay("logo", _box(largest, bright.shape)) if len(largest) >= 3 else None


def _caption(bright: Cells) -> Overlay | None:
    """Return lines of hard bright strokes that hold for a while and then are others."""
    strokes = (bright > 200) & (_edges(bright) > 80)
    share = _cells(strokes.astype(np.float32)).mean(axis=-1)
    written = (share > 0.08) & (share < 0.7)
    best: tuple[int, list[tuple[int, int]]] = (0, [])
    for row in range(written.shape[1]):
        full = written[:, row].sum(axis=1) >= 6
        if full.mean() < 0.3:
            continue
        ink = strokes[:, row * _CELL : (row + 1) * _CELL]
        union = (ink[1:] | ink[:-1]).sum(axis=(1, 2))
        kept = (ink[1:] & ink[:-1]).sum(axis=(1, 2)) / np.maximum(union, 1)
        both = full[1:] & full[:-1]
        held, others = int((both & (kept > 0.7)).sum()), int((both & (kept < 0.3)).sum())
        if held >= 4 and 2 <= others <= held and held > best[0]:
            columns = np.flatnonzero(written[:, row].mean(axis=0) > 0.1)
            best = (held, [(row, int(column)) for column in columns])
    return Overlay("caption", _box(best[1], bright.shape)) if best[1] else None


def _edges(bright: Cells) -> Cells:
    """Return (F, H, W) the larger of the two differences to the next pixel."""
    down = np.abs(np.diff(bright, axis=1, append=bright[:, -1:]))
    across = np.abs(np.diff(bright, axis=2, append=bright[:, :, -1:]))
    return np.maximum(down, across)


def _cells(pictures: Cells) -> Cells:
    """Return (F, rows, columns, pixels): the picture in square cells, the rest at the far edges left out."""
    count, height, width = pictures.shape
    rows, columns = height // _CELL, width // _CELL
    cut = pictures[:, : rows * _CELL, : columns * _CELL].reshape(count, rows, _CELL, columns, _CELL)
    return np.asarray(cut.transpose(0, 1, 3, 2, 4).reshape(count, rows, columns, _CELL**2))


def _groups(flags: NDArray[np.bool_]) -> Iterator[list[tuple[int, int]]]:
    """Yield the cells that hang together, one empty cell between two in a row bridged."""
    left = {(int(row), int(column)) for row, column in np.argwhere(flags)}
    while left:
        group, open_cells = [], [min(left)]
        left.discard(open_cells[0])
        while open_cells:
            row, column = open_cells.pop()
            group.append((row, column))
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-2, -1, 0, 1, 2)} & left
            left -= near
            open_cells += sorted(near)
        yield sorted(group)


def _box(cells: list[tuple[int, int]], shape: tuple[int, ...]) -> Box:
    rows, columns = zip(*cells, strict=True)
    high, wide = shape[1] / _CELL, shape[2] / _CELL
    return _rounded((min(columns) / wide, min(rows) / high, (max(columns) + 1) / wide, (max(rows) + 1) / high))


def _rounded(box: Box) -> Box:
    left, top, right, bottom = (round(min(float(edge), 1.0), 4) for edge in box)
    return left, top, right, bottom
