"""Frames to patches, without torchvision: the pixel half of the official Qwen image and video processors.

The steps are those of transformers' `Qwen2VLImageProcessorPil` and of the video processors of Qwen2-VL and Qwen3-VL:
a size that is a multiple of patch * merge and inside a pixel budget, PIL bicubic, division by 255, mean and standard
deviation, and patches laid out so that each merge block is contiguous. A clip goes through the same PIL filter as an
image; the official video path filters with torchvision, whose bicubic differs from
PIL's by at most two levels of 255.

Shapes: F frames, H W pixels, (t, h, w) grid in patches, n = t * h * w, D = 3 * temporal * patch * patch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PILImage

from reelgym.errors import RequestError

Grid = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """How a family cuts pixels: patch side and merge factor, frames per temporal patch, normalisation per channel."""

    patch: int
    merge: int
    temporal: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: int = 3
    """The filter that resizes, by PIL's number: bicubic, or 1 for Lanczos."""

    @property
    def factor(self) -> int:
        """Side in pixels of one token: every frame's height and width is a multiple of it."""
        return self.patch * self.merge

    @property
    def patch_values(self) -> int:
        """Number of values D in one patch."""
        return 3 * self.temporal * self.patch * self.patch


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """Pixel budgets.

    `image_*` and `video_*` bound height * width of one frame (Qwen2.5-VL) or, for clips of Qwen3-VL, of all frames
    together; `frame_max_tokens` further bounds one frame of a Qwen3-VL clip and `total_tokens` a whole Qwen2.5-VL clip.
    """

    image_min_pixels: int
    image_max_pixels: int
    video_min_pixels: int
    video_max_pixels: int
    frame_max_tokens: int = 768
    total_tokens: int = 115_200


def fit_image(height: int, width: int, *, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Return the (height, width) nearest to the given one, in multiples of `factor`, with an area inside the budget.

    >>> fit_image(28, 28, factor=28, min_pixels=784, max_pixels=3136)
    (28, 28)
    """
    _refuse_ribbons(height, width)
    fitted_height, fitted_width = round(height / factor) * factor, round(width / factor) * factor
    if fitted_height * fitted_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        fitted_height = max(factor, math.floor(height / shrink / factor) * factor)
        fitted_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif fitted_height * fitted_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        fitted_height = math.ceil(height * grow / factor) * factor
        fitted_width = math.ceil(width * grow / factor) * factor
    return fitted_height, fitted_width


def fit_volume(
    frames: int, height: int, width: int, *, factor: int, temporal: int, min_pixels: int, max_pixels: int
) -> tuple[int, int]:
    """Return the (height, width) of a clip whose frames together stay inside the budget (Qwen3-VL's rule)."""
    if height < factor or width < factor:
        grow = max(factor / height, factor / width)
        height, width = int(height * grow), int(width * grow)
    _refuse_ribbons(height, width)
    fitted_height, fitted_width = round(height / factor) * factor, round(width / factor) * factor
    volume = round(frames / temporal) * temporal * fitted_height * fitted_width
    if volume > max_pixels:
        shrink = math.sqrt(frames * height * width / max_pixels)
        fitted_height = max(factor, math.floor(height / shrink / factor) * factor)
        fitted_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif volume < min_pixels:
        grow = math.sqrt(min_pixels / (frames * height * width))
        fitted_height = math.ceil(height * grow / factor) * factor
        fitted_width = math.ceil(width * grow / factor) * factor
    return fitted_height, fitted_width


def patchify(
    frames: NDArray[np.uint8], size: tuple[int, int], form: PixelFormat
) -> tuple[NDArray[np.float32], Grid, int]:
    """Return the patches of a clip, or of an image given as one frame.

    Args:
        frames: (F, H, W, 3) uint8, RGB. The last frame is repeated until F is a multiple of `form.temporal`.
        size: (height, width) to resize to, multiples of `form.factor`.
        form: The family's pixel format.

    Returns:
        (n, D) float32 patches in the order (t, block row, block column, row in block, column in block) with values
        in the order (channel, frame, row, column); the grid (t, h, w) in patches; how many frames were repeated.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise RequestError(f"frames must be (F, H, W, 3) uint8 with F > 0, not {frames.shape} {frames.dtype}")
    resized = np.stack([resize(frame, size, form.resample) for frame in frames])
    repeated = -len(resized) % form.temporal
    if repeated:
        resized = np.concatenate([resized, np.repeat(resized[-1:], repeated, axis=0)])
    steps, rows, columns = len(resized) // form.temporal, size[0] // form.patch, size[1] // form.patch
    blocks = (rows // form.merge, form.merge, form.patch, columns // form.merge, form.merge, form.patch)
    cut = resized.reshape(steps, form.temporal, *blocks, 3).transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)
    table = _levels(form)
    channel = np.arange(3).reshape(1, 1, 1, 1, 1, 3, 1, 1, 1)
    patches = table[channel, cut].reshape(steps * rows * columns, form.patch_values)
    return patches, (steps, rows, columns), repeated


def unpatchify(patches: torch.Tensor, grid: tuple[int, int], form: PixelFormat) -> torch.Tensor:
    """Return pictures (T, 3, H, W) put together from their patches (T * rows * columns, D), as `patchify` cut them.

    Args:
        patches: One picture after the other, all of one size; `form.temporal` is 1.
        grid: (rows, columns) in patches of a picture.
        form: The family's pixel format.
    """
    (rows, columns), merge, patch = grid, form.merge, form.patch
    parts = patches.view(-1, rows // merge, columns // merge, merge, merge, 3, patch, patch)
    return parts.permute(0, 5, 1, 3, 6, 2, 4, 7).reshape(-1, 3, rows * patch, columns * patch)


@lru_cache
def _levels(form: PixelFormat) -> NDArray[np.float32]:
    """Return (3, 256): the normalised value of every level, computed in the official order of roundings."""
    rescaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    mean, std = np.asarray(form.mean, np.float32), np.asarray(form.std, np.float32)
    return (rescaled[None, :] - mean[:, None]) / std[:, None]


def resize(frame: NDArray[np.uint8], size: tuple[int, int], resample: int = 3) -> NDArray[np.uint8]:
    """Return a frame (H, W, 3) at a (height, width), as the official processors resize: by PIL, with its filter."""
    if frame.shape[:2] == size:
        return frame
    image = PILImage.fromarray(frame).resize((size[1], size[0]), resample=PILImage.Resampling(resample))
    return np.asarray(image)


def _refuse_ribbons(height: int, width: int) -> None:
    if max(height, width) > 200 * min(height, width):
        raise RequestError(f"a frame of {height} x {width} pixels is too narrow: the sides may differ 200-fold at most")
