"""SmolVLM2: an image is a grid of tiles and the whole, a frame is one tile with its time.

Reference: SmolVLM, arXiv 2504.05299.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.models.family import Cut, common
from reelgym.models.patches import PixelFormat, Sizing, resize
from reelgym.models.positions import Clock
from reelgym.models.tiles import Tiled

LANCZOS = 1
SIDES = 4
"""Tiles along the longer edge of an image where its files state no `size`."""
LARGEST = 4096
"""Pixels of the longer edge, whatever the files say."""
AROUND, MARK = "<fake_token_around_image>", "<image>"
WHOLE = f"{AROUND}<global-img>{MARK}"


class SmolVLM(Tiled):
    """A clip is a list of frames with their times in minutes and seconds, after a line that counts them.

    The line also tells how long the video is; of a clip only its frames are known, so the time of the last stands
    there, as in the family's own processor where the duration is unknown. Images are enlarged or shrunk to one length
    of the longer edge. Fewer tokens for an image: a lower `size` in `preprocessor_config.json`, down to a tile's side.
    """

    name = "smolvlm"
    position_rule = "smolvlm:in-order"
    vision_tokens = (AROUND, MARK)
    layout_tokens = ("<global-img>", *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)))
    named_tokens: ClassVar[Mapping[str, str]] = {
        "fake_image_token": AROUND,
        "image_token": MARK,
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    shown: ClassVar[Mapping[str, str]] = {"image": MARK, "video": "<video>"}
    marks: ClassVar[Mapping[str, str]] = {"image": MARK}
    end_token = "<end_of_utterance>"
    pad_token = "<|im_end|>"
    reply_start = " "
    pixels = PixelFormat(patch=16, merge=4, temporal=1, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resample=LANCZOS)
    tile = 512
    sizing = Sizing(
        image_min_pixels=2048 * 2048,
        image_max_pixels=2048 * 2048,
        video_min_pixels=2048 * 2048,
        video_max_pixels=2048 * 2048,
    )
    """Squares of the longer edge to which images, and frames before they become a tile, are resized."""
    template = "smolvlm.jinja"
    clip_template = "smolvlm.jinja"
    preprocessors: ClassVar[Mapping[str, str]] = {
        "image": "SmolVLMImageProcessor",
        "video": "SmolVLMVideoProcessor",
        "processor": "SmolVLMProcessor",
    }

    def model_class(self) -> type[Any]:
        """Return the stock class."""
        from transformers import SmolVLMForConditionalGeneration

        return SmolVLMForConditionalGeneration

    def merge_of(self, config: Any) -> int:
        """Return how many patches a side of a token has."""
        return int(config.scale_factor)

    def image(self, pixels: NDArray[np.uint8], sizing: Sizing) -> Cut:
        """Return an image (1, H, W, 3) as its tiles, row by row, and the whole as one more where there are several."""
        side, filter_, longest = self.tile, self.pixels.resample, math.isqrt(sizing.image_max_pixels)
        height, width = pixels.shape[1:3]
        first = lengthened(height, width, longest)
        rows, columns = grid_of(*first, side)
        whole = resize(resize(pixels[0], first, filter_), (rows * side, columns * side), filter_)
        manner = f" longest edge {longest}"
        if rows == columns == 1:
            return self.cut(whole[None], WHOLE + AROUND, 1, manner=manner)
        tiles = whole.reshape(rows, side, columns, side, 3).transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3)
        tiles = np.concatenate([tiles, resize(whole, (side, side), filter_)[None]])
        lines = (
            "".join(f"{AROUND}<row_{row}_col_{column}>{MARK}" for column in range(1, columns + 1)) + "\n"
            for row in range(1, rows + 1)
        )
        return self.cut(tiles, f"{''.join(lines)}\n{WHOLE}{AROUND}", len(tiles), manner=manner)

    def image_patches(self, height: int, width: int, sizing: Sizing) -> int:
        """Return how many patches an image of so many pixels becomes."""
        rows, columns = grid_of(*lengthened(height, width, math.isqrt(sizing.image_max_pixels)), self.tile)
        tiles = rows * columns + (rows * columns > 1)
        return tiles * (self.tile // self.pixels.patch) ** 2

    def clip(
        self, pixels: NDArray[np.uint8], clock: Clock | None, sizing: Sizing, *, tokens_per_second: float = 0.0
    ) -> Cut:
        """Return a clip (F, H, W, 3) cut into patches."""
        cut = super().clip(pixels, clock, sizing, tokens_per_second=tokens_per_second)
        return replace(cut, manner=f" longest edge {math.isqrt(sizing.video_max_pixels)}")

    def clip_pixels(self, pixels: NDArray[np.uint8], sizing: Sizing) -> NDArray[np.uint8]:
        """Return the frames (F, H, W, 3) as tiles: resized to the longer edge, then to a square."""
        height, width = pixels.shape[1:3]
        size = lengthened(height, width, math.isqrt(sizing.video_max_pixels))
        first = np.stack([resize(frame, size, self.pixels.resample) for frame in pixels])
        return super().clip_pixels(first, sizing)

    def clip_text(self, clock: Clock | None, steps: int) -> str:
        """Return a line for each frame with its time, after one that counts them."""
        begin = f"You are provided the following series of {words(steps)} frames from a"
        if clock is None:
            return f"{begin} video.\n" + f"\nFrame:{WHOLE}{AROUND}" * steps + "\n\n"
        lines = (f"\nFrame from {int(at // 60):02d}:{int(at % 60):02d}:{WHOLE}{AROUND}" for at in clock.steps)
        lasts = timedelta(seconds=int(clock.steps[-1]))
        return f"{begin} {lasts} [H:MM:SS] video.\n{''.join(lines)}\n\n"

    def tower_inputs(self, patches: torch.Tensor, grids: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the tiles (1, T, 3, S, S) put together again."""
        return tuple(value[None] for value in super().tower_inputs(patches, grids))

    def states(self) -> dict[str, dict[str, Any]]:
        """Return by file the numbers that we set and a released file may state too."""
        ours = common(self.pixels) | {"max_image_size": {"longest_edge": self.tile}}
        return {
            "image": ours | {"do_image_splitting": True},
            "video": ours,
            "processor": {"image_seq_len": self.tokens},
        }

    def limits(self, stated: Mapping[str, Mapping[str, Any]]) -> Sizing:
        """Return the longer edges that the files state; frames are read by the images' file where they have none."""
        frames = stated["video"] or stated["image"]
        sampled = frames.get("video_sampling", {}).get("video_size")
        edges = [
            (size or {}).get("longest_edge", SIDES * self.tile)
            for size in (stated["image"].get("size"), frames.get("size", sampled))
        ]
        image, frame = (int(edge) ** 2 for edge in edges)
        bounds = {"image_min_pixels": image, "video_min_pixels": frame}
        return replace(self.sizing, image_max_pixels=image, video_max_pixels=frame, **bounds)

    def processor_files(self, sizing: Sizing) -> dict[str, dict[str, Any]]:
        """Return by name the files from which transformers and vLLM build the family's processor."""
        names = self.preprocessors
        shared = common(self.pixels) | {"max_image_size": {"longest_edge": self.tile}, "do_pad": True}
        shared["processor_class"] = names["processor"]
        image, frame = (
            {"longest_edge": math.isqrt(most)} for most in (sizing.image_max_pixels, sizing.video_max_pixels)
        )
        pictures = {"size": image, "do_image_splitting": True, "image_processor_type": names["image"]}
        return {
            "preprocessor_config.json": {**shared, **pictures},
            "video_preprocessor_config.json": {**shared, "size": frame, "video_processor_type": names["video"]},
            "processor_config.json": {"image_seq_len": self.tokens, "processor_class": names["processor"]},
        }


def lengthened(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return the (height, width) whose longer edge is `longest`; the other keeps the shape, odd ones one pixel more.

    >>> lengthened(100, 150, 512)
    (342, 512)
    """
    longest, shape = min(longest, LARGEST), width / height
    if width >= height:
        other = int(longest / shape)
        return max(other + other % 2, 1), longest
    other = int(longest * shape)
    return longest, max(other + other % 2, 1)


def grid_of(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the (rows, columns) of tiles that a resized image is stretched to.

    >>> grid_of(342, 512, 128)
    (3, 4)
    """
    shape = width / height
    if width >= height:
        columns = math.ceil(width / side)
        return math.ceil(int(columns * side / shape) / side), columns
    rows = math.ceil(height / side)
    return rows, math.ceil(int(rows * side * shape) / side)


_SMALL: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SMALL += ("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def words(number: int) -> str:
    """Return a number below a million in English words, as the family's processor counts frames.

    >>> words(64), words(128), words(1100)
    ('sixty-four', 'one hundred and twenty-eight', 'one thousand, one hundred')
    """
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10 - 2] + (f"-{_SMALL[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{_SMALL[number // 100]} hundred" + (f" and {words(number % 100)}" if number % 100 else "")
    rest = number % 1000
    joint = " and " if rest < 100 else ", "
    return f"{words(number // 1000)} thousand" + (joint + words(rest) if rest else "")
