"""Patch position: from which quarter of the image was this piece cut?

What it does. Shows a frame and a piece of one of its quarters, in other light, and asks which quarter.
Why. A small thing has to be found in a large picture, and its place told.
Example. A frame with a lamp at the upper right and a crop of the lamp; option `top right`.
How it is scored. One of four options. strict: the right one. smooth: also a quarter for one in its row or column.
Limits. Whoever compares the piece with every place of the frame, pixel by pixel, needs no understanding: that is the
skill that is asked for. Pieces that look the same as another quarter's are refused; flat ones with them.
References. SSL4RL (arXiv 2510.16416): a crop of 20 to 80%, the four corners as answers, exact match. Ours: the crop is
measured on its quarter and lies within it, the light, the refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reelgym.data.edits import Edit
from reelgym.data.messages import Image, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Choice, Draft, Reel, lettered
from reelgym.tasks.timeline import ClipConfig

CORNERS = ("top left", "top right", "bottom left", "bottom right")
"""The options."""

_PLAIN = 4.0
"""Grey levels by which a piece differs at least from a flat one, and from the same place of every other quarter, in the
mean. Ours."""


@dataclass(frozen=True, kw_only=True)
class PatchPositionConfig(ClipConfig):
    """The numbers of the construction; the sizes are SSL4RL's."""

    reward: str = "strict"
    """What `Score.value` is: `strict` (the paper's) or `smooth`. Both are always in the parts."""
    crop: tuple[float, float] = (0.2, 0.8)
    """Smallest and largest side of the piece as a share of its quarter's."""
    light: float = 0.4
    """How much darker the piece gets at most; its colours go from none to twice as strong. 0 leaves it as it is."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 0.05 <= self.crop[0] <= self.crop[1] <= 1 or not 0 <= self.light <= 0.9:
            raise RequestError(
                f"crop={self.crop}, light={self.light}: 0.05 <= low <= high <= 1 of a quarter's side, light 0 to 0.9"
            )


class PatchPosition(Choice):
    """Say from which quarter of an image a piece was cut (SSL4RL, arXiv 2510.16416)."""

    name: ClassVar[str] = "patch_position"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = PatchPositionConfig
    config: PatchPositionConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return 1

    def wanted_frames(self) -> int:
        """Return enough for frames that differ."""
        return 16

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random frame, or None where the piece could be from another quarter."""
        place, corner = int(rng.integers(len(reel))), int(rng.integers(4))
        wide, high = (float(share) for share in rng.uniform(*self.config.crop, 2))
        left, top = float(rng.uniform(0, 1 - wide)), float(rng.uniform(0, 1 - high))
        inside = tuple(round(value, 4) for value in (left, top, left + wide, top + high))
        if not _stands_out(reel.pixels[place], corner, inside):
            return None
        row, column = divmod(corner, 2)
        edits = [Edit("crop", tuple((v + (column, row)[k % 2]) / 2 for k, v in enumerate(inside)))]
        if self.config.light:
            gain = round(1 - self.config.light * float(rng.uniform(0, 1)), 4)
            edits.append(Edit("tone", (gain, 0.0, round(float(rng.uniform(0, 2)), 4))))
        whole = Image(video=reel.identity, spec=reel.shown, time=float(reel.times[place]))
        piece = Image(video=whole.video, spec=whole.spec, time=whole.time, edits=tuple(edits))
        asked = f"\nFrom which quarter of the image was the piece cut?{lettered(CORNERS)}"
        shared = [1 - (abs(k // 2 - row) + abs(k % 2 - column)) / 2 for k in range(4)]
        return Draft(
            parts=(Text("Image: "), whole, Text("\nPiece of it, in other light: "), piece, Text(asked)),
            answer=[corner + 1],
            signature=(place, *edits),
            evidence={"options": list(CORNERS), "closeness": shared},
            facets={"corner": CORNERS[corner]},
            times=reel.seconds([place]),
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that compare no pixel with its place.

        * mean_colour: the quarter whose mean colour, brightness aside, is nearest to the piece's.
        * mean_grain: the quarter with as much fine detail as the piece.
        """
        images = [part for message in sample.messages for part in message.parts if isinstance(part, Image)]
        whole, piece = (media(part)[0].astype(np.float64) for part in images)
        high, wide = whole.shape[0] // 2, whole.shape[1] // 2
        quarters = [whole[y : y + high, x : x + wide] for y in (0, high) for x in (0, wide)]
        colour = [float(np.abs(_tint(quarter) - _tint(piece)).sum()) for quarter in quarters]
        grain = [abs(_grain(quarter) - _grain(piece)) for quarter in quarters]
        return {"mean_colour": LETTERS[int(np.argmin(colour))], "mean_grain": LETTERS[int(np.argmin(grain))]}


def _stands_out(pixels: np.ndarray[Any, np.dtype[np.uint8]], corner: int, inside: tuple[float, ...]) -> bool:
    """Return whether a piece is not flat and differs from the same place of every other quarter."""
    high, wide = pixels.shape[0] // 2, pixels.shape[1] // 2
    left, top, right, bottom = inside
    rows = slice(int(top * high), max(int(top * high) + 1, int(bottom * high)))
    columns = slice(int(left * wide), max(int(left * wide) + 1, int(right * wide)))
    pieces = [
        pixels[y : y + high, x : x + wide][rows, columns].astype(np.float64) for y in (0, high) for x in (0, wide)
    ]
    # The light of the piece is its own: what is compared is the picture without its mean.
    flat = [piece - piece.mean(axis=(0, 1)) for piece in pieces]
    gaps = [flat[corner] - (flat[k] if k != corner else 0.0) for k in range(4)]
    return all(np.abs(gap).mean() >= _PLAIN for gap in gaps)


def _tint(pixels: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    means = pixels.mean(axis=(0, 1))
    return np.asarray(means / max(1.0, float(means.sum())))


def _grain(pixels: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    grey = pixels.mean(axis=2) / max(1.0, float(pixels.mean()))
    return float(sum(np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1) if grey.shape[axis] > 1))
