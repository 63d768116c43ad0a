"""Prompts and vision features of a run: encoded once, and kept where the tower does not learn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from reelgym.data.messages import Message
from reelgym.errors import RequestError
from reelgym.models.features import Blobs, KeptFeatures, moved, size_bytes
from reelgym.models.recompute import recomputed
from reelgym.training.config import Media, TrainConfig

if TYPE_CHECKING:
    from reelgym.models.base import Features, Policy, Prompt


class Inputs:
    """Least-recently-used cache of encoded prompts and, under a frozen tower, of their features in host memory.

    Where the media come out of a store, frozen features are kept there too, for other epochs and runs.
    """

    def __init__(self, policy: Policy, media: Media, config: TrainConfig) -> None:
        """Keep as many prompts as the config says, and refuse those that are longer than it allows."""
        self._policy, self._media, self._config = policy, media, config
        self._prompts: OrderedDict[str, Prompt] = OrderedDict()
        self._features: dict[str, Features] = {}
        store = getattr(media, "store", None)
        self._kept = None if config.train_tower or not isinstance(store, Blobs) else KeptFeatures(policy, store)

    def prompt(self, key: str, messages: Callable[[], tuple[Message, ...]]) -> Prompt:
        """Return the prompt known as `key`; `messages` makes it where it is not kept.

        Raises:
            RequestError: It is longer than the cap.
        """
        if key not in self._prompts:
            prompt = self._policy.encode(messages(), self._media, generate=True)
            if len(prompt.ids) > (most := self._config.max_prompt_tokens):
                raise RequestError(
                    f"{key}: its prompt has {len(prompt.ids)} tokens, max_prompt_tokens={most}. "
                    "Raise it, or make samples of fewer or smaller frames"
                )
            self._prompts[key] = prompt
        self._prompts.move_to_end(key)
        return self._prompts[key]

    def features(self, keys: Sequence[str]) -> list[Features]:
        """Return the features of prompts that `prompt` returned last; with gradients where the tower learns."""
        prompts = [self._prompts[key] for key in keys]
        if self._config.train_tower:
            with recomputed(self._policy.model, on=self._config.gradient_checkpointing):
                found = self._policy.features(prompts)
            self._evict()
            return found
        missing = [key for key in dict.fromkeys(keys) if key not in self._features]
        for key, value in zip(missing, self._made([self._prompts[key] for key in missing]), strict=True):
            self._features[key] = value
            # The patches have served: what is left of the prompt is what sampling and training read.
            self._prompts[key] = replace(self._prompts[key], patches={})
        found = [moved(self._features[key], self._policy.device) for key in keys]
        self._evict()
        return found

    def _made(self, prompts: Sequence[Prompt]) -> list[Features]:
        """Return features in host memory, out of the store or else of the tower, which then keeps them there."""
        found = [self._kept.load(prompt) if self._kept else None for prompt in prompts]
        new = [place for place, features in enumerate(found) if features is None]
        if new:
            with torch.no_grad():
                made = self._policy.features([prompts[place] for place in new])
            for place, features in zip(new, made, strict=True):
                found[place] = kept = moved(features, torch.device("cpu"))
                if self._kept:
                    self._kept.save(prompts[place], kept)
        return [features for features in found if features is not None]

    def _evict(self) -> None:
        """Let those used longest ago go, until the rest is as few and as small as the config says."""
        most, room = self._config.feature_cache_prompts, self._config.feature_cache_gib * (1 << 30)
        sizes = {key: self._size(key) for key in self._prompts}
        total = sum(sizes.values())
        while self._prompts and (len(self._prompts) > most or total > room):
            key, _ = self._prompts.popitem(last=False)
            self._features.pop(key, None)
            total -= sizes[key]

    def _size(self, key: str) -> int:
        patches = sum(value.numel() * value.element_size() for value in self._prompts[key].patches.values())
        return patches + (size_bytes(self._features[key]) if key in self._features else 0)
