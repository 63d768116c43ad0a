"""What the solvers of tasks about changed pixels share: how the frames of a part look unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from task_contract import World

from reelgym.data.edits import apply
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample


def media_parts(sample: Sample) -> list[Image | Clip]:
    """Return the images and clips of a prompt."""
    return [part for m in sample.messages for part in m.parts if not isinstance(part, Text)]


def shown(sample: Sample, world: World, place: int = 0) -> np.ndarray:
    """Return the pixels that the prompt shows."""
    return world.media(media_parts(sample)[place])


def unchanged(sample: Sample, world: World, place: int = 0, keep: Iterable[str] = ()) -> np.ndarray:
    """Return the pixels of the rendered frames without the edits, but for those named; in order of true time."""
    part = media_parts(sample)[place]
    plain = replace(part, edits=tuple(edit for edit in part.edits if edit.name in keep))
    if isinstance(plain, Clip):
        plain = replace(plain, times=tuple(sorted(plain.times)), shown_seconds=None)
    return world.media(plain)


def relit(sample: Sample, pixels: np.ndarray, place: int = 0) -> np.ndarray:
    """Return pixels in the light that was added to the part."""
    part = media_parts(sample)[place]
    times = part.times if isinstance(part, Clip) else (part.time,)
    return apply(pixels, times, [edit for edit in part.edits if edit.name in ("shade", "dapple", "tone")])


def nearest(pixels: np.ndarray, candidates: Iterable[np.ndarray]) -> int:
    """Return which candidate differs least; one of another shape never does."""
    wanted = pixels.astype(np.int16)
    gaps = [np.abs(wanted - c.astype(np.int16)).mean() if c.shape == pixels.shape else np.inf for c in candidates]
    return int(np.argmin(gaps))
