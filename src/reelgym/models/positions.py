"""Positions: the one place where a prompt's three-dimensional rotary positions are computed.

One rule serves both families: every block of tokens starts at the largest position so far plus one. Text counts up
on all three axes. Vision counts rows and columns on two axes and time on the third, `interval` positions for each
temporal step, rounded down. This is Qwen's own rule (`get_rope_index` of its fine-tuning code, and vLLM's);
transformers 5.3 and later start the text after a video at the larger spatial side instead, so their
`get_rope_index` is never used here.

References: Qwen2-VL, arXiv 2409.12191, section 2.1 (M-RoPE); Qwen2.5-VL, arXiv 2502.13923, section 2.1.1 (absolute
time); Qwen3-VL, arXiv 2511.21631 (text timestamps).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.errors import RequestError

FORGIVEN = 1e-4
"""Positions. Times are stored to the microsecond: what they lose must not cost a whole position when rounding down."""


@dataclass(frozen=True)
class Block:
    """A run of tokens that is placed as one: text (`grid` None) or one vision grid (t, h, w) counted in tokens."""

    tokens: int
    grid: tuple[int, int, int] | None = None
    interval: float = 1.0


@dataclass(frozen=True)
class Clock:
    """A clip's time as a model is told it.

    Attributes:
        steps: Mean time in seconds of the frames of each temporal patch; what Qwen3-VL writes down.
        seconds_per_step: Mean spacing of temporal patches in seconds; what Qwen2.5-VL counts with.
        error_seconds: How far, at most, even spacing is from the true time of a patch.
    """

    steps: tuple[float, ...]
    seconds_per_step: float
    error_seconds: float


def clock(times: Sequence[float], temporal: int) -> Clock:
    """Return the clock of a clip.

    Args:
        times: (F,) seconds, not decreasing. The last is repeated until F is a multiple of `temporal`, as its frame is.
        temporal: Frames per temporal patch.

    Raises:
        RequestError: Times that decrease, or none.
    """
    if not times or any(after < before for before, after in pairwise(times)):
        raise RequestError(f"a clip's shown times must not decrease: {[round(t, 3) for t in times[:8]]}")
    padded = list(times) + [times[-1]] * (-len(times) % temporal)
    groups = [padded[i : i + temporal] for i in range(0, len(padded), temporal)]
    steps = tuple((group[0] + group[-1]) / 2 for group in groups)
    spacing = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    even = [times[0] + spacing * (temporal * k + (temporal - 1) / 2) for k in range(len(steps))]
    error = max(abs(true - told) for true, told in zip(steps, even, strict=True))
    return Clock(steps, spacing * temporal, error if len(times) > 1 else 0.0)


def place(blocks: Sequence[Block]) -> torch.Tensor:
    """Return (3, P) int64: time, row and column position of every token of the blocks, in order.

    >>> place([Block(2), Block(2, (1, 1, 2)), Block(1)]).tolist()
    [[0, 1, 2, 2, 4], [0, 1, 2, 2, 4], [0, 1, 2, 3, 4]]
    """
    placed: list[NDArray[np.int64]] = []
    start = 0
    for block in blocks:
        offsets = _text(block.tokens) if block.grid is None else _vision(block.grid, block.interval)
        assert offsets.shape[1] == block.tokens, (offsets.shape, block)
        if block.tokens:
            placed.append(offsets + start)
            start = int(placed[-1].max()) + 1
    return torch.from_numpy(np.concatenate([np.zeros((3, 0), np.int64), *placed], axis=1))


def _text(tokens: int) -> NDArray[np.int64]:
    return np.tile(np.arange(tokens, dtype=np.int64), (3, 1))


def _vision(grid: tuple[int, int, int], interval: float) -> NDArray[np.int64]:
    steps, rows, columns = grid
    moments = [math.floor(step * interval + FORGIVEN) for step in range(steps)]
    axes = np.meshgrid(np.asarray(moments, np.int64), np.arange(rows), np.arange(columns), indexing="ij")
    return np.stack(axes).reshape(3, -1).astype(np.int64)
