"""Features of a frozen tower, kept beside the frames and used again by later steps, epochs and runs.

An entry holds one image or clip. Its name covers all that its features depend on: the tower's weights and config, the
number type and kind of device, and the very pixels (which frames of which content, edits, size in patches).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from safetensors.torch import load, save
from torch import Tensor

from reelgym.models.family import KINDS, Features, Prompt
from reelgym.models.parts import tower_of

if TYPE_CHECKING:
    from reelgym.models.base import Policy

VERSION = 1
"""Raised whenever the same pixels would give other patches, or an entry another form."""


@runtime_checkable
class Blobs(Protocol):
    """Where bytes are kept under a name; `video.Store` is one."""

    def blob(self, name: str) -> bytes | None:
        """Return the bytes of a name, or None."""
        ...

    def keep_blob(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, as long as there is room."""
        ...


class KeptFeatures:
    """Features of a policy's frozen tower in a store."""

    def __init__(self, policy: Policy, blobs: Blobs) -> None:
        """Hold a policy whose tower does not change."""
        self._policy, self._blobs = policy, blobs

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the tower's weights and config, with device kind and number type; hashed once."""
        tower = tower_of(self._policy.model)
        assert tower is not None
        total = hashlib.sha256(f"{VERSION} {self._policy.family.name} {self._policy.device.type}".encode())
        total.update(self._policy.model.config.vision_config.to_json_string().encode())
        for name, value in sorted(tower.state_dict().items()):
            total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            total.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
        return total.hexdigest()

    def load(self, prompt: Prompt) -> Features | None:
        """Return the features of a prompt in host memory, or None unless all of its images and clips are kept.

        An entry of another form or length is as good as none: the tower runs again.
        """
        if not prompt.grids or any(len(prompt.names.get(kind, ())) != len(prompt.grids[kind]) for kind in prompt.grids):
            return None
        found: dict[str, list[dict[str, Tensor]]] = {}
        for kind in prompt.grids:
            for name, tokens in zip(self._entries(prompt, kind), self._tokens(prompt, kind), strict=True):
                data = self._blobs.blob(name)
                levels = None if data is None else load(data)
                if not levels or any(len(level) != tokens for level in levels.values()):
                    return None
                found.setdefault(kind, []).append(levels)
        joined = {
            kind: {level: torch.cat([part[level] for part in parts]) for level in parts[0]}
            for kind, parts in found.items()
        }
        deepstack = {
            kind: [levels[key] for key in sorted(levels) if key != "pooled"] for kind, levels in joined.items()
        }
        return Features(
            pooled={kind: levels["pooled"] for kind, levels in joined.items()},
            deepstack={kind: levels for kind, levels in deepstack.items() if levels},
        )

    def save(self, prompt: Prompt, features: Features) -> None:
        """Keep the features of a prompt, one entry for each image and clip that is named."""
        for kind in KINDS:
            if not features.count(kind) or len(prompt.names.get(kind, ())) != len(prompt.grids[kind]):
                continue
            sizes = self._tokens(prompt, kind)
            levels = {"pooled": features.pooled[kind]}
            levels |= {f"level {i:02d}": level for i, level in enumerate(features.deepstack.get(kind, ()))}
            parts = {key: torch.split(level.detach().cpu(), sizes) for key, level in levels.items()}
            for place, name in enumerate(self._entries(prompt, kind)):
                self._blobs.keep_blob(name, save({key: part[place].contiguous() for key, part in parts.items()}))

    def _entries(self, prompt: Prompt, kind: str) -> list[str]:
        """Return the name of the entry of each image or clip."""
        grids = prompt.grids[kind].tolist()
        told = [f"{self.fingerprint} {kind} {n} {g}" for n, g in zip(prompt.names[kind], grids, strict=True)]
        return [hashlib.sha256(one.encode()).hexdigest() for one in told]

    def _tokens(self, prompt: Prompt, kind: str) -> list[int]:
        merge = self._policy.family.pixels.merge**2
        return [int(size) // merge for size in prompt.grids[kind].prod(1)]


def name_of(part: Mapping[str, object]) -> str:
    """Return the name of an image's or clip's pixels from its JSON form: times shown are not among them."""
    kind, media = next(iter(part.items()))
    assert isinstance(media, Mapping)
    return json.dumps([kind, {key: value for key, value in media.items() if key != "shown_seconds"}], sort_keys=True)


def size_bytes(features: Features) -> int:
    """Return the bytes of all levels."""
    levels = [*features.pooled.values(), *(level for found in features.deepstack.values() for level in found)]
    return sum(level.numel() * level.element_size() for level in levels)


def moved(features: Features, device: torch.device) -> Features:
    """Return features on another device."""

    def to(value: Tensor) -> Tensor:
        return value.to(device)

    pooled = {kind: to(value) for kind, value in features.pooled.items()}
    deepstack = {kind: [to(level) for level in levels] for kind, levels in features.deepstack.items()}
    return replace(features, pooled=pooled, deepstack=deepstack)
