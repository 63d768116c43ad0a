"""Messages and pixels that the tests of this room and the golden scripts share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.models.base import Policy
from reelgym.video.types import FrameSpec

SPEC = FrameSpec(fps=1.0)
FORMS = ("text", "system", "image", "mixed", "turns")


def clip(*times: float, shown: tuple[float, ...] | None = None) -> Clip:
    return Clip(video="full:a", spec=SPEC, times=times, shown_seconds=shown)


def image(time: float) -> Image:
    return Image(video="full:a", spec=SPEC, time=time)


def messages(form: str) -> tuple[Message, ...]:
    """Return one of five message forms: everything that a template must know how to say."""
    if form == "text":
        return (Message("user", (Text("What is at c4?"),)),)
    if form == "system":
        return (Message("system", (Text("Be brief."),)), Message("user", (Text("What is at c4?"),)))
    if form == "image":
        return (Message("user", (image(2.0), Text("What is at c4?"))),)
    if form == "mixed":
        parts = (Text("Before: "), clip(0.0, 1.0, 2.0, 3.0), Text("\nCandidate 1: "), image(4.0))
        return (Message("user", (*parts, Text("\nCandidate 2: "), image(9.0), Text("\nWhich?"))),)
    asked = Message("user", (clip(0.0, 1.0, 2.5), Text("Where is it?")))
    return (asked, Message("assistant", (Text("At c4."),)), Message("user", (Text("And then?"),)))


def pixels(part: Image | Clip, side: int) -> NDArray[np.uint8]:
    """Return frames (F, side, side, 3) that follow from the part's times alone."""
    times = (part.time,) if isinstance(part, Image) else part.times
    return np.stack([triangle_wave(side, side, phase=round(time * 40)) for time in times])


def triangle_wave(height: int, width: int, phase: int) -> NDArray[np.uint8]:
    """Return a smooth frame made with integers only, so that every machine makes the same one."""
    row, column, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    walk = (row * 5 + column * 3 + channel * 90 + phase * 7) % 510
    return np.abs(walk - 255).astype(np.uint8)


def media(policy: Policy, tokens_per_side: int = 1):
    side = policy.family.pixels.factor * tokens_per_side
    return lambda part: pixels(part, side)
