"""Patch swap: which two parts of the picture, or of the clip, were exchanged?

What it does. Cuts a frame, or every frame of a clip, into four quarters, or a clip into four groups of frames; then it
exchanges two of them and asks which two.
Why. Knowing what belongs where, or what comes before what, is enough to answer, and nothing else should be.
Example. An image whose sky stands at the lower left; option `top left and bottom left`.
How it is scored. One of six options. strict: the right pair. smooth: also a quarter for a pair that shares one part.
Limits. Where the parts look alike nobody can tell; pairs that look the same are refused. Lines that are cut at the
seams give answers away: `gutter` covers them, and `baselines` says how far the edges of the parts still go, which is
farther in real pictures than in rendered ones.
References. ViSS-R1 (arXiv 2511.13054): two of 2 x 2 patches of an image (`form=image`), two of four groups of 8 frames
of a video (`form=groups`). Ours: patches of a whole clip (`form=clip`), the gutter, the trimmed border, frames left out
between groups, the added light.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.data.edits import Edit
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Choice, Draft, Reel, lettered, likeness, stretch
from reelgym.tasks.timeline import ALIKE, ClipConfig
from reelgym.tasks.transforms import PAIRS, TRANSFORMS, Media, edited
from reelgym.video import GridDescriptor

FORMS = ("image", "clip", "groups")
"""What is exchanged in what."""


@dataclass(frozen=True, kw_only=True)
class PatchSwapConfig(ClipConfig):
    """The numbers of the construction; all but the four parts are ours."""

    reward: str = "strict"
    """What `Score.value` is: `strict` (the paper's) or `smooth`. Both are always in the parts."""
    form: Literal["image", "clip", "groups"] = "image"
    """Quarters of one frame, quarters of every frame of a clip, or groups of a clip's frames."""
    frames: int = 8
    """Frames of a clip; a multiple of 4 for groups. ViSS-R1's groups: 32."""
    gutter: float = 0.5
    """Width of the grey bars over the seams, as a share of a quarter's shorter side."""
    trim: float = 0.1
    """Share of the picture cut off at each side: a dark border, once inside, tells who came from the edge."""
    between: int = 2
    """Frames left out between two groups, so that matching ends tell less."""
    light: float = 0.35
    """How much darker a quarter, of groups a frame, gets at most, 0 to 1: light that fits across a seam or between
    frames must not tell the answer."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if self.form not in FORMS or not 4 <= self.frames <= 256 or self.frames % 4:
            raise RequestError(f"form={self.form!r}, frames={self.frames}: {', '.join(FORMS)}; 4, 8, 12 ... 256 frames")
        if (
            not 0 <= self.gutter <= 0.8
            or not 0 <= self.trim < 0.4
            or not 0 <= self.between <= 64
            or not 0 <= self.light <= 1
        ):
            raise RequestError(
                f"gutter={self.gutter}, trim={self.trim}, between={self.between}, light={self.light}: gutter within "
                "0 to 0.8, trim 0 to 0.4, between 0 to 64 frames, light 0 to 1"
            )


class PatchSwap(Choice):
    """Say which two quarters of a picture, or groups of a clip's frames, were exchanged (ViSS-R1, arXiv 2511.13054)."""

    name: ClassVar[str] = "patch_swap"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = PatchSwapConfig
    config: PatchSwapConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        own = {"image": 1, "clip": self.config.frames, "groups": self.config.frames + 3 * self.config.between}
        return own[self.config.form]

    def wanted_frames(self) -> int:
        """Return three clips' frames."""
        return 3 * (self.config.frames + 3 * self.config.between)

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random stretch or frame, or None where the exchange cannot be seen."""
        places = self._places(rng, len(reel))
        swapped = int(rng.integers(len(PAIRS)))
        if likeness(*self._two(reel.pixels[places], PAIRS[swapped])) >= ALIKE:
            return None
        transform = TRANSFORMS["groups" if self.config.form == "groups" else "patches"]
        asked = "This image was cut into four quarters. Which two were exchanged?"
        question = asked if self.config.form == "image" else transform.question
        return Draft(
            parts=(self._part(reel, places, swapped, rng), Text(f"\n{question}{lettered(transform.options)}")),
            answer=[swapped + 1],
            signature=(*places, swapped),
            evidence={"options": list(transform.options), "closeness": list(transform.closeness[swapped])}
            | {"form": self.config.form},
            facets={"form": self.config.form},
            times=reel.seconds(places),
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return the letters of `shortcuts`."""
        (part,) = (part for message in sample.messages for part in message.parts if not isinstance(part, Text))
        return {name: LETTERS[place] for name, place in shortcuts(part, media).items()}

    def _part(self, reel: Reel, places: list[int], swapped: int, rng: np.random.Generator) -> Media:
        """Return what is shown, exchanged and in other light."""
        config, times = self.config, reel.seconds(places)
        part: Media = Clip(video=reel.identity, spec=reel.shown, times=times)
        if config.form == "groups":
            # The gaps between groups must not show on the clock.
            step = (times[-1] - times[0]) / (len(times) - 1)
            clock = tuple(round(k * step, 6) for k in range(len(times)))
            part = Clip(video=reel.identity, spec=reel.shown, times=times, shown_seconds=clock)
            return TRANSFORMS["groups"].apply(part, swapped, rng, light=config.light)
        if config.form == "image":
            part = Image(video=reel.identity, spec=reel.shown, time=times[0])
        if config.trim:
            part = edited(part, Edit("crop", (config.trim, config.trim, 1 - config.trim, 1 - config.trim)))
        return TRANSFORMS["patches"].apply(part, swapped, rng, light=config.light, gutter=config.gutter)

    def _places(self, rng: np.random.Generator, total: int) -> list[int]:
        config = self.config
        if config.form == "image":
            return stretch(rng, total, 1)
        if config.form == "clip":
            return stretch(rng, total, config.frames)
        whole, size = stretch(rng, total, self.least), config.frames // 4
        return [whole[k * (size + config.between) + i] for k in range(4) for i in range(size)]

    def _two(self, pixels: NDArray[np.uint8], pair: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the two parts that are exchanged, as frames."""
        if self.config.form == "groups":
            size = len(pixels) // 4
            first, second = (pixels[k * size : (k + 1) * size] for k in pair)
            return first, second
        high, wide = pixels.shape[1] // 2, pixels.shape[2] // 2
        first, second = (
            pixels[:, k // 2 * high : (k // 2 + 1) * high, k % 2 * wide : (k % 2 + 1) * wide] for k in pair
        )
        return first, second


def shortcuts(part: Media, media: MediaReader) -> dict[str, int]:
    """Return which pair was exchanged, a place of `PAIRS`, as told by those who know no object and no event.

    * seams: the exchange whose undoing makes the edges beside the seams fit best; of groups of frames, their ends.
    * light: the exchange whose undoing makes the upper half brightest; of groups, the light change least.
    """
    pixels = media(part)
    tiles = [edit for edit in part.edits if edit.name == "tiles"]
    if not tiles:
        size = len(pixels) // 4
        light = pixels.mean(axis=(1, 2, 3))[:, None] / 255
        scored = {"seams": _ends(GridDescriptor().describe(pixels), size), "light": _ends(light, size, distance=True)}
    else:
        quarters = _quarters(pixels.astype(np.float64).mean(axis=0), float(tiles[-1].args[2]))
        # Divided by its mean each quarter is as bright as the others, whatever light was added.
        level = [quarter / max(1.0, float(quarter.mean())) for quarter in quarters]
        scored = {"seams": [_fit(level, place) for place in range(len(PAIRS))]}
        scored["light"] = [sum(float(q.mean()) for q in _undone(quarters, k)[:2]) for k in range(len(PAIRS))]
    return {name: int(np.argmax(np.round(values, 6))) for name, values in scored.items()}


def _quarters(picture: NDArray[np.float64], gutter: float) -> list[NDArray[np.float64]]:
    """Return the four quarters (h, w, 3) without what the gutter covers."""
    high, wide = picture.shape[0] // 2, picture.shape[1] // 2
    cut = int(np.ceil(gutter * min(high, wide) / 2))
    rows, columns = (
        (slice(0, max(1, side - cut)), slice(min(side + cut, 2 * side - 1), 2 * side)) for side in (high, wide)
    )
    return [picture[row, column] for row in rows for column in columns]


def _undone(quarters: list[NDArray[np.float64]], place: int) -> list[NDArray[np.float64]]:
    first, second = PAIRS[place]
    out = list(quarters)
    out[first], out[second] = quarters[second], quarters[first]
    return out


def _fit(quarters: list[NDArray[np.float64]], place: int) -> float:
    """Return minus the mean step over the seams after an exchange is undone.

    The edges that meet at a seam are those beside the gutter, whichever quarter they came from: a quarter from the left
    shows its right edge at the seam, and that is where it belongs only if it is from the left.
    """
    a, b, c, d = _undone(quarters, place)
    across = [np.abs(a[:, -1] - b[:, 0]).mean(), np.abs(c[:, -1] - d[:, 0]).mean()]
    down = [np.abs(a[-1] - c[0]).mean(), np.abs(b[-1] - d[0]).mean()]
    return -float(np.mean(across + down))


def _ends(rows: NDArray[Any], size: int, *, distance: bool = False) -> list[float]:
    """Return for each exchange how well the ends of the groups fit once it is undone."""
    fits = []
    for first, second in PAIRS:
        order = [0, 1, 2, 3]
        order[first], order[second] = second, first
        joints = [(rows[(a + 1) * size - 1], rows[b * size]) for a, b in pairwise(order)]
        fits.append(sum(-float(np.abs(a - b).sum()) if distance else float(a @ b) for a, b in joints))
    return fits
