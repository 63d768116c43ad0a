"""Messages to prompts: the chat template, placeholders counted out, patches and positions."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message, Text, part_to_json
from reelgym.errors import RequestError
from reelgym.models.family import Media, Prompt
from reelgym.models.features import name_of
from reelgym.models.patches import fit_image, patchify, resize
from reelgym.models.positions import Block, clock, place

if TYPE_CHECKING:
    from reelgym.models.base import Policy

logger = logging.getLogger(__name__)

IMAGE = "<|image_pad|>"
VIDEO = "<|video_pad|>"
WRAPPED_VIDEO = f"<|vision_start|>{VIDEO}<|vision_end|>"
_WROTE = "what-the-policy-wrote"
"""Stands for a completion while the template is asked for what follows it."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """One image or clip, cut into patches: what stands for it in the text, and its blocks."""

    kind: str
    patches: NDArray[np.float32]
    grid: tuple[int, int, int]
    text: str
    blocks: list[Block]
    name: str
    repeated: int = 0
    error_seconds: float = 0.0


def encode(policy: Policy, messages: Sequence[Message], media: Media, *, generate: bool) -> Prompt:
    """Return the prompt of messages; see `Policy.encode`."""
    return encode_all(policy, [messages], media, generate=generate)[0]


def encode_all(policy: Policy, every: Sequence[Sequence[Message]], media: Media, *, generate: bool) -> list[Prompt]:
    """Return the prompt of each list of messages; see `Policy.encode_all`."""
    cut = _Cut(policy, media)
    return [_encoded(policy, render(policy.tokenizer, one, generate=generate), one, cut) for one in every]


def encode_reply_to(policy: Policy, messages: Sequence[Message], media: Media) -> Prompt:
    """Return what follows a completion that has ended; see `Policy.encode_reply_to`."""
    before = (Message("user", (Text("."),)), Message("assistant", (Text(_WROTE),)))
    text = render(policy.tokenizer, (*before, *messages), generate=True)
    _, found, after = text.partition(_WROTE)
    end = str(policy.tokenizer.convert_ids_to_tokens(policy.end_id))
    if not found or not after.startswith(end):
        raise RequestError(
            f"the chat template of {policy.source} does not end an assistant's turn with {end}: "
            "use a folder whose template does, or give every turn a prompt of its own"
        )
    return _encoded(policy, after.removeprefix(end), messages, _Cut(policy, media))


class _Cut:
    """Images and clips cut into patches: each once, however many prompts show it."""

    def __init__(self, policy: Policy, media: Media) -> None:
        self.media = media
        self._policy = policy
        self._seen: dict[Image | Clip, _Seen] = {}
        self._joined: dict[tuple[Image | Clip, ...], dict[str, torch.Tensor]] = {}

    def seen(self, parts: Sequence[Image | Clip]) -> list[_Seen]:
        for part in parts:
            if part not in self._seen:
                self._seen[part] = _see(self._policy, part, self.media(part))
        return [self._seen[part] for part in parts]

    def patches(self, parts: tuple[Image | Clip, ...]) -> dict[str, torch.Tensor]:
        """Return the patches of each kind; prompts of the same media hold the same tensors."""
        if parts not in self._joined:
            seen = self.seen(parts)
            kinds = sorted({item.kind for item in seen})
            found = {kind: [item.patches for item in seen if item.kind == kind] for kind in kinds}
            # A single one is not copied: long clips are large.
            self._joined[parts] = {
                kind: torch.from_numpy(several[0] if len(several) == 1 else np.concatenate(several))
                for kind, several in found.items()
            }
        return dict(self._joined[parts])


def _encoded(policy: Policy, text: str, messages: Sequence[Message], cut: _Cut) -> Prompt:
    """Return the prompt of a template's text and the media it shows."""
    parts = tuple(part for message in messages for part in message.parts if not isinstance(part, Text))
    seen = cut.seen(parts)
    text = _fill(policy, text, seen)
    ids, blocks = _count_out(policy, policy.tokenizer(text, add_special_tokens=False)["input_ids"], seen)
    positions = place(blocks)
    kinds = sorted({item.kind for item in seen})
    return Prompt(
        ids=torch.tensor(ids, dtype=torch.int64),
        positions=positions,
        patches=cut.patches(parts),
        grids={k: torch.tensor([s.grid for s in seen if s.kind == k], dtype=torch.int64) for k in kinds},
        next_position=int(positions[:, -1].max()) + 1,
        time_error_seconds=max((s.error_seconds for s in seen), default=0.0),
        repeated_frames=sum(s.repeated for s in seen if s.kind == "video"),
        messages=tuple(messages),
        media=cut.media,
        names={k: tuple(s.name for s in seen if s.kind == k) for k in kinds},
    )


def render(tokenizer: Any, messages: Sequence[Message], *, generate: bool) -> str:
    """Return the chat template's text, one placeholder per image or clip."""
    turns = []
    for message in messages:
        parts = []
        for part in message.parts:
            if isinstance(part, Text):
                refuse_special(part.text, tokenizer)
                parts.append({"type": "text", "text": part.text})
            else:
                kind = "image" if isinstance(part, Image) else "video"
                parts.append({"type": kind, kind: kind})
        turns.append({"role": message.role, "content": parts})
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generate))


def refuse_special(text: str, tokenizer: Any) -> None:
    """Refuse text that would be read as special tokens: it could end a turn or stand for an image."""
    if "<|" in text:
        for token in [str(added) for added in tokenizer.added_tokens_decoder.values() if added.special]:
            if token in text:
                raise RequestError(f"the text holds the special token {token}: remove it from {text[:60]!r}")


def resized(policy: Policy, part: Image | Clip, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels (F, H, W, 3) at the size in which a policy sees them; see `Policy.resized`."""
    size = fitted(policy, part, *pixels.shape[:3])
    return np.stack([resize(frame, size) for frame in pixels])


def fitted(policy: Policy, part: Image | Clip, frames: int, height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) in which a policy sees frames of this height and width."""
    family, sizing = policy.family, policy.sizing
    if isinstance(part, Clip):
        return family.clip_size(frames, height, width, sizing)
    budget = {"min_pixels": sizing.image_min_pixels, "max_pixels": sizing.image_max_pixels}
    return fit_image(height, width, factor=family.pixels.factor, **budget)


def _see(policy: Policy, part: Image | Clip, pixels: NDArray[np.uint8]) -> _Seen:
    family, form = policy.family, policy.family.pixels
    frames, height, width = pixels.shape[:3]
    size = fitted(policy, part, frames, height, width)
    name = name_of(part_to_json(part))
    if isinstance(part, Image):
        patches, grid, _ = patchify(pixels, size, form)
        merged = _merged(grid, form.merge)
        return _Seen("image", patches, grid, IMAGE, [Block(merged[1] * merged[2], merged)], name)
    times = part.times if part.shown_seconds is None else part.shown_seconds
    if len(times) != frames:
        raise RequestError(f"a clip of {frames} frames is shown with {len(times)} times: they must be as many")
    patches, grid, repeated = patchify(pixels, size, form)
    told = clock(times, form.temporal)
    shown = told if policy.timestamps == "true" else None
    tokens_per_second = float(getattr(policy.model.config.vision_config, "tokens_per_second", 0))
    blocks = family.clip_blocks(shown, _merged(grid, form.merge), tokens_per_second)
    error = told.error_seconds if family.times_are_spaced and shown else 0.0
    if error > 1.0:
        logger.info("a clip's even spacing is up to %.2f s from its true times", error)
    return _Seen("video", patches, grid, family.clip_text(shown, grid[0]), blocks, name, repeated, error)


def _merged(grid: tuple[int, int, int], merge: int) -> tuple[int, int, int]:
    return grid[0], grid[1] // merge, grid[2] // merge


def _fill(policy: Policy, text: str, seen: Sequence[_Seen]) -> str:
    """Put each clip's text in its place, after checking that the template shows every image and clip once."""
    for kind, token in (("image", IMAGE), ("video", VIDEO)):
        shown, wanted = text.count(token), sum(item.kind == kind for item in seen)
        if shown != wanted:
            raise RequestError(
                f"the chat template of {policy.source} shows {shown} of {wanted} {kind} parts: "
                "use a folder whose template places images and videos"
            )
    clips = iter([item.text for item in seen if item.kind == "video"])
    return re.sub(re.escape(WRAPPED_VIDEO), lambda _: next(clips), text)


def _count_out(policy: Policy, tokens: Sequence[int], seen: Sequence[_Seen]) -> tuple[list[int], list[Block]]:
    """Return ids with each placeholder repeated once per feature, and the blocks that place them."""
    waiting = {
        policy.placeholder_ids[kind]: iter([block for item in seen if item.kind == kind for block in item.blocks])
        for kind in ("image", "video")
    }
    ids: list[int] = []
    blocks: list[Block] = []
    text = 0
    for token in tokens:
        if token not in waiting:
            ids.append(token)
            text += 1
            continue
        block = next(waiting[token])
        ids.extend([token] * block.tokens)
        blocks += [Block(text), block]
        text = 0
    return ids, [*blocks, Block(text)]
