"""InternVL3: an image is up to twelve tiles and a thumbnail, a frame is one. Reference: InternVL3, arXiv 2504.10479.

Read are the checkpoints in the form of transformers (`InternVL3-...-hf`) whose text model is a Qwen2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.models.family import Cut, common
from reelgym.models.patches import PixelFormat, Sizing, resize
from reelgym.models.positions import Clock
from reelgym.models.tiles import Tiled

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
TILES = (1, 12)
"""Fewest and most tiles of an image where its files state none; the thumbnail comes on top."""
SEEN = "<img><IMG_CONTEXT></img>"


class InternVL(Tiled):
    """A clip is a list of numbered frames, `Frame1: `, `Frame2: `; what time it is, the model is never told.

    Images are cut into tiles whatever `crop_to_patches` of the published file says: the processor overrules it.
    Fewer tokens for an image: a lower `max_patches` in `preprocessor_config.json`.
    """

    name = "internvl"
    position_rule = "internvl:in-order"
    vision_tokens = ("<img>", "</img>", "<IMG_CONTEXT>", "<video>")
    named_tokens: ClassVar[Mapping[str, str]] = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    shown: ClassVar[Mapping[str, str]] = {"image": "<IMG_CONTEXT>", "video": "<video>"}
    marks: ClassVar[Mapping[str, str]] = {"image": "<IMG_CONTEXT>"}
    pixels = PixelFormat(patch=14, merge=2, temporal=1, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    tile = 448
    sizing = Sizing(
        image_min_pixels=TILES[0] * 448 * 448,
        image_max_pixels=TILES[1] * 448 * 448,
        video_min_pixels=448 * 448,
        video_max_pixels=448 * 448,
    )
    template = "internvl.jinja"
    preprocessors: ClassVar[Mapping[str, str]] = {
        "image": "GotOcr2ImageProcessor",
        "video": "InternVLVideoProcessor",
        "processor": "InternVLProcessor",
    }

    def model_class(self) -> type[Any]:
        """Return the stock class."""
        from transformers import InternVLForConditionalGeneration

        return InternVLForConditionalGeneration

    def merge_of(self, config: Any) -> int:
        """Return how many patches a side of a token has."""
        return round(1 / float(config.downsample_ratio))

    def image(self, pixels: NDArray[np.uint8], sizing: Sizing) -> Cut:
        """Return an image (1, H, W, 3) as its tiles, row by row, and the whole as one more where there are several."""
        side, filter_ = self.tile, self.pixels.resample
        height, width = pixels.shape[1:3]
        rows, columns = arrangement(height, width, side, self._tiles(sizing))
        whole = resize(pixels[0], (rows * side, columns * side), filter_)
        tiles = whole.reshape(rows, side, columns, side, 3).transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3)
        if len(tiles) > 1:
            tiles = np.concatenate([tiles, resize(pixels[0], (side, side), filter_)[None]])
        return self.cut(tiles, SEEN, 1)

    def image_patches(self, height: int, width: int, sizing: Sizing) -> int:
        """Return how many patches an image of so many pixels becomes."""
        rows, columns = arrangement(height, width, self.tile, self._tiles(sizing))
        tiles = rows * columns + (rows * columns > 1)
        return tiles * (self.tile // self.pixels.patch) ** 2

    def clip_text(self, clock: Clock | None, steps: int) -> str:
        """Return a numbered line for each frame."""
        return "\n".join(f"Frame{number}: {SEEN}" for number in range(1, steps + 1))

    def states(self) -> dict[str, dict[str, Any]]:
        """Return by file the numbers that we set and a released file may state too."""
        ours = common(self.pixels) | {"size": {"height": self.tile, "width": self.tile}}
        return {"image": ours, "video": ours, "processor": {"image_seq_length": self.tokens}}

    def limits(self, stated: Mapping[str, Mapping[str, Any]]) -> Sizing:
        """Return the fewest and most tiles of an image that the files state, in pixels."""
        area, image = self.tile**2, stated["image"]
        fewest, most = image.get("min_patches", TILES[0]), image.get("max_patches", TILES[1])
        frame = {"video_min_pixels": area, "video_max_pixels": area}
        return replace(self.sizing, image_min_pixels=int(fewest) * area, image_max_pixels=int(most) * area, **frame)

    def processor_files(self, sizing: Sizing) -> dict[str, dict[str, Any]]:
        """Return by name the files from which transformers and vLLM build the family's processor."""
        names, side = self.preprocessors, {"height": self.tile, "width": self.tile}
        shared = common(self.pixels) | {"size": side, "processor_class": names["processor"]}
        fewest, most = self._tiles(sizing)
        tiles = {"crop_to_patches": True, "min_patches": fewest, "max_patches": most}
        return {
            "preprocessor_config.json": {**shared, **tiles, "image_processor_type": names["image"]},
            "video_preprocessor_config.json": {**shared, "video_processor_type": names["video"]},
            "processor_config.json": {"image_seq_length": self.tokens, "processor_class": names["processor"]},
        }

    def _tiles(self, sizing: Sizing) -> tuple[int, int]:
        return sizing.image_min_pixels // self.tile**2, max(1, sizing.image_max_pixels // self.tile**2)


@lru_cache(maxsize=4096)
def arrangement(height: int, width: int, side: int, tiles: tuple[int, int]) -> tuple[int, int]:
    """Return the (rows, columns) of tiles, from fewest to most, whose shape is nearest to that of an image.

    Of equally near ones the larger is taken while its tiles cover less than twice the image's area.

    >>> arrangement(480, 960, 448, (1, 12)), arrangement(448, 448, 448, (1, 12))
    ((1, 2), (1, 1))
    """
    fewest, most = tiles
    fitting = [pair for pair in product(range(1, most + 1), repeat=2) if fewest <= pair[0] * pair[1] <= most]
    nearest, found = float("inf"), (1, 1)
    for columns, rows in sorted(fitting, key=lambda pair: pair[0] * pair[1]):
        far = abs(width / height - columns / rows)
        if far < nearest or (far == nearest and 2 * height * width > side**2 * columns * rows):
            nearest, found = far, (rows, columns)
    return found
