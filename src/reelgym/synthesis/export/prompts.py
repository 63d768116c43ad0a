"""Prompts to turns with media as files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from reelgym.data.dataset import canonical
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.data.templates import with_instruction
from reelgym.synthesis.export.base import Frozen, Shown, Turn
from reelgym.tasks import base as tasks

Namer = Callable[[Image | Clip], tuple[tuple[str, ...], tuple[int, int]]]
"""From a part to the names of its frames and their (height, width)."""

_MARK = re.compile(r"<(?:image|video|audio)>|<\|[^<>|\s]{1,40}\|>")


def unfit(sample: Sample) -> str | None:
    """Return why a sample cannot be exported, or None: its text would be read as a medium or as a special token."""
    for message in sample.messages:
        for part in message.parts:
            if isinstance(part, Text) and (found := _MARK.search(part.text)):
                return f"its text holds {found[0]}"
    return None


def frozen(sample: Sample, variant: str, index: int, files: tuple[PurePath, Namer], *, as_images: bool) -> Frozen:
    """Return a sample as formats take it.

    Args:
        sample: Of a dataset.
        variant: `direct` or `tagged`: which instruction stands at its end.
        index: Its place.
        files: The folder that frames are named in, and what freezes the frames of a part and names them.
        as_images: Whether each clip becomes images, every one after its time in the text.
    """
    turns = []
    for message in with_instruction(sample.messages, variant):
        pieces: list[str | Shown] = []
        for part in message.parts:
            pieces += [part.text] if isinstance(part, Text) else _shown(part, *files, as_images=as_images)
        turns.append(Turn(message.role, tuple(pieces)))
    return Frozen(
        sample=sample, turns=tuple(turns), reply=_reply(sample, variant), carried=carried(sample), index=index
    )


def carried(sample: Sample) -> str:
    """Return all of a sample that scoring needs, as one text: its prompt and its gold reply stay behind."""
    evidence = {name: value for name, value in sample.evidence.items() if name != "gold"}
    return canonical({"id": sample.id, "task": sample.task, "answer": sample.answer, "evidence": evidence})


def _shown(part: Image | Clip, root: PurePath, named: Namer, *, as_images: bool) -> list[str | Shown]:
    names, size = named(part)
    files = tuple(str(root / name) for name in names)
    if isinstance(part, Image):
        return [Shown(kind="image", files=files, seconds=(part.time,), size=size)]
    seconds = part.times if part.shown_seconds is None else part.shown_seconds
    if not as_images:
        return [Shown(kind="clip", files=files, seconds=seconds, size=size)]
    pieces: list[str | Shown] = []
    for file, time in zip(files, seconds, strict=True):
        pieces += [f"\n{time:.1f} s: ", Shown(kind="image", files=(file,), seconds=(time,), size=size)]
    return pieces


def _reply(sample: Sample, variant: str) -> str:
    gold = tasks.get(sample.task).gold(sample)
    if variant == "direct":
        return gold
    return str(sample.evidence.get("gold") or f"<answer>{gold}</answer>")
