"""The model's own processor, as transformers builds it from a folder: what our pixels and tokens are measured against.

It is never used to make prompts: its video half needs torchvision, and the positions that go with it differ by release.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.models.family import Prompt

if TYPE_CHECKING:
    from reelgym.models.base import Policy


class OfficialImages:
    """The image processor of a folder of the Qwen families, in its PIL variant."""

    def __init__(self, folder: str) -> None:
        """Read `preprocessor_config.json` of a folder or hub name as transformers does."""
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        self._made: Any = Qwen2VLImageProcessorPil.from_pretrained(folder)

    def patches(self, frame: NDArray[np.uint8]) -> tuple[torch.Tensor, tuple[int, int, int]]:
        """Return the patches (n, D) of a frame (H, W, 3), and their grid (t, h, w)."""
        made = self._made(images=[frame], return_tensors="pt", input_data_format="channels_last")
        steps, rows, columns = made["image_grid_thw"][0].tolist()
        return made["pixel_values"], (steps, rows, columns)

    def count(self, height: int, width: int) -> int:
        """Return how many patches a picture of so many pixels becomes."""
        return int(self._made.get_number_of_image_patches(height, width, {}))


def stock_positions(policy: Policy, prompt: Prompt, seconds_per_step: Sequence[float]) -> torch.Tensor:
    """Return (3, P): where the installed transformers itself would put the tokens of a prompt.

    Args:
        policy: Whose model is asked.
        prompt: The prompt.
        seconds_per_step: Of each clip, seconds between its temporal patches; read by Qwen2.5-VL alone.
    """
    kinds = torch.zeros_like(prompt.ids)
    for number, kind in enumerate(("image", "video"), 1):
        kinds[prompt.ids == policy.placeholder_ids[kind]] = number
    grids = {f"{kind}_grid_thw": prompt.grids.get(kind) for kind in ("image", "video")}
    seconds = torch.tensor(list(seconds_per_step)) if seconds_per_step else None
    found, _ = policy.model.model.get_rope_index(prompt.ids[None], kinds[None], **grids, second_per_grid_ts=seconds)
    return torch.as_tensor(found)[:, 0]


def stock_times(policy: Policy, prompt: Prompt, seconds: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return how the times of a prompt's one clip are told, and how transformers tells those of its frames.

    Args:
        policy: Whose model is asked.
        prompt: It shows one clip.
        seconds: Of the clip's frames: whole ones, evenly spaced.

    Returns:
        The texts between the pairs (Qwen3-VL), or each pair's position in time, counted from the clip's first
        (Qwen2.5-VL); ours and those of transformers.
    """
    temporal = policy.family.pixels.temporal
    if not policy.family.times_are_spaced:
        from transformers import Qwen3VLProcessor

        told = re.findall(r"<[0-9.]+ seconds>", str(policy.tokenizer.decode(prompt.ids)))
        at = Qwen3VLProcessor._calculate_timestamps(None, [round(one) for one in seconds], 1.0, temporal)  # type: ignore[arg-type]
        return told, [f"<{second:.1f} seconds>" for second in at]
    apart = (seconds[-1] - seconds[0]) / (len(seconds) - 1) * temporal
    mask = prompt.ids == policy.placeholder_ids["video"]
    both = []
    for positions in (prompt.positions, stock_positions(policy, prompt, [apart])):
        axis = positions[0, mask]
        both.append([str(place) for place in sorted(set((axis - axis.min()).tolist()))])
    return both[0], both[1]


def stock_logits(policy: Policy, prompt: Prompt, patches: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return (P, V): the logits of the stock model, tower included, for patches that somebody else cut.

    Args:
        policy: Whose model runs.
        prompt: Its ids, grids and positions are used.
        patches: By kind, (n, D).
    """
    given: dict[str, Any] = {"input_ids": prompt.ids[None], "position_ids": prompt.positions[:, None]}
    for kind, values, grid in (
        ("image", "pixel_values", "image_grid_thw"),
        ("video", "pixel_values_videos", "video_grid_thw"),
    ):
        if kind in patches:
            given |= {values: patches[kind].to(policy.model.dtype), grid: prompt.grids[kind]}
    moved = {name: value.to(policy.device) for name, value in given.items()}
    tower = policy.model.model.visual.config
    ours, tower._attn_implementation = tower._attn_implementation, "sdpa"
    try:
        with torch.no_grad():
            return torch.as_tensor(policy.model(**moved).logits)[0].float()
    finally:
        tower._attn_implementation = ours
