"""The model's own processor, as transformers builds it from a folder: what our pixels and tokens are measured against.

It is never used to make prompts: its video half needs torchvision, and the positions that go with it differ by release.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.models.family import Prompt
from reelgym.models.internvl import InternVL
from reelgym.models.official_tiles import OfficialInternVL, OfficialSmolVLM, frame_labels
from reelgym.models.smolvlm import SmolVLM
from reelgym.models.tiles import Tiled

if TYPE_CHECKING:
    from reelgym.models.base import Policy


class Official(Protocol):
    """A model's own image processor."""

    def patches(self, frame: NDArray[np.uint8]) -> tuple[torch.Tensor, tuple[int, int, int]]:
        """Return the patches (n, D) of a picture (H, W, 3), and their grid (t, h, w)."""
        ...

    def frames(self, pixels: NDArray[np.uint8]) -> list[torch.Tensor]:
        """Return the patches of each frame of a clip (F, H, W, 3), as if it stood in every place of its step."""
        ...

    def count(self, height: int, width: int) -> int:
        """Return how many patches a picture of so many pixels becomes."""
        ...

    def text(self, frame: NDArray[np.uint8]) -> str:
        """Return what the processor writes for a picture (H, W, 3), every placeholder by itself."""
        ...


def images(policy: Policy, folder: str) -> Official:
    """Return the image processor of a policy's family, made from the files of a folder or hub name."""
    if isinstance(policy.family, InternVL):
        return OfficialInternVL(policy.family, folder)
    if isinstance(policy.family, SmolVLM):
        return OfficialSmolVLM(policy.family, folder, math.isqrt(policy.sizing.video_max_pixels))
    return OfficialImages(policy, folder)


class OfficialImages:
    """The image processor of a folder of the Qwen families, in its PIL variant."""

    def __init__(self, policy: Policy, folder: str) -> None:
        """Read `preprocessor_config.json` of a folder or hub name as transformers does."""
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        self._policy = policy
        self._made: Any = Qwen2VLImageProcessorPil.from_pretrained(folder)

    def patches(self, frame: NDArray[np.uint8]) -> tuple[torch.Tensor, tuple[int, int, int]]:
        """Return the patches (n, D) of a frame (H, W, 3), and their grid (t, h, w)."""
        made = self._made(images=[frame], return_tensors="pt", input_data_format="channels_last")
        steps, rows, columns = made["image_grid_thw"][0].tolist()
        return made["pixel_values"], (steps, rows, columns)

    def frames(self, pixels: NDArray[np.uint8]) -> list[torch.Tensor]:
        """Return the patches of each frame of a clip (F, H, W, 3), as if it stood in every place of its step.

        As frames have pixel limits of their own, they are given as they are resized for a clip.
        """
        family, sizing = self._policy.family, self._policy.sizing
        return [self.patches(seen)[0] for seen in family.clip_pixels(pixels, sizing)]

    def text(self, frame: NDArray[np.uint8]) -> str:
        """Return what the processor writes for a picture (H, W, 3), every placeholder by itself."""
        return self._policy.family.shown["image"] * (len(self.patches(frame)[0]) // self._policy.family.pixels.merge**2)

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
    if policy.family.axes == 1:
        return torch.arange(len(prompt)).expand(3, -1)
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
        The texts between the pairs (Qwen3-VL) or before the frames (families of tiles), or each pair's position in
        time, counted from the clip's first (Qwen2.5-VL); ours and those of transformers.
    """
    if isinstance(policy.family, Tiled):
        return frame_labels(policy.family, str(policy.tokenizer.decode(prompt.ids)), seconds)
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
    if isinstance(policy.family, Tiled):
        return _stock_logits_of_tiles(policy, prompt, patches["image"])
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


@torch.no_grad()
def _stock_logits_of_tiles(policy: Policy, prompt: Prompt, patches: torch.Tensor) -> torch.Tensor:
    (tiles,) = policy.family.tower_inputs(patches, prompt.grids["image"])
    found = policy.model(
        input_ids=prompt.ids[None].to(policy.device),
        position_ids=prompt.positions[:1].to(policy.device),
        pixel_values=tiles.to(policy.device, policy.model.dtype),
    )
    return torch.as_tensor(found.logits)[0].float()
