"""The nouns of this room: what goes into a model (`Prompt`, `Features`) and what sets a model family apart.

Shapes: B rows, T tokens of a row, P tokens of a prompt, n patches, m images or clips, D model width, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message
from reelgym.models.patches import PixelFormat, Sizing
from reelgym.models.positions import Block, Clock

VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
"""What marks vision in a prompt, in both families."""

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

        This is the position rule of both families: what follows a clip starts at the largest position so far plus one.
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


class Family(ABC):
    """What sets a model family apart: its classes, special ids, pixels, template, time, and feature placement."""

    name: ClassVar[str]
    """The `model_type` of its config."""
    position_rule: ClassVar[str]
    """Name of the rule of its positions; stored with checkpoints and results."""
    times_are_spaced: ClassVar[bool]
    """Whether it is told a clip's mean spacing instead of its times."""
    pixels: ClassVar[PixelFormat]
    sizing: ClassVar[Sizing]
    template: ClassVar[str]
    """File of its chat template in `assets/`."""
    preprocessors: ClassVar[Mapping[str, str]]
    """Class names for `preprocessor_config.json`: `image`, `video`, `processor`."""

    @abstractmethod
    def model_class(self) -> type[Any]:
        """Return the stock transformers class."""

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

    @abstractmethod
    def encoder_outputs(self, features: Features) -> dict[str, Any]:
        """Return the features in the form of transformers' `mm_encoder_outputs`."""
