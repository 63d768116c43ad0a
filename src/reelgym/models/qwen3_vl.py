"""Qwen3-VL: time is text. Reference: Qwen3-VL Technical Report, arXiv 2511.21631."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from reelgym.models.family import Family, Features
from reelgym.models.patches import PixelFormat, Sizing, fit_volume
from reelgym.models.positions import Block, Clock


class Qwen3VL(Family):
    """Each pair of frames is a grid of its own with its mean time written before it, `<1.5 seconds>`.

    The times are those of the video, so that a second clip goes on where the first one's clock stopped. Where times are
    not shown, the text between the pairs is left out.
    """

    name = "qwen3_vl"
    position_rule = "qwen3-vl:largest-plus-one"
    times_are_spaced = False
    pixels = PixelFormat(patch=16, merge=2, temporal=2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    sizing = Sizing(
        image_min_pixels=64 * 32 * 32,
        image_max_pixels=16384 * 32 * 32,
        video_min_pixels=4 * 32 * 32,
        video_max_pixels=24576 * 32 * 32,
    )
    template = "qwen3_vl.jinja"
    preprocessors: ClassVar[Mapping[str, str]] = {
        "image": "Qwen2VLImageProcessor",
        "video": "Qwen3VLVideoProcessor",
        "processor": "Qwen3VLProcessor",
    }

    def model_class(self) -> type[Any]:
        """Return the stock class."""
        from transformers import Qwen3VLForConditionalGeneration

        return Qwen3VLForConditionalGeneration

    def clip_size(self, frames: int, height: int, width: int, sizing: Sizing) -> tuple[int, int]:
        """Return the size of a frame: the clip's budget over all frames, and a cap for each (as qwen-vl-utils)."""
        factor, temporal = self.pixels.factor, self.pixels.temporal
        frames = max(frames, temporal)
        share = max(
            min(sizing.frame_max_tokens * factor**2, sizing.video_max_pixels // frames),
            int(sizing.video_min_pixels * 1.05),
        )
        budget = {"min_pixels": sizing.video_min_pixels, "max_pixels": share * frames}
        return fit_volume(frames, height, width, factor=factor, temporal=temporal, **budget)

    def clip_text(self, clock: Clock | None, steps: int) -> str:
        """Return one placeholder per pair of frames, each after its time."""
        pair = "<|vision_start|><|video_pad|><|vision_end|>"
        if clock is None:
            return pair * steps
        return "".join(f"<{seconds:.1f} seconds>{pair}" for seconds in clock.steps)

    def clip_blocks(self, clock: Clock | None, grid: tuple[int, int, int], tokens_per_second: float) -> list[Block]:
        """Return one block per pair of frames."""
        return [Block(grid[1] * grid[2], (1, grid[1], grid[2]))] * grid[0]

    def encoder_outputs(self, features: Features) -> dict[str, Any]:
        """Return the pooled features and their DeepStack levels, per kind."""
        from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

        outputs = {}
        for kind, value in features.pooled.items():
            levels = [(level,) for level in features.deepstack.get(kind, [])]
            outputs[kind] = BaseModelOutputWithDeepstackFeatures(pooler_output=(value,), deepstack_features=levels)  # type: ignore[arg-type]
        return outputs

    def limits(self, stated: Mapping[str, Mapping[str, Any]]) -> Sizing:
        """Return the pixel limits that released files state, and the cap of tokens of a frame where one is stated."""
        limits, most = super().limits(stated), stated["video"].get("max_video_tokens")
        return replace(limits, frame_max_tokens=int(most)) if most else limits

    def processor_files(self, sizing: Sizing) -> dict[str, dict[str, Any]]:
        """Return the files of its processor, the cap of tokens of a frame among them."""
        files = super().processor_files(sizing)
        files["video_preprocessor_config.json"]["max_video_tokens"] = sizing.frame_max_tokens
        return files
