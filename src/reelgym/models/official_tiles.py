"""The image processors of the families of tiles, as transformers builds them from a folder; see `official`.

Shapes: T tiles, S the side of a tile in pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.models.tiles import Tiled


class OfficialTiles:
    """The image processor of a folder, in its PIL variant."""

    def __init__(self, family: Tiled, folder: str) -> None:
        """Read `preprocessor_config.json` of a folder or hub name as transformers does."""
        from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

        self.family = family
        self._made: Any = GotOcr2ImageProcessorPil.from_pretrained(folder)

    def tiles(self, frame: NDArray[np.uint8], *, split: bool = True) -> torch.Tensor:
        """Return the tiles (T, 3, S, S) of a picture (H, W, 3); one where `split` is off, as for a frame of a clip."""
        how = {"return_tensors": "pt", "input_data_format": "channels_last", "crop_to_patches": split}
        return torch.as_tensor(self._made(images=[frame], **how)["pixel_values"])

    def patches(self, frame: NDArray[np.uint8], *, split: bool = True) -> tuple[torch.Tensor, tuple[int, int, int]]:
        """Return the patches (n, D) of a picture (H, W, 3) in our order, and their grid (t, h, w)."""
        tiles, form = self.tiles(frame, split=split), self.family.pixels
        side = self.family.tile // form.patch
        cut = tiles[:, :, : side * form.patch, : side * form.patch]
        parts = cut.reshape(len(tiles), 3, *(side // form.merge, form.merge, form.patch) * 2)
        ordered = parts.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(-1, form.patch_values)
        return ordered, (len(tiles), side, side)

    def frames(self, pixels: NDArray[np.uint8]) -> list[torch.Tensor]:
        """Return the patches of each frame of a clip (F, H, W, 3)."""
        return [self.patches(frame, split=False)[0] for frame in pixels]

    def count(self, height: int, width: int) -> int:
        """Return how many patches a picture of so many pixels becomes."""
        tiles = int(self._made.get_number_of_image_patches(height, width, {"crop_to_patches": True}))
        return tiles * (self.family.tile // self.family.pixels.patch) ** 2


def frame_labels(family: Tiled, text: str, seconds: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return what stands before the frames of a prompt's one clip, and what the family's processor writes there.

    Args:
        family: Whose prompt it is.
        text: The prompt.
        seconds: Of the clip's frames.
    """
    return re.findall(r"Frame\d+(?=: <img>)", text), [f"Frame{number}" for number in range(1, len(seconds) + 1)]


def tiles_text(family: Tiled, tokens: int) -> str:
    """Return what the family's processor writes for an image of so many tokens."""
    return "<img>" + "<IMG_CONTEXT>" * tokens + "</img>"
