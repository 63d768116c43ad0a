"""The image processors of the families of tiles, as transformers builds them from a folder; see `official`.

Shapes: T tiles, S the side of a tile in pixels.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.models.tiles import Tiled


class OfficialTiles(ABC):
    """The image processor of a folder, in its PIL variant."""

    def __init__(self, family: Tiled, made: Any) -> None:
        """Take a family and its processor."""
        self.family, self.made = family, made

    @abstractmethod
    def tiles(self, frame: NDArray[np.uint8], *, split: bool = True) -> torch.Tensor:
        """Return the tiles (T, 3, S, S) of a picture (H, W, 3); one where `split` is off, as for a frame of a clip."""

    @abstractmethod
    def text(self, frame: NDArray[np.uint8]) -> str:
        """Return what the family's processor writes for a picture (H, W, 3), every placeholder by itself."""

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
        """Return how many patches a picture of so many pixels becomes, by giving it a grey one."""
        grey = np.full((height, width, 3), 100, np.uint8)
        return len(self.tiles(grey)) * (self.family.tile // self.family.pixels.patch) ** 2


class OfficialInternVL(OfficialTiles):
    """That of InternVL3; its processor cuts images whatever the file says."""

    def __init__(self, family: Tiled, folder: str) -> None:
        """Read `preprocessor_config.json` of a folder or hub name as transformers does."""
        from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

        super().__init__(family, GotOcr2ImageProcessorPil.from_pretrained(folder))

    def tiles(self, frame: NDArray[np.uint8], *, split: bool = True) -> torch.Tensor:
        """See `OfficialTiles.tiles`."""
        how = {"return_tensors": "pt", "input_data_format": "channels_last", "crop_to_patches": split}
        return torch.as_tensor(self.made(images=[frame], **how)["pixel_values"])

    def text(self, frame: NDArray[np.uint8]) -> str:
        """See `OfficialTiles.text`."""
        from transformers import InternVLProcessor

        tokens = {"start_image_token": "<img>", "end_image_token": "</img>", "image_token": "<IMG_CONTEXT>"}
        processor: Any = SimpleNamespace(**tokens, image_seq_length=self.family.tokens)
        return str(InternVLProcessor.replace_image_token(processor, {"num_patches": [len(self.tiles(frame))]}, 0))


class OfficialSmolVLM(OfficialTiles):
    """That of SmolVLM2; frames of clips have a length of the longer edge of their own."""

    def __init__(self, family: Tiled, folder: str, longest: int) -> None:
        """Read `preprocessor_config.json` as transformers does; `longest` is the edge to which frames are resized."""
        from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

        super().__init__(family, SmolVLMImageProcessorPil.from_pretrained(folder))
        self._longest = longest

    def tiles(self, frame: NDArray[np.uint8], *, split: bool = True) -> torch.Tensor:
        """See `OfficialTiles.tiles`."""
        how: dict[str, Any] = {} if split else {"do_image_splitting": False, "size": {"longest_edge": self._longest}}
        made = self.made(images=[frame], return_tensors="pt", input_data_format="channels_last", **how)
        return torch.as_tensor(made["pixel_values"])[0]

    def text(self, frame: NDArray[np.uint8]) -> str:
        """See `OfficialTiles.text`."""
        from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

        made = self.made(images=[frame], return_row_col_info=True, input_data_format="channels_last")
        around = {"fake_token_around_image": "<fake_token_around_image>", "image_token": "<image>"}
        size = (made["rows"][0][0], made["cols"][0][0], self.family.tokens)
        spoken: Any = get_image_prompt_string
        return str(spoken(*size, **around, global_image_token="<global-img>"))


def frame_labels(family: Tiled, text: str, seconds: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return what stands before the frames of a prompt's one clip, and what the family's processor writes there.

    Args:
        family: Whose prompt it is.
        text: The prompt.
        seconds: Of the clip's frames.
    """
    if family.name == "smolvlm":
        return re.findall(r"Frame from (\d+:\d\d)(?=:<)", text), [
            f"{int(s // 60):02d}:{int(s % 60):02d}" for s in seconds
        ]
    return re.findall(r"Frame\d+(?=: <img>)", text), [f"Frame{number}" for number in range(1, len(seconds) + 1)]
