"""Which frames look the same: a similarity protocol, a cheap descriptor without a model, greedy de-duplication."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import RequestError


class Similarity(Protocol):
    """Describes pictures so that the dot product of two rows says how alike they are."""

    def describe(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (F, D) float32 rows of length 1 for (F, H, W, 3) uint8 pixels; dot products lie in [-1, 1]."""
        ...


class GridDescriptor:
    """What is where, coarsely: brightness and two colour differences averaged over a grid.

    A row is the picture's (cells, 3) averages without their mean, divided by the root of the number of cells, then the
    means themselves at a tenth of their weight and a small constant, all scaled to length 1. So layout decides,
    overall light and tint count a little (a fade to black is seen), and flat pictures, whose layout is only noise, are
    alike. It costs microseconds, takes any size, and has no notion of what a picture means: it stands in for the CLIP
    encoder of MVP where there is no model at hand.

    Args:
        cells: Grid cells per side.
    """

    _MEAN_WEIGHT = 0.1
    _CONSTANT = 0.01

    def __init__(self, cells: int = 12) -> None:
        """Take the grid's size."""
        if cells < 1:
            raise RequestError(f"GridDescriptor(cells={cells}): give at least 1 cell per side")
        self._cells = cells

    def describe(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (F, 3 * cells^2 + 4) float32 unit rows for (F, H, W, 3) uint8 RGB."""
        num_frames = len(pixels)
        red, green, blue = np.moveaxis(self._averages(pixels), -1, 0)
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        channels = np.stack([light, 0.564 * (blue - light), 0.713 * (red - light)], axis=-1)
        means = channels.mean(axis=1)
        layout = (channels - means[:, None]).reshape(num_frames, -1) / self._cells
        tone = self._MEAN_WEIGHT * (means - np.array([0.5, 0.0, 0.0]))
        rows = np.concatenate([layout, tone, np.full((num_frames, 1), self._CONSTANT)], axis=1)
        unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _averages(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (F, cells^2, 3) float64 averages in [0, 1]; a side shorter than the grid repeats its pixels."""
        _, height, width, _ = pixels.shape
        rows, columns = (np.arange(self._cells) * side // self._cells for side in (height, width))
        sums = np.add.reduceat(pixels, rows, axis=1, dtype=np.uint32)
        sums = np.add.reduceat(sums, columns, axis=2, dtype=np.uint32)
        heights, widths = (np.maximum(np.diff(s, append=n), 1) for s, n in ((rows, height), (columns, width)))
        averages: NDArray[np.float64] = sums / (255.0 * heights[:, None, None] * widths[None, :, None])
        return averages.reshape(len(pixels), self._cells**2, 3)


def deduplicate(
    descriptors: NDArray[np.float32],
    threshold: float,
    against: Literal["last", "all"] = "last",
    start: int = 0,
    limit: int | None = None,
) -> list[int]:
    """Return the indices of the frames kept by a greedy pass in time order.

    The frame at `start` is kept; a later one is dropped if its similarity s with the frames kept so far is above the
    threshold: with the last kept one, s = d_last . d_i, as in MVP; or with any of them, our addition, which also drops
    a view that comes back.

    Args:
        descriptors: (F, D) unit rows.
        threshold: kappa in [-1, 1]; 1 keeps all but exact copies, and these too up to rounding.
        against: Compare with the `last` kept frame or with `all` kept.
        start: The first frame kept.
        limit: Stop when this many are kept; None keeps going.

    Reference: Masked Video Prediction (MVP), the de-duplication of its data synthesis; kappa's value is not published.
    """
    if against not in ("last", "all"):
        raise RequestError(f"against={against!r}: give 'last' or 'all'")
    if start >= len(descriptors) or limit == 0:
        return []
    kept = [start]
    for index in range(start + 1, len(descriptors)):
        if limit is not None and len(kept) >= limit:
            break
        compared = descriptors[kept[-1:] if against == "last" else kept]
        if float((compared @ descriptors[index]).max()) <= threshold:
            kept.append(index)
    return kept
