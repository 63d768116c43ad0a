"""Changes of a whole prompt's media that a question can ask about: turned, mirrored, reversed, exchanged.

Each is data: a question, its options, how near the options are to each other, and what option k does to a part. They
serve a task of their own and, in ViSS-R1's way, a second question beside a user's own.

Reference: ViSS-R1 (arXiv 2511.13054): turns by 0, 90, 180, 270 degrees; no, horizontal or vertical flip; two of 2 x 2
patches exchanged; a video reversed or not; two of four groups of frames exchanged. Ours: the gutter over the seams, the
added light, and that every option is equally likely (its code reverses 55% of the videos).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from reelgym.data.edits import Edit
from reelgym.data.messages import Clip, Image
from reelgym.errors import RequestError

Media = Image | Clip
T = TypeVar("T")

PAIRS = tuple(combinations(range(4), 2))
"""Which two of four things are exchanged, by option."""

_CORNERS = ("top left", "top right", "bottom left", "bottom right")
_ORDINALS = ("first", "second", "third", "fourth")
_DEGREES = (0, 90, 180, 270)
_FLIPS = ("", "horizontal", "vertical")


@dataclass(frozen=True)
class Transform:
    """One kind of change.

    Attributes:
        question: What is asked; options follow.
        options: In the order of their letters.
        closeness: (n, n): how near the option of a column comes to the right one of a row, in [0, 1].
        change: From a part, the place of an option and the gutter to the changed part.
        light: From a changed part, a stream and a strength of 0 to 1 to edits that hide how the change shows in the
            light alone: a sky that stays bright, a seam that fits.
        least: Frames that a clip needs for it; 1 where it also works on images.
    """

    question: str
    options: tuple[str, ...]
    closeness: tuple[tuple[float, ...], ...]
    change: Callable[[Media, int, float], Media]
    light: Callable[[Media, np.random.Generator, float], tuple[Edit, ...]]
    least: int = 1

    def apply(self, part: Media, place: int, rng: np.random.Generator, *, light: float, gutter: float = 0.0) -> Media:
        """Return the part changed as the option at `place` says, in other light."""
        changed = self.change(part, place, gutter)
        return edited(changed, *self.light(changed, rng, light)) if light else changed

    def fits(self, part: Media) -> bool:
        """Return whether the part can be changed like this: images cannot be reversed."""
        return self.least == 1 or (isinstance(part, Clip) and len(part.times) >= self.least)


def edited(part: Media, *edits: Edit) -> Media:
    """Return the part with more edits after its own."""
    return replace(part, edits=(*part.edits, *edits))


def squared(part: Media) -> Media:
    """Return the part cropped to its middle square: the shape of a frame would tell how it was turned.

    Raises:
        RequestError: Its spec has no exact size.
    """
    if part.spec.size is None:
        raise RequestError(f"media of {part.video} without an exact size cannot be cropped to a square: give a size")
    height, width = part.spec.size
    short = min(height, width)
    if height == width:
        return part
    left, top = (width - short) // 2 / width, (height - short) // 2 / height
    return edited(part, Edit("crop", (left, top, left + short / width, top + short / height)))


def _turn(part: Media, place: int, gutter: float) -> Media:
    return edited(part, Edit("rotate", (_DEGREES[place],))) if place else part


def _flip(part: Media, place: int, gutter: float) -> Media:
    return edited(part, Edit("flip", (_FLIPS[place],))) if place else part


def _patches(part: Media, place: int, gutter: float) -> Media:
    return edited(part, Edit("tiles", (2, 2, gutter, *_exchanged([0, 1, 2, 3], place))))


def _reverse(part: Media, place: int, gutter: float) -> Media:
    if not isinstance(part, Clip) or not place:
        return part
    told = part.times if part.shown_seconds is None else part.shown_seconds
    # The clock still runs forward, with the distances of the frames that are shown.
    clock = tuple(round(told[0] + told[-1] - time, 6) for time in reversed(told))
    return replace(part, times=part.times[::-1], shown_seconds=clock)


def _groups(part: Media, place: int, gutter: float) -> Media:
    if not isinstance(part, Clip):
        return part
    size = len(part.times) // 4
    groups = _exchanged([part.times[k * size : (k + 1) * size] for k in range(4)], place)
    told = part.times if part.shown_seconds is None else part.shown_seconds
    return replace(part, times=(*(t for g in groups for t in g), *part.times[4 * size :]), shown_seconds=told)


def _shading(part: Media, rng: np.random.Generator, strength: float) -> tuple[Edit, ...]:
    """Light from a random side, at least half as strong as it may be."""
    degrees, share = float(rng.integers(360)), float(rng.uniform(0.5, 1))
    return (Edit("shade", (degrees, round(strength * share, 4))),)


def _dappling(part: Media, rng: np.random.Generator, strength: float) -> tuple[Edit, ...]:
    """A brightness of its own for each quarter, none more than it had: white cannot get whiter."""
    return (Edit("dapple", (2, 2, *(round(1 - strength * float(share), 4) for share in rng.uniform(0, 1, 4)))),)


def _flicker(part: Media, rng: np.random.Generator, strength: float) -> tuple[Edit, ...]:
    """Less light from frame to frame as shown: half of it a ramp up or down, half each frame's own."""
    times = part.times if isinstance(part, Clip) else (part.time,)
    ramp = 0.5 + np.linspace(-0.5, 0.5, len(times)) * rng.uniform(-1, 1)
    gains = 1 - strength * (ramp + rng.uniform(0, 1, len(times))) / 2
    return tuple(
        Edit("tone", (round(float(gain), 4), 0.0, 1.0), start=time, stop=round(time + 1e-4, 6))
        for gain, time in zip(gains, times, strict=True)
    )


def _exchanged(things: list[T], place: int) -> list[T]:
    first, second = PAIRS[place]
    things[first], things[second] = things[second], things[first]
    return things


def _identity(count: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(a == b) for b in range(count)) for a in range(count))


_SHARED = tuple(tuple(len({*one} & {*other}) / 2 for other in PAIRS) for one in PAIRS)
"""The share of the exchanged things that two options have in common."""

_TURNED = tuple(tuple(1 - min((a - b) % 4, (b - a) % 4) / 2 for b in range(4)) for a in range(4))
"""1 - angle between two turns over 180 degrees."""

TRANSFORMS: dict[str, Transform] = {
    "rotation": Transform(
        question="By how much were all frames turned clockwise?",
        options=tuple(f"{degrees} degrees" for degrees in _DEGREES),
        closeness=_TURNED,
        change=_turn,
        light=_shading,
    ),
    "flip": Transform(
        question="How were all frames mirrored?",
        options=("not at all", "left and right exchanged", "top and bottom exchanged"),
        closeness=_identity(3),
        change=_flip,
        light=_shading,
    ),
    "patches": Transform(
        question="Every frame was cut into four quarters. Which two were exchanged?",
        options=tuple(f"{_CORNERS[a]} and {_CORNERS[b]}" for a, b in PAIRS),
        closeness=_SHARED,
        change=_patches,
        light=_dappling,
    ),
    "reversal": Transform(
        question="Do the frames run forward or backward in time?",
        options=("forward", "backward"),
        closeness=_identity(2),
        change=_reverse,
        light=_flicker,
        least=2,
    ),
    "groups": Transform(
        question="The frames were cut into four groups of equal length. Which two were exchanged?",
        options=tuple(f"{_ORDINALS[a]} and {_ORDINALS[b]}" for a, b in PAIRS),
        closeness=_SHARED,
        change=_groups,
        light=_flicker,
        least=4,
    ),
}
"""Every change by name."""
