"""Stretches in which nothing is to be seen or nothing happens, views that come back, and black bars at the edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reelgym.video.dedupe import GridDescriptor
from reelgym.video.types import Frames

DARK = 24
"""Grey level of 255 up to which a pixel counts as black: video black is 16, and coding adds some noise. Ours."""

STILL = 2.0
"""Mean change of grey levels in every ninth of the picture up to which two frames count as the same. Ours."""

SHORTEST = 3
"""Frames that a stretch without change has at least. Ours."""

SAME = 0.995
"""Similarity of two frames (`GridDescriptor`) above which they are near-duplicates. Ours."""

RETURNS = 100
"""Views that come back, at most so many of a video."""

Span = tuple[float, float]


def luma(pixels: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (F, H, W) float32 brightness, 0 to 255, of (F, H, W, 3) RGB."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    # Flat and in one type, the product is one call of the linear algebra library.
    flat = pixels.reshape(-1, 3).astype(np.float32) @ weights
    return np.asarray(flat.reshape(pixels.shape[:-1]), np.float32)


def black_spans(frames: Frames) -> list[Span]:
    """Return [start, stop) in seconds of the stretches in which 98 of 100 pixels are black.

    A stretch ends where the next frame that is not black begins; the last frame stays for one usual step.
    """
    bright = luma(frames.pixels)
    dark = (bright <= DARK).mean(axis=(1, 2)) >= 0.98
    return _stretches(dark, frames.times)


def static_spans(frames: Frames) -> list[Span]:
    """Return [start, stop) in seconds of the stretches of `SHORTEST` frames and more in which no ninth changes.

    Args:
        frames: At a steady rate, any size.
    """
    bright = luma(frames.pixels)
    if len(bright) < SHORTEST:
        return []
    still = _blocks(np.abs(np.diff(bright, axis=0))).max(axis=1) <= STILL
    spans, start = [], 0
    for place in range(1, len(bright) + 1):
        if place < len(bright) and still[place - 1]:
            continue
        if place - start >= SHORTEST:
            spans.append((float(frames.times[start]), _end(place, frames.times)))
        start = place
    return spans


def returning(frames: Frames) -> list[tuple[float, float]]:
    """Return (time, earlier time) of views that come back after something else was seen: the first `RETURNS`.

    Args:
        frames: At a steady rate, any size.
    """
    rows = GridDescriptor().describe(frames.pixels)
    found: list[tuple[float, float]] = []
    for place in range(2, len(rows)):
        alike = rows[:place] @ rows[place] > SAME
        if alike[-1] or not alike.any():
            continue
        found.append((float(frames.times[place]), float(frames.times[int(np.argmax(alike))])))
        if len(found) == RETURNS:
            break
    return found


def letterbox(pixels: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Return the black bars (top, bottom, left, right) as shares of height and width; zeros where there are none.

    A row or column belongs to a bar where it is black in every frame that is not black as a whole. Bars below one
    hundredth of the side, and pictures of which less than a quarter would be left, have none.
    """
    bright = luma(pixels)
    seen = bright[(bright > DARK).mean(axis=(1, 2)) > 0.02]
    if len(seen) == 0:
        return (0.0, 0.0, 0.0, 0.0)
    lit = seen > DARK
    rows, columns = ((lit.mean(axis=axis) > 0.02).any(axis=0) for axis in (2, 1))
    if not rows.any() or not columns.any() or rows.sum() * columns.sum() < rows.size * columns.size / 4:
        return (0.0, 0.0, 0.0, 0.0)
    top, bottom, left, right = (float(np.argmax(side)) / side.size for side in _sides(rows, columns))
    return _kept(top), _kept(bottom), _kept(left), _kept(right)


def inside_bars(pixels: NDArray[np.uint8], bars: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """Return (F, h, w, 3): the pixels between the bars of `letterbox`, a view."""
    height, width = pixels.shape[1:3]
    top, bottom, left, right = bars
    rows = slice(round(top * height), height - round(bottom * height))
    return pixels[:, rows, round(left * width) : width - round(right * width)]


def _sides(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    return rows, rows[::-1], columns, columns[::-1]


def _kept(share: float) -> float:
    return round(share, 4) if share >= 0.01 else 0.0


def _blocks(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (F, 9) means over a 3 x 3 grid."""
    _, height, width = pictures.shape
    rows, columns = (np.arange(3) * side // 3 for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(pictures, rows, axis=1), columns, axis=2)
    heights, widths = (np.diff(s, append=n) for s, n in ((rows, height), (columns, width)))
    return np.asarray((sums / (heights[:, None] * widths[None, :])).reshape(len(pictures), 9))


def _stretches(flags: NDArray[np.bool_], times: NDArray[np.float64]) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return [(float(times[start]), _end(stop, times)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _end(place: int, times: NDArray[np.float64]) -> float:
    """Return the time at which the frame before `place` stops being shown."""
    if place < len(times):
        return float(times[place])
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return float(times[-1]) + step
