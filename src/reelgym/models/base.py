"""The nouns of this room: what goes into a model (`Prompt`, `Features`), a model family, and the policy itself.

Shapes: B rows, T tokens of a row, P tokens of a prompt, n patches, m images or clips, D model width, V vocabulary.
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.modeling_outputs import BaseModelOutputWithPast

from reelgym.data.messages import Clip, Image, Message
from reelgym.errors import RequestError
from reelgym.models.patches import PixelFormat, Sizing
from reelgym.models.positions import Block, Clock

Kind = Literal["image", "video"]
KINDS: tuple[Kind, ...] = ("image", "video")
Media = Callable[[Image | Clip], NDArray[np.uint8]]
"""Gives the pixels (F, H, W, 3) uint8 of an image (F = 1) or clip."""

TOWER_PATCHES = 32_768
"""Patches per call of the vision tower: bounds its memory; a prompt is never divided."""


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
    """

    ids: torch.Tensor
    positions: torch.Tensor
    patches: dict[str, torch.Tensor]
    grids: dict[str, torch.Tensor]
    next_position: int
    time_error_seconds: float = 0.0
    repeated_frames: int = 0

    def __len__(self) -> int:
        """Return the number of tokens P."""
        return len(self.ids)


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


@dataclass(eq=False)
class Policy:
    """A model with everything needed to speak to it: one adapter per family over the stock transformers class.

    Attributes:
        model: The stock transformers model (`*ForConditionalGeneration`).
        tokenizer: Its tokenizer, with its chat template.
        family: What sets its family apart.
        source: The name it was loaded by.
        sizing: Pixel budgets of images and clips; replace it to spend fewer tokens.
        timestamps: `true` shows clips their times; `none` hides them (audits only).
        cold_started: False where the weights are random.
    """

    model: Any
    tokenizer: Any
    family: Family
    source: str
    sizing: Sizing
    timestamps: Literal["true", "none"] = "true"
    cold_started: bool = True

    @property
    def position_rule(self) -> str:
        """Name of the rule by which prompts are placed."""
        return self.family.position_rule + ("" if self.timestamps == "true" else "+no-timestamps")

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return torch.device(self.model.device)

    @cached_property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end a completion: those of the generation config."""
        ids = self.model.generation_config.eos_token_id
        ids = self.tokenizer.eos_token_id if ids is None else ids
        return frozenset([ids] if isinstance(ids, int) else ids)

    @cached_property
    def end_id(self) -> int:
        """The id that ends an assistant's turn in the chat template."""
        return int(self.tokenizer.convert_tokens_to_ids("<|im_end|>"))

    @cached_property
    def pad_id(self) -> int:
        """The id that fills what is not read."""
        return int(self.tokenizer.convert_tokens_to_ids("<|endoftext|>"))

    @cached_property
    def placeholder_ids(self) -> dict[str, int]:
        """The id that a feature of each kind replaces."""
        config = self.model.config
        return {"image": int(config.image_token_id), "video": int(config.video_token_id)}

    @cached_property
    def forbidden_ids(self) -> torch.Tensor:
        """Ids that are never sampled: what marks vision in a prompt. (K,) int64, ascending."""
        return torch.tensor(sorted(self.tokenizer.convert_tokens_to_ids(token) for token in VISION_TOKENS))

    def encode(self, messages: Sequence[Message], media: Media, *, generate: bool = True) -> Prompt:
        """Return the prompt of messages.

        Args:
            messages: The turns.
            media: Gives the pixels of each image and clip.
            generate: Whether the prompt ends where the assistant starts to write.
        """
        from reelgym.models.prompts import encode

        return encode(self, messages, media, generate=generate)

    def features(self, prompts: Sequence[Prompt]) -> list[Features]:
        """Return each prompt's vision features; the tower runs once per prompt, many prompts in one call.

        They carry gradients where the tower's parameters do.
        """
        from reelgym.models.vision import features

        return features(self, prompts)

    def hidden(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        *,
        features: Sequence[Features] | None,
        past_key_values: Any = None,
        use_cache: bool = False,
        **attention_kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Run the model without its vision tower and without its head.

        Args:
            ids: (B, T) int64.
            positions: (3, B, T) int64.
            features: What replaces the placeholders of `ids`, in row-major order; None where there are none.
            past_key_values: A transformers cache that holds what comes before, or None.
            use_cache: Whether to return the cache.
            **attention_kwargs: Handed down to the attention function (`attention_mask` among them).

        Returns:
            `last_hidden_state` (B, T, D) and `past_key_values`.

        Raises:
            RequestError: Placeholders and features differ in number.
        """
        from reelgym.models.vision import hidden

        cache = {"past_key_values": past_key_values, "use_cache": use_cache}
        return hidden(self, ids, positions, list(features or ()), {**cache, **attention_kwargs})

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return (..., V) float32: the head's logits of hidden states (..., D)."""
        return self.model.lm_head(hidden).float()  # type: ignore[no-any-return]

    def set_attention(self, name: str) -> None:
        """Choose the text model's attention function by its registered name; the tower keeps its own."""
        self.model.set_attn_implementation({"text_config": name})

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of plain text; text that names a special token is refused."""
        from reelgym.models.prompts import refuse_special

        refuse_special(text, self.tokenizer)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def pieces(self, ids: Sequence[int] | torch.Tensor) -> list[str]:
        """Return the text each id adds; joined they are `decode(ids)`.

        A character that spans several ids belongs to the last of them; special tokens add nothing.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pieces = [decoder.decode(self._token_bytes(int(token))) for token in ids]
        rest = decoder.decode(b"", True)
        if rest:
            pieces[-1] += rest
        return pieces

    def decode(self, ids: Sequence[int] | torch.Tensor) -> str:
        """Return the text of ids, special tokens left out."""
        return "".join(self.pieces(ids))

    def save(self, folder: str | Path) -> None:
        """Write a folder that stock transformers, vLLM and `models.load` serve; an adapter alone under LoRA."""
        from reelgym.models.load import save

        save(self, Path(folder))

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        return {}

    def _token_bytes(self, token: int) -> bytes:
        if token not in self._bytes_of:
            added = self.tokenizer.added_tokens_decoder.get(token)
            if added is not None:
                self._bytes_of[token] = b"" if added.special else added.content.encode()
            else:
                written = self.tokenizer.convert_ids_to_tokens(token) or ""
                self._bytes_of[token] = bytes(_BYTE_OF[character] for character in written)
        return self._bytes_of[token]


VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")


def _byte_alphabet() -> dict[str, int]:
    """Return the byte that each character of a byte-level BPE token stands for (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(moved)}


_BYTE_OF = _byte_alphabet()


def unsupported(model_type: str, known: Sequence[str]) -> RequestError:
    """Return the error for a model of a family that has no adapter."""
    return RequestError(f"no adapter for models of type {model_type!r}. Known: {', '.join(sorted(known))}")
