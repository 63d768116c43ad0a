"""Families that see square tiles of one size: an image is one tile or several, each frame of a clip is one.

Their positions are ordinary ones: a token is placed one after the token before it, whatever it stands for. To the model
the frames of a clip are images, so that all features are of the kind `image`.

Shapes: T tiles, S the side of a tile in pixels.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.modeling_outputs import BaseModelOutputWithPooling

from reelgym.models.family import Cut, Family, Features, Kind
from reelgym.models.patches import Grid, Sizing, patchify, resize, unpatchify
from reelgym.models.positions import Block, Clock


class Tiled(Family):
    """What the families of tiles share. Sides, patches and merge factors are those of the checkpoint's config."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    axes = 1
    times_are_spaced = False
    tile: int
    """S."""

    @property
    def tokens(self) -> int:
        """Tokens of one tile."""
        return (self.tile // self.pixels.patch // self.pixels.merge) ** 2

    def configured(self, config: Any) -> Tiled:
        """Return the family with the tile, patch and merge sizes of a config."""
        other = copy.copy(self)
        vision = config.vision_config
        patch, merge, _ = self.config_pixels(config)
        other.pixels, other.tile = replace(self.pixels, patch=patch, merge=merge), side_of(vision.image_size)
        other.sizing = other.limits({"image": {}, "video": {}, "processor": {}})
        return other

    def config_pixels(self, config: Any) -> Grid:
        """Return the (patch, merge, temporal) sizes that a config states."""
        return side_of(config.vision_config.patch_size), self.merge_of(config), 1

    @abstractmethod
    def merge_of(self, config: Any) -> int:
        """Return how many patches a side of a token has."""

    def clip_size(self, frames: int, height: int, width: int, sizing: Sizing) -> tuple[int, int]:
        """Return the size of a tile."""
        return self.tile, self.tile

    def clip_pixels(self, pixels: NDArray[np.uint8], sizing: Sizing) -> NDArray[np.uint8]:
        """Return the frames (F, H, W, 3) as tiles, without what no patch of the tower reaches."""
        return self.within(np.stack([resize(frame, (self.tile, self.tile), self.pixels.resample) for frame in pixels]))

    def within(self, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return tiles (T, S, S, 3) without the last rows and columns where patches do not fill the side."""
        side = self.tile // self.pixels.patch * self.pixels.patch
        return tiles[:, :side, :side]

    def pictures(self, pixels: NDArray[np.uint8], sizing: Sizing) -> NDArray[np.uint8]:
        """Return an image as it is: another engine cuts it by the same files."""
        return pixels

    def cut(self, tiles: NDArray[np.uint8], text: str, runs: int, *, manner: str = "") -> Cut:
        """Return tiles (T, S, S, 3) of one image cut into patches, `runs` equal runs of placeholders in their text."""
        inside = self.within(tiles)
        patches, grid, _ = patchify(inside, inside.shape[1:3], self.pixels)
        blocks = [Block(len(tiles) // runs * self.tokens)] * runs
        return Cut(patches=patches, grid=grid, text=text, blocks=blocks, manner=manner)

    def clip_blocks(self, clock: Clock | None, grid: Grid, tokens_per_second: float) -> list[Block]:
        """Return one block per frame."""
        return [Block(self.tokens)] * grid[0]

    def tower_inputs(self, patches: torch.Tensor, grids: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the tiles (T, 3, S, S) put together again: these towers cut by themselves."""
        return (unpatchify(patches, (self.tile // self.pixels.patch,) * 2, self.pixels),)

    def encoder_outputs(self, features: Features) -> dict[str, Any]:
        """Return the pooled features."""
        return {kind: BaseModelOutputWithPooling(pooler_output=value) for kind, value in features.pooled.items()}


def side_of(size: Any) -> int:
    """Return a side that a config states as one number or as two equal ones."""
    return int(size[0] if isinstance(size, list | tuple) else size)
