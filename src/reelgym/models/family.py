"""The nouns of this room: what goes into a model (`Prompt`, `Features`) and what sets a model family apart.

Shapes: B rows, T tokens of a row, P tokens of a prompt, n patches, m images or clips, D model width, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message
from reelgym.models.patches import Grid, PixelFormat, Sizing, fit_image, patchify, resize
from reelgym.models.positions import Block, Clock

VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
"""What marks vision in a prompt of the Qwen families."""

Kind = Literal["image", "video"]
KINDS: tuple[Kind, ...] = ("image", "video")
Media = Callable[[Image | Clip], NDArray[np.uint8]]
"""Gives the pixels (F, H, W, 3) uint8 of an image (F = 1) or clip."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompt:
    """A prompt as a model reads it.

    Attributes:
        ids: (P,) int64; every image and clip stands as as many placeholder ids as it has features.
        positions: (3, P) int64: time, row, column.
        patches: {"image" | "video": (n, values) float32}, in the order of the placeholders; only kinds present.
        grids: {"image" | "video": (m, 3) int64}: (t, h, w) in patches.
        next_position: Position of the first token after the prompt, on all three axes.
        time_error_seconds: How far, at most, the time a clip is told with is from the true one (Qwen2.5-VL).
        repeated_frames: Frames repeated because a clip's count did not fill its last temporal patch.
        messages: What it was made of; none where it was made otherwise.
        media: Where the pixels of `messages` come from; None without messages. Read by samplers in other processes.
        names: {"image" | "video": what the pixels of each are, in the same order}; empty where it is not known.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    patches: dict[str, torch.Tensor]
    grids: dict[str, torch.Tensor]
    next_position: int
    time_error_seconds: float = 0.0
    repeated_frames: int = 0
    messages: tuple[Message, ...] = ()
    media: Media | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of tokens P."""
        return len(self.ids)

    @staticmethod
    def of_ids(ids: torch.Tensor) -> Prompt:
        """Return text ids (P,) int64 as tokens that could be joined to others."""
        positions = torch.arange(len(ids), device=ids.device).expand(3, -1)
        return Prompt(ids=ids, positions=positions, patches={}, grids={}, next_position=len(ids))

    @staticmethod
    def joined(parts: Sequence[Prompt]) -> Prompt:
        """Return at least one part after the other as one, each placed where the one before ends.

        This is the position rule of all families: what follows a clip starts at the largest position so far plus one.
        """
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + part.next_position)
        kinds = [kind for kind in KINDS if any(kind in part.grids for part in parts)]
        return Prompt(
            ids=torch.cat([part.ids for part in parts]),
            positions=torch.cat([part.positions + start for part, start in zip(parts, starts, strict=False)], 1),
            patches={k: torch.cat([p.patches[k] for p in parts if k in p.patches]) for k in kinds if _held(parts, k)},
            grids={k: torch.cat([part.grids[k] for part in parts if k in part.grids]) for k in kinds},
            next_position=starts[-1],
            time_error_seconds=max(part.time_error_seconds for part in parts),
            repeated_frames=sum(part.repeated_frames for part in parts),
            names={kind: tuple(name for part in parts for name in part.names.get(kind, ())) for kind in kinds},
        )


def _held(parts: Sequence[Prompt], kind: str) -> bool:
    """Return whether the patches of a kind are at hand; they are dropped once their features are known."""
    return all(kind in part.patches for part in parts if kind in part.grids)


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What the vision tower says of one prompt.

    Attributes:
        pooled: {"image" | "video": (tokens, D)}, in the order of the placeholders; only kinds present.
        deepstack: The same for each level added to the first decoder layers (Qwen3-VL); empty elsewhere.
    """

    pooled: dict[str, torch.Tensor]
    deepstack: dict[str, list[torch.Tensor]] = field(default_factory=dict)

    def count(self, kind: str) -> int:
        """Return how many placeholders of a kind these features fill."""
        return len(self.pooled[kind]) if kind in self.pooled else 0

    def detach(self) -> Features:
        """Return the same features without their graph."""
        deepstack = {kind: [level.detach() for level in levels] for kind, levels in self.deepstack.items()}
        return Features(pooled={kind: value.detach() for kind, value in self.pooled.items()}, deepstack=deepstack)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """An image or clip as a family cuts it.

    Attributes:
        patches: (n, D) float32.
        grid: (t, h, w) in patches; n = t * h * w.
        text: What stands for it in the prompt: each run of placeholders as one.
        blocks: One for each run of placeholders in `text`.
        repeated: Frames repeated to fill the last temporal patch.
        manner: What else its pixels depend on beside the grid; part of the name of its features.
    """

    patches: NDArray[np.float32]
    grid: Grid
    text: str
    blocks: list[Block]
    repeated: int = 0
    manner: str = ""


class Family(ABC):
    """What sets a model family apart: its classes, special ids, pixels, template, time, and feature placement.

    What is not abstract is the way of the Qwen families.
    """

    name: ClassVar[str]
    """The `model_type` of its config."""
    kinds: ClassVar[tuple[Kind, ...]] = KINDS
    """Kinds of features; where there is no `video`, the frames of a clip are images to the model."""
    axes: ClassVar[int] = 3
    """Axes of its positions: 1 where a model is given one number for each token."""
    vision_tokens: ClassVar[tuple[str, ...]] = VISION_TOKENS
    """What marks vision in a prompt; never sampled."""
    shown: ClassVar[Mapping[str, str]] = {
        "image": "<|image_pad|>",
        "video": "<|vision_start|><|video_pad|><|vision_end|>",
    }
    """What its template writes for an image and for a clip; `Cut.text` takes its place."""
    marks: ClassVar[Mapping[str, str]] = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    """By kind of features, the token that stands for one of them."""
    layout_tokens: ClassVar[tuple[str, ...]] = ()
    """What else its processor writes around vision; never sampled where the tokenizer knows them as special tokens."""
    named_tokens: ClassVar[Mapping[str, str]] = {}
    """Special tokens that its processor looks up in the tokenizer by these names."""
    end_token: ClassVar[str] = "<|im_end|>"
    """Ends an assistant's turn."""
    pad_token: ClassVar[str] = "<|endoftext|>"
    """Fills what is not read."""
    position_rule: ClassVar[str]
    """Name of the rule of its positions; stored with checkpoints and results."""
    times_are_spaced: ClassVar[bool]
    """Whether it is told a clip's mean spacing instead of its times."""
    pixels: PixelFormat
    sizing: Sizing
    template: ClassVar[str]
    """File of its chat template in `assets/`."""
    clip_template: ClassVar[str | None] = None
    """The same for prompts with clips, whatever the folder's own says; None where its own serves them too."""
    reply_start: ClassVar[str] = ""
    """What an assistant's turn holds between the generation prompt and the reply."""
    preprocessors: ClassVar[Mapping[str, str]]
    """Class names for `preprocessor_config.json`: `image`, `video`, `processor`."""

    @abstractmethod
    def model_class(self) -> type[Any]:
        """Return the stock transformers class."""

    def configured(self, config: Any) -> Family:
        """Return the family with what the checkpoints of one family may state differently, as a config states it."""
        del config
        return self

    def config_pixels(self, config: Any) -> tuple[int, int, int]:
        """Return the (patch, merge, temporal) sizes that a config states."""
        vision = config.vision_config
        return vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size

    def image_size(self, height: int, width: int, sizing: Sizing) -> tuple[int, int]:
        """Return the (height, width) an image is resized to."""
        budget = {"min_pixels": sizing.image_min_pixels, "max_pixels": sizing.image_max_pixels}
        return fit_image(height, width, factor=self.pixels.factor, **budget)

    def image_patches(self, height: int, width: int, sizing: Sizing) -> int:
        """Return how many patches an image of so many pixels becomes."""
        rows, columns = self.image_size(height, width, sizing)
        return rows // self.pixels.patch * (columns // self.pixels.patch)

    def image(self, pixels: NDArray[np.uint8], sizing: Sizing) -> Cut:
        """Return an image, given as (1, H, W, 3), cut into patches."""
        height, width = pixels.shape[1:3]
        patches, grid, _ = patchify(pixels, self.image_size(height, width, sizing), self.pixels)
        merged = _merged(grid, self.pixels.merge)
        return Cut(patches=patches, grid=grid, text=self.shown["image"], blocks=[Block(merged[1] * merged[2], merged)])

    def clip(
        self, pixels: NDArray[np.uint8], clock: Clock | None, sizing: Sizing, *, tokens_per_second: float = 0.0
    ) -> Cut:
        """Return a clip (F, H, W, 3) cut into patches; `clock` is None where times are not shown."""
        frames = self.clip_pixels(pixels, sizing)
        patches, grid, repeated = patchify(frames, frames.shape[1:3], self.pixels)
        text = self.clip_text(clock, grid[0])
        blocks = self.clip_blocks(clock, _merged(grid, self.pixels.merge), tokens_per_second)
        return Cut(patches=patches, grid=grid, text=text, blocks=blocks, repeated=repeated)

    def clip_pixels(self, pixels: NDArray[np.uint8], sizing: Sizing) -> NDArray[np.uint8]:
        """Return the frames of a clip (F, H, W, 3) at the size in which they are cut."""
        frames, height, width = pixels.shape[:3]
        size = self.clip_size(frames, height, width, sizing)
        return np.stack([resize(frame, size, self.pixels.resample) for frame in pixels])

    def pictures(self, pixels: NDArray[np.uint8], sizing: Sizing) -> NDArray[np.uint8]:
        """Return an image (1, H, W, 3) as another engine must be given it to come to our patches."""
        height, width = pixels.shape[1:3]
        size = self.image_size(height, width, sizing)
        return np.stack([resize(frame, size, self.pixels.resample) for frame in pixels])

    @abstractmethod
    def clip_size(self, frames: int, height: int, width: int, sizing: Sizing) -> tuple[int, int]:
        """Return the (height, width) a clip of so many frames is resized to."""

    @abstractmethod
    def clip_text(self, clock: Clock | None, steps: int) -> str:
        """Return what stands in the prompt for a clip of `steps` temporal patches: each placeholder run as one token.

        `clock` is None where times are not shown.
        """

    @abstractmethod
    def clip_blocks(self, clock: Clock | None, grid: tuple[int, int, int], tokens_per_second: float) -> list[Block]:
        """Return one block per placeholder in `clip_text`, for a grid (t, h, w) counted in tokens."""

    def tower_inputs(self, patches: torch.Tensor, grids: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what `get_image_features` and `get_video_features` of the stock model take."""
        return patches, _coalesce(grids)

    @abstractmethod
    def encoder_outputs(self, features: Features) -> dict[str, Any]:
        """Return the features in the form of transformers' `mm_encoder_outputs`."""

    def states(self) -> dict[str, dict[str, Any]]:
        """Return by file (`image`, `video`, `processor`) the numbers that we set and a released file may state too."""
        form = self.pixels
        sizes = {"patch_size": form.patch, "merge_size": form.merge, "temporal_patch_size": form.temporal}
        return {"image": sizes | common(form), "video": sizes | common(form)}

    def limits(self, stated: Mapping[str, Mapping[str, Any]]) -> Sizing:
        """Return the pixel limits that released files state; our own where they state none."""
        limits = self.sizing
        for kind in KINDS:
            for bound in ("min", "max"):
                if name := stated[kind].get(f"{bound}_pixels"):
                    limits = replace(limits, **{f"{kind}_{bound}_pixels": int(name)})
        return limits

    def processor_files(self, sizing: Sizing) -> dict[str, dict[str, Any]]:
        """Return by name the files from which transformers and vLLM build the family's processor."""
        form, names = self.pixels, self.preprocessors
        shared = {
            "patch_size": form.patch,
            "merge_size": form.merge,
            "temporal_patch_size": form.temporal,
            "image_mean": list(form.mean),
            "image_std": list(form.std),
            "processor_class": names["processor"],
        }
        image = {"shortest_edge": sizing.image_min_pixels, "longest_edge": sizing.image_max_pixels}
        video = {"shortest_edge": sizing.video_min_pixels, "longest_edge": sizing.video_max_pixels}
        more = {"video_processor_type": names["video"], "size": video, "cap_pixels_per_frame": True}
        return {
            "preprocessor_config.json": {**shared, "image_processor_type": names["image"], "size": image},
            "video_preprocessor_config.json": {**shared, **more},
        }


def common(form: PixelFormat) -> dict[str, Any]:
    """Return what the processors of every family may state; a switch that is off would mean other pixels."""
    switches = dict.fromkeys(("do_resize", "do_rescale", "do_normalize", "do_convert_rgb"), True)
    rest = {"rescale_factor": 1 / 255, "resample": form.resample}
    return {"image_mean": list(form.mean), "image_std": list(form.std), **rest, **switches}


def _merged(grid: Grid, merge: int) -> Grid:
    return grid[0], grid[1] // merge, grid[2] // merge


def _coalesce(grids: torch.Tensor) -> torch.Tensor:
    """Return fewer grids for the same patches: neighbours of one height and width as one grid of all their steps.

    The tower sees each temporal step by itself, so that its result is the same; its bookkeeping is a loop over grids.
    """
    merged: list[list[int]] = []
    for steps, rows, columns in grids.tolist():
        if merged and merged[-1][1:] == [rows, columns]:
            merged[-1][0] += steps
        else:
            merged.append([steps, rows, columns])
    return torch.tensor(merged, dtype=torch.int64)
