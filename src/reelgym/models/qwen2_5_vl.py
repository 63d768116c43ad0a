"""Qwen2.5-VL: time is a position. Reference: Qwen2.5-VL Technical Report, arXiv 2502.13923."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from transformers.modeling_outputs import BaseModelOutputWithPooling

from reelgym.models.family import Family, Features
from reelgym.models.patches import PixelFormat, Sizing, fit_image
from reelgym.models.positions import Block, Clock

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Qwen2_5VL(Family):
    """A clip is one grid; its temporal steps are `tokens_per_second` positions per second apart, rounded down.

    Where times are not shown, each step is one position after the last: the order is told, the speed is not.
    """

    name = "qwen2_5_vl"
    position_rule = "qwen2.5-vl:largest-plus-one"
    times_are_spaced = True
    pixels = PixelFormat(patch=14, merge=2, temporal=2, mean=CLIP_MEAN, std=CLIP_STD)
    sizing = Sizing(
        image_min_pixels=4 * 28 * 28,
        image_max_pixels=16384 * 28 * 28,
        video_min_pixels=4 * 28 * 28,
        video_max_pixels=768 * 28 * 28,
    )
    """The floor of the published preprocessor config, so that a sample's own frame size decides; the ceiling of
    qwen-vl-utils for a frame of video (its own floor for video is 128 tokens)."""
    template = "qwen2_5_vl.jinja"
    preprocessors: ClassVar[Mapping[str, str]] = {
        "image": "Qwen2VLImageProcessor",
        "video": "Qwen2VLVideoProcessor",
        "processor": "Qwen2_5_VLProcessor",
    }

    def model_class(self) -> type[Any]:
        """Return the stock class."""
        from transformers import Qwen2_5_VLForConditionalGeneration

        return Qwen2_5_VLForConditionalGeneration

    def clip_size(self, frames: int, height: int, width: int, sizing: Sizing) -> tuple[int, int]:
        """Return the size of a frame: its own budget, and its even share of the whole clip's (as qwen-vl-utils)."""
        factor = self.pixels.factor
        share = sizing.total_tokens * factor**2 * self.pixels.temporal // frames
        most = max(min(sizing.video_max_pixels, share), int(sizing.video_min_pixels * 1.05))
        return fit_image(height, width, factor=factor, min_pixels=sizing.video_min_pixels, max_pixels=most)

    def clip_text(self, clock: Clock | None, steps: int) -> str:
        """Return one placeholder: the time is in the positions."""
        return "<|vision_start|><|video_pad|><|vision_end|>"

    def clip_blocks(self, clock: Clock | None, grid: tuple[int, int, int], tokens_per_second: float) -> list[Block]:
        """Return the clip as one block."""
        interval = 1.0 if clock is None else clock.seconds_per_step * tokens_per_second
        return [Block(grid[0] * grid[1] * grid[2], grid, interval)]

    def encoder_outputs(self, features: Features) -> dict[str, Any]:
        """Return the pooled features, per kind."""
        outputs = {}
        for kind, value in features.pooled.items():
            outputs[kind] = BaseModelOutputWithPooling(pooler_output=(value,))  # type: ignore[arg-type]
        return outputs
