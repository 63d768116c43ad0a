"""Messages to prompts: the chat template, placeholders counted out, patches and positions."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message, Text, part_to_json
from reelgym.errors import RequestError
from reelgym.models.family import Cut, Media, Prompt
from reelgym.models.features import name_of
from reelgym.models.positions import Block, clock, place

if TYPE_CHECKING:
    from reelgym.models.base import Policy

logger = logging.getLogger(__name__)

ASSETS = Path(__file__).parent / "assets"

_WROTE = "what-the-policy-wrote"
"""Stands for a completion while the template is asked for what follows it."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """One image or clip, cut into patches, with the kind of part it is and the kind of features it gets."""

    part: str
    kind: str
    cut: Cut
    name: str
    error_seconds: float = 0.0


def encode(policy: Policy, messages: Sequence[Message], media: Media, *, generate: bool) -> Prompt:
    """Return the prompt of messages; see `Policy.encode`."""
    return encode_all(policy, [messages], media, generate=generate)[0]


def encode_all(policy: Policy, every: Sequence[Sequence[Message]], media: Media, *, generate: bool) -> list[Prompt]:
    """Return the prompt of each list of messages; see `Policy.encode_all`."""
    cut = _Cut(policy, media)
    return [_encoded(policy, _rendered(policy, one, generate=generate), one, cut) for one in every]


def encode_reply_to(policy: Policy, messages: Sequence[Message], media: Media) -> Prompt:
    """Return what follows a completion that has ended; see `Policy.encode_reply_to`."""
    before = (Message("user", (Text("."),)), Message("assistant", (Text(_WROTE),)))
    text = _rendered(policy, (*before, *messages), generate=True)
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
            found = {kind: [item.cut.patches for item in seen if item.kind == kind] for kind in kinds}
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
        grids={k: torch.tensor([s.cut.grid for s in seen if s.kind == k]) for k in kinds},
        next_position=int(positions[:, -1].max()) + 1,
        time_error_seconds=max((s.error_seconds for s in seen), default=0.0),
        repeated_frames=sum(s.cut.repeated for s in seen),
        messages=tuple(messages),
        media=cut.media,
        names={k: tuple(s.name for s in seen if s.kind == k) for k in kinds},
    )


def _rendered(policy: Policy, messages: Sequence[Message], *, generate: bool) -> str:
    """Return the text of the template that the family's processor takes for these messages."""
    parts = [part for message in messages for part in message.parts]
    clips = any(isinstance(part, Clip) for part in parts)
    file = policy.family.clip_template if clips else None
    other = None if file is None else (ASSETS / file).read_text(encoding="utf-8")
    text = render(policy.tokenizer, messages, generate=generate, template=other)
    for token in policy.family.shown.values():
        if any(isinstance(part, Text) and token in part.text for part in parts):
            raise RequestError(f"a text holds {token}, which stands for an image or a clip: remove it")
    return text


def render(tokenizer: Any, messages: Sequence[Message], *, generate: bool, template: str | None = None) -> str:
    """Return the chat template's text, one placeholder per image or clip; `template` takes the tokenizer's place."""
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
    how = {} if template is None else {"chat_template": template}
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generate, **how))


def refuse_special(text: str, tokenizer: Any) -> None:
    """Refuse text that would be read as special tokens: it could end a turn or stand for an image."""
    if "<" in text:
        for token in [str(added) for added in tokenizer.added_tokens_decoder.values() if added.special]:
            if token in text:
                raise RequestError(f"the text holds the special token {token}: remove it from {text[:60]!r}")


def resized(policy: Policy, part: Image | Clip, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels (F, H, W, 3) at the size in which a policy sees them; see `Policy.resized`."""
    family = policy.family
    return (family.clip_pixels if isinstance(part, Clip) else family.pictures)(pixels, policy.sizing)


def _see(policy: Policy, part: Image | Clip, pixels: NDArray[np.uint8]) -> _Seen:
    family, name = policy.family, name_of(part_to_json(part))
    if isinstance(part, Image):
        cut = family.image(pixels, policy.sizing)
        return _Seen("image", "image", cut, name + cut.manner)
    times = part.times if part.shown_seconds is None else part.shown_seconds
    if len(times) != len(pixels):
        raise RequestError(f"a clip of {len(pixels)} frames is shown with {len(times)} times: they must be as many")
    told = clock(times, family.pixels.temporal)
    shown = told if policy.timestamps == "true" else None
    tokens_per_second = float(getattr(policy.model.config.vision_config, "tokens_per_second", 0))
    cut = family.clip(pixels, shown, policy.sizing, tokens_per_second=tokens_per_second)
    error = told.error_seconds if family.times_are_spaced and shown else 0.0
    if error > 1.0:
        logger.info("a clip's even spacing is up to %.2f s from its true times", error)
    return _Seen("video", family.kinds[-1], cut, name + cut.manner, error)


def _fill(policy: Policy, text: str, seen: Sequence[_Seen]) -> str:
    """Put each part's text in its place, after checking that the template shows every image and clip once."""
    tokens = policy.family.shown
    for kind, token in tokens.items():
        shown, wanted = text.count(token), sum(item.part == kind for item in seen)
        if shown != wanted:
            raise RequestError(
                f"the chat template of {policy.source} shows {shown} of {wanted} {kind} parts: "
                "use a folder whose template places images and videos"
            )
    waiting = {token: iter([item.cut.text for item in seen if item.part == kind]) for kind, token in tokens.items()}
    return re.sub("|".join(map(re.escape, waiting)), lambda found: next(waiting[found[0]]), text)


def _count_out(policy: Policy, tokens: Sequence[int], seen: Sequence[_Seen]) -> tuple[list[int], list[Block]]:
    """Return ids with each placeholder repeated once per feature, and the blocks that place them."""
    waiting = {
        number: iter([block for item in seen if item.kind == kind for block in item.cut.blocks])
        for kind, number in policy.placeholder_ids.items()
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
