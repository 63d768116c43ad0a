"""A stated budget of frames: clips of a dataset thinned by a seeded draw, alike for every model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from reelgym.data.messages import Clip, Message
from reelgym.data.sample import Sample
from reelgym.errors import RequestError


def budgeted(samples: Sequence[Sample], frames: int, seed: int = 0) -> list[Sample]:
    """Return samples whose clips have at most `frames` frames: of every equal part of a clip one, drawn by the seed.

    Args:
        samples: To change.
        frames: Most frames of one clip, at least 1; images are no frames.
        seed: With the sample's id and the clip's place it decides the draw.
    """
    if frames < 1:
        raise RequestError(f"--frames {frames}: a clip keeps at least 1")

    def cut(sample: Sample) -> Sample:
        place = 0
        messages = []
        for message in sample.messages:
            parts = []
            for part in message.parts:
                place += 1
                is_long = isinstance(part, Clip) and len(part.times) > frames
                parts.append(_thinned(part, frames, f"{seed} {sample.id} {place}") if is_long else part)  # type: ignore[arg-type]
            messages.append(Message(message.role, tuple(parts)))
        return replace(sample, messages=tuple(messages))

    return [cut(sample) for sample in samples]


def _thinned(clip: Clip, frames: int, name: str) -> Clip:
    count = len(clip.times)
    kept = []
    for part in range(frames):
        low, high = part * count // frames, (part + 1) * count // frames
        drawn = int.from_bytes(hashlib.sha256(f"frames {name} {part}".encode()).digest()[:8], "little")
        kept.append(low + drawn % (high - low))
    shown = clip.shown_seconds
    return replace(
        clip,
        times=tuple(clip.times[place] for place in kept),
        shown_seconds=None if shown is None else tuple(shown[place] for place in kept),
    )
