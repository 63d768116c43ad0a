"""The policy: a model with its tokenizer and family; prompts and features go in, logits and text come out.

Shapes: B rows, T tokens of a row, P tokens of a prompt, D model width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.modeling_outputs import BaseModelOutputWithPast

from reelgym.data.messages import Clip, Image, Message
from reelgym.models import pieces, prompts, saving, vision
from reelgym.models.family import Family, Features, Media, Prompt
from reelgym.models.fingerprint import fingerprint
from reelgym.models.patches import Sizing

__all__ = ["Family", "Features", "Media", "Policy", "Prompt"]


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
        return int(self.tokenizer.convert_tokens_to_ids(self.family.end_token))

    @cached_property
    def pad_id(self) -> int:
        """The id that fills what is not read."""
        return int(self.tokenizer.convert_tokens_to_ids(self.family.pad_token))

    @cached_property
    def placeholder_ids(self) -> dict[str, int]:
        """The id that a feature of each kind replaces."""
        return {kind: int(getattr(self.model.config, f"{kind}_token_id")) for kind in self.family.kinds}

    @cached_property
    def forbidden_ids(self) -> torch.Tensor:
        """Ids that are never sampled: what marks vision in a prompt. (K,) int64, ascending."""
        known = {str(added): number for number, added in self.tokenizer.added_tokens_decoder.items()}
        layout = [token for token in self.family.layout_tokens if token in known]
        return torch.tensor(sorted(known[token] for token in (*self.family.vision_tokens, *layout)))

    def encode(self, messages: Sequence[Message], media: Media, *, generate: bool = True) -> Prompt:
        """Return the prompt of messages.

        Args:
            messages: The turns.
            media: Gives the pixels of each image and clip.
            generate: Whether the prompt ends where the assistant starts to write.
        """
        return prompts.encode(self, messages, media, generate=generate)

    def encode_all(self, every: Sequence[Sequence[Message]], media: Media, *, generate: bool = True) -> list[Prompt]:
        """Return what `encode` returns for each of several lists of messages.

        An image or clip that several of them show is read and cut into patches once, and held once.
        """
        return prompts.encode_all(self, every, media, generate=generate)

    def encode_reply_to(self, messages: Sequence[Message], media: Media) -> Prompt:
        """Return what a chat adds after a completion that has ended, up to where the assistant writes again.

        Its positions begin at 0; `Prompt.joined` puts it behind what came before.

        Args:
            messages: What tools or the user answered.
            media: Gives the pixels of each image and clip.

        Raises:
            RequestError: The chat template does not end an assistant's turn as the family does.
        """
        return prompts.encode_reply_to(self, messages, media)

    def resized(self, part: Image | Clip, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels (F, H, W, 3) of an image or clip as another engine must be given them to see the same."""
        return prompts.resized(self, part, pixels)

    def features(self, given: Sequence[Prompt]) -> list[Features]:
        """Return each prompt's vision features; the tower runs once per prompt, many prompts in one call.

        They carry gradients where the tower's parameters do.
        """
        return vision.features(self, given)

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
        cache = {"past_key_values": past_key_values, "use_cache": use_cache}
        return vision.hidden(self, ids, positions, list(features or ()), {**cache, **attention_kwargs})

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return (..., V) float32 (float64 of a float64 model): the head's logits of hidden states (..., D)."""
        logits: torch.Tensor = self.model.lm_head(hidden)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def fingerprint(self) -> str:
        """Return a name for all that the policy's greedy replies depend on; see `models.fingerprint`."""
        return fingerprint(self)

    def set_attention(self, name: str) -> None:
        """Choose the text model's attention function by its registered name; the tower keeps its own."""
        self.model.set_attn_implementation({"text_config": name})

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of plain text; text that names a special token is refused."""
        prompts.refuse_special(text, self.tokenizer)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def pieces(self, ids: Sequence[int] | torch.Tensor) -> list[str]:
        """Return the text each id adds; joined they are `decode(ids)`.

        A character that spans several ids belongs to the last of them; special tokens add nothing.
        """
        return pieces.joined(self._token_bytes(int(token)) for token in ids)

    def decode(self, ids: Sequence[int] | torch.Tensor) -> str:
        """Return the text of ids, special tokens left out."""
        return "".join(self.pieces(ids))

    def save(self, folder: str | Path, state: dict[str, torch.Tensor] | None = None) -> None:
        """Write a folder that stock transformers, vLLM and `models.load` serve; an adapter alone under LoRA.

        `state` holds the weights by name where the model's own are not whole.
        """
        saving.save(self, Path(folder), state)

    def save_processor(self, folder: str | Path) -> None:
        """Write its tokenizer, chat template and preprocessors alone, as transformers reads them."""
        saving.save_processor(self, Path(folder))

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        return {}

    def _token_bytes(self, token: int) -> bytes:
        if token not in self._bytes_of:
            self._bytes_of[token] = pieces.token_bytes(self.tokenizer, token)
        return self._bytes_of[token]
