"""What the tasks about time share: a video's frames in order, stretches of it as clips, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelgym.data.edits import Edit
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


@dataclass(frozen=True, kw_only=True)
class JitteredConfig(ClipConfig):
    """The same for tasks that compare clips of one video."""

    jitter: float = 0.15
    """How much the light of each clip is changed at random, against matching by brightness; see `toned`. Ours."""

    def __post_init__(self) -> None:
        """Refuse light that would hide the picture."""
        super().__post_init__()
        if not 0 <= self.jitter <= 0.5:
            raise RequestError(f"jitter={self.jitter} is outside [0, 0.5]: give how much the light of clips may change")


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


def toned(rng: np.random.Generator, jitter: float) -> tuple[Edit, ...]:
    """Return the edit that puts one clip in a light of its own: gain, offset and saturation drawn within the jitter.

    Slow changes of light would else tell which clips are neighbours. The offset is drawn within half of it.

    Args:
        rng: The stream; three draws are taken from it, whatever the jitter.
        jitter: 0 gives no edit.
    """
    gain, offset, saturation = (float(value) for value in np.round(rng.uniform(-jitter, jitter, 3), 3))
    return (Edit("tone", (1 + gain, offset / 2, 1 + saturation)),) if jitter else ()


def clip(
    video: str,
    spec: FrameSpec,
    times: Sequence[float],
    *,
    clock: Sequence[float] | None = None,
    edits: tuple[Edit, ...] = (),
) -> Clip:
    """Return a clip whose clock starts at 0, so that its times do not tell where in the video it was.

    Args:
        video: Identity of the source.
        spec: At the model's size.
        times: Of the frames, in the order shown.
        clock: Ascending times to tell instead of `times`, such as the same ones sorted.
        edits: Done to its pixels.
    """
    told = times if clock is None else clock
    shown = tuple(round(time - told[0], 6) for time in told)
    return Clip(video=video, spec=spec, times=tuple(times), shown_seconds=shown, edits=edits)


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


def balanced(ranks: Sequence[int], count: int, rng: np.random.Generator) -> int:
    """Return the place of an option whose rank comes nearest to one drawn evenly from 0..count - 1.

    A shortcut that ranks by looks then gains nothing where options of every rank exist.
    """
    wanted = int(rng.integers(count))
    off = np.abs(np.asarray(ranks) - wanted)
    nearest = np.flatnonzero(off == off.min())
    return int(nearest[int(rng.integers(len(nearest)))])
