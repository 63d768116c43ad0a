"""Messages: the only prompt form in the house. Media are named, never held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reelgym.data.edits import Edit, from_list
from reelgym.video.types import FrameSpec

GREY = "grey:"
"""The identity of a video of which every pixel is 128: what the blind probe shows."""


@dataclass(frozen=True)
class Text:
    """Plain text; never holds a media placeholder."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """One frame of a video: the frame of `spec` whose true time is `time` (seconds). Shown without its time.

    `edits` are done to its pixels after reading.
    """

    video: str
    spec: FrameSpec
    time: float
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames of a video, shown as video: those frames of `spec` whose true times are `times`, in this order.

    `shown_seconds` are the times the model is told; None tells it `times`. They differ in probes, and where a task
    shows frames in another order. `edits` are done to the pixels after reading; one of a span goes by true times.
    """

    video: str
    spec: FrameSpec
    times: tuple[float, ...]
    shown_seconds: tuple[float, ...] | None = None
    edits: tuple[Edit, ...] = ()


Part = Text | Image | Clip


@dataclass(frozen=True)
class Message:
    """One turn of a prompt. `role` is `system`, `user` or `assistant`."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


def to_json(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return messages as JSON values; `from_json` undoes it exactly."""
    return [{"role": m.role, "parts": [part_to_json(part) for part in m.parts]} for m in messages]


def from_json(value: list[dict[str, Any]]) -> tuple[Message, ...]:
    """Return the messages written by `to_json`."""
    return tuple(Message(m["role"], tuple(_part_from_json(part) for part in m["parts"])) for m in value)


def part_to_json(part: Part) -> dict[str, Any]:
    """Return a part as JSON values, under the one key `text`, `image` or `clip`."""
    if isinstance(part, Text):
        return {"text": part.text}
    named = {"video": part.video, "spec": part.spec.to_json()}
    # Left out where there are none: files of plain media keep their bytes and stay readable by older releases.
    edits = {"edits": [edit.to_json() for edit in part.edits]} if part.edits else {}
    if isinstance(part, Image):
        return {"image": named | {"time": part.time} | edits}
    shown = {} if part.shown_seconds is None else {"shown_seconds": list(part.shown_seconds)}
    return {"clip": named | {"times": list(part.times)} | shown | edits}


def _part_from_json(value: dict[str, Any]) -> Part:
    if "text" in value:
        return Text(value["text"])
    media = value.get("image") or value["clip"]
    video, spec = media["video"], FrameSpec.from_json(media["spec"])
    edits = from_list(media.get("edits", []))
    if "image" in value:
        return Image(video=video, spec=spec, time=media["time"], edits=edits)
    times, shown = tuple(media["times"]), media.get("shown_seconds")
    return Clip(video=video, spec=spec, times=times, shown_seconds=tuple(shown) if shown else None, edits=edits)
