"""What the tasks about time share: a video's frames in order, stretches of it as clips, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Part, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.graded import REWARDS
from reelgym.tasks.base import MediaReader
from reelgym.tasks.shown import model_size
from reelgym.video import FrameSpec, GridDescriptor, Video

ALIKE = 0.9995
"""Two clips whose frames are, one by one, this similar in the mean count as the same clip. Ours."""

TRIES = 24
"""Draws before a sample is given up. Ours."""


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """What every task that shows clips can be told. All defaults are ours."""

    fps: float | str = "auto"
    """Frames per second taken from the video, or `auto`: the least of 1, 2, 4, 8 that gives enough of them."""
    reward: str = "smooth"
    """What `Score.value` is: `strict` (all or nothing) or `smooth` (partial credit). Both are always in the parts."""
    size: tuple[int, int] | None = None
    """Height and width in pixels shown to the model. None: from the next settings."""
    short_side: int | None = None
    """Shorter side in pixels shown to the model. None: as large as `max_pixels` allows."""
    max_pixels: int = 128 * 28 * 28
    """Largest height x width shown to the model."""
    multiple: int = 28
    """Height and width are multiples of this: one merged patch of the smallest supported model family."""
    analysis_side: int = 64
    """Shorter side in pixels at which frames are compared."""

    def __post_init__(self) -> None:
        """Refuse what no task can do."""
        if self.reward not in REWARDS:
            raise RequestError(f"reward={self.reward!r}: 'strict' or 'smooth'")
        if self.fps != "auto" and not (isinstance(self.fps, int | float) and 0 < self.fps <= 1000):
            raise RequestError(f"fps={self.fps!r}: give frames per second in (0, 1000], or auto")

    def analysed(self, fps: float) -> FrameSpec:
        """Return the spec at which frames are compared; prompts name the same instants at the model's size."""
        return FrameSpec(fps=fps, short_side=self.analysis_side)

    def shown(self, video: Video, fps: float) -> FrameSpec:
        """Return the spec that the prompts of a video name."""
        fitted = model_size(video.height, video.width, self.short_side, self.max_pixels, self.multiple)
        return FrameSpec(fps=fps, size=self.size or fitted)


def alike(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Return the mean similarity of the frames of two clips, one by one; (F, D) unit rows each."""
    return float(np.einsum("fd,fd->f", left, right).mean())


def distinct(clips: NDArray[np.float32]) -> bool:
    """Return whether no two of the clips look the same; (K, F, D) unit rows."""
    flat = clips.reshape(len(clips), -1)
    similar = flat @ flat.T / clips.shape[1]
    np.fill_diagonal(similar, -1)
    return float(similar.max()) < ALIKE


def spread(start: int, stop: int, count: int) -> list[int]:
    """Return `count` places spread evenly over start..stop - 1, both ends among them.

    >>> spread(10, 20, 4)
    [10, 13, 16, 19]
    """
    return [int(place) for place in np.rint(np.linspace(start, stop - 1, count))]


def clip(video: str, spec: FrameSpec, times: Sequence[float]) -> Clip:
    """Return a clip whose clock starts at 0, so that its times do not tell where in the video it was."""
    first = min(times)
    return Clip(video=video, spec=spec, times=tuple(times), shown_seconds=tuple(round(t - first, 6) for t in times))


def numbered(name: str, clips: Sequence[Clip]) -> list[Part]:
    """Return the clips, each under its name and number from 1."""
    parts: list[Part] = []
    for number, item in enumerate(clips, 1):
        parts += [Text(f"\n{name} {number}:\n"), item]
    return parts


def clips_of(sample: Sample) -> list[Clip]:
    """Return the clips of a prompt, in order."""
    return [part for message in sample.messages for part in message.parts if isinstance(part, Clip)]


def described(clips: Sequence[Clip], media: MediaReader) -> list[NDArray[np.float32]]:
    """Return (F, D) unit rows for every clip as shown."""
    return [GridDescriptor().describe(media(part)) for part in clips]


def sharpness(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return (F,) how much fine grain each frame has: the mean step between neighbouring pixels.

    Codecs keep more of it in some frames than in others (key frames, and every frame less the longer ago the last one
    was), which can tell where in a file a frame lay without telling anything about its content.
    """
    grey = pixels.astype(np.float64).mean(axis=3)
    across, down = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)), np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
    return np.asarray(across + down)
