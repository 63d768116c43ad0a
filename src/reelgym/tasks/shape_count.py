"""Shape counting: how many circles, squares and triangles were drawn over the clip?

What it does. Draws shapes of random colour, size, turn and place over a few frames, and asks how many of each.
Why. Every frame has to be looked at, and small things in it told apart; the counts are known.
Example. Two frames with circles, 1 and 2 of them, one with a square, one with 3 triangles; answer `3, 1, 3`.
How it is scored. `scoring.counts`. strict: all three counts are right. smooth: the mean of max(0, 1 - error / count).
`each` is the share of right counts. A guesser writes any counts from 0 to the most there can be.
Limits. Shapes of the scene itself are not counted: a white rim tells those that are, and the question says so. At a few
pixels a turned square and a circle look alike.
References. VideoSSR (arXiv 2511.06281): 48 frames; per shape 1 to 3 frames with 1 to 3 instances each, frames of one
shape more than 8 apart, sizes 20 to 40% of the short side, the middle 70% of the frame. Ours: the rim, shapes of one
frame that do not overlap, any number of frames (the distance keeps its share).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from reelgym.data.edits import SHAPES, Edit
from reelgym.data.messages import Clip, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.counts import count_chance, count_parts, parse_counts
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Pretext, Reel
from reelgym.tasks.timeline import ClipConfig, clip, described, spread

_PLACES = 40
"""Tries to put one more shape into a frame before it gets none."""


@dataclass(frozen=True, kw_only=True)
class ShapeCountConfig(ClipConfig):
    """The numbers of the construction; all but the clip's trimmed ends are VideoSSR's unless the module says so."""

    frames: int = 48
    """Frames of the clip."""
    most_frames: int = 3
    """Frames with one kind of shape, at most."""
    most_per_frame: int = 3
    """Shapes in one frame, at most."""
    sizes: tuple[float, float] = (0.2, 0.4)
    """Smallest and largest width of a shape as a share of the frame's shorter side."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 1 <= self.most_frames <= 6 or not 1 <= self.most_per_frame <= 6:
            raise RequestError(
                f"most_frames={self.most_frames}, most_per_frame={self.most_per_frame}: give 1 to 6 each"
            )
        if not 4 * self.most_frames <= self.frames <= 256:
            raise RequestError(
                f"frames={self.frames}: give {4 * self.most_frames} to 256 for {self.most_frames} a shape"
            )
        low, high = self.sizes
        if not 0.02 <= low <= high <= 0.5:
            raise RequestError(f"sizes={self.sizes}: give two shares of the shorter side, 0.02 <= low <= high <= 0.5")


class ShapeCount(Pretext):
    """Count the circles, squares and triangles drawn over a clip (VideoSSR, arXiv 2511.06281)."""

    name: ClassVar[str] = "shape_count"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = ShapeCountConfig
    config: ShapeCountConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return self.config.frames

    def wanted_frames(self) -> int:
        """Return one clip's frames."""
        return self.config.frames

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random stretch of the video."""
        length = int(rng.integers(self.config.frames, len(reel) + 1))
        start = int(rng.integers(len(reel) - length + 1))
        places = spread(start, start + length, self.config.frames)
        times = reel.seconds(places)
        drawn: dict[str, list[int]] = {}
        for name in rng.permutation(SHAPES):
            drawn[str(name)] = self._frames_of(rng, [place for places in drawn.values() for place in places])
        edits = [
            edit
            for name in SHAPES
            for place in drawn[name]
            for edit in self._shapes(name, times[place], reel.shown.size or (1, 1), rng)
        ]
        counts = [sum(edit.args[0] == name for edit in edits) for name in SHAPES]
        shown = clip(reel.identity, reel.shown, times)
        most = self.config.most_frames * self.config.most_per_frame
        question = (
            "\nShapes with a white rim were drawn over some frames of this video. How many circles, squares and "
            "triangles are there in all frames together? Answer with three numbers in this order, such as 2, 1, 4."
        )
        return Draft(
            parts=(replace(shown, edits=tuple(edits)), Text(question)),
            answer=counts,
            signature=(*places, *edits),
            evidence={"upper": most, "frames": {name: [times[place] for place in drawn[name]] for name in SHAPES}},
            facets={"shapes": sum(counts)},
            times=times,
        )

    def read(self, text: str, sample: Sample) -> tuple[int, ...] | None:
        """Return three counts from 0 to the most there can be."""
        return parse_counts(text, len(sample.answer), sample.evidence["upper"])

    def parts(self, said: Sequence[int], sample: Sample) -> dict[str, float]:
        """Return the measures of `scoring.counts`."""
        return count_parts(said, sample.answer)

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all counts from 0 to the most there can be."""
        return count_chance(sample.answer, sample.evidence["upper"])

    def gold(self, sample: Sample) -> str:
        """Return the counts of circles, squares and triangles, such as `3, 1, 3`."""
        return ", ".join(map(str, sample.answer))

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that tell no shape from another.

        * usual: the mean count, three times.
        * flashes: the frames unlike both their neighbours, at the usual number of shapes each, in equal thirds.
        """
        (shown,) = (part for message in sample.messages for part in message.parts if isinstance(part, Clip))
        upper = int(sample.evidence["upper"])
        rows = described([shown], media)[0].astype(np.float64)
        change = 1 - (rows[1:] * rows[:-1]).sum(axis=1)
        flashes = int((np.minimum(change[1:], change[:-1]) > 3 * np.median(change)).sum())
        # A third of the frames each, with (1 + 3) / 2 shapes in a frame: two thirds of the flashes.
        replies = {"usual": round(4 * upper / 9), "flashes": max(1, min(upper, round(flashes * 2 / 3)))}
        return {name: ", ".join([str(count)] * 3) for name, count in replies.items()}

    def _frames_of(self, rng: np.random.Generator, taken: list[int]) -> list[int]:
        """Return the places of the frames of one shape: far from each other, none of them taken."""
        wanted = int(rng.integers(1, self.config.most_frames + 1))
        apart = self.config.frames // 6
        chosen: list[int] = []
        for place in rng.permutation(self.config.frames):
            if len(chosen) == wanted:
                break
            if place not in taken and all(abs(int(place) - other) > apart for other in chosen):
                chosen.append(int(place))
        return chosen

    def _shapes(self, name: str, time: float, size: tuple[int, int], rng: np.random.Generator) -> list[Edit]:
        """Return at least one shape for a frame, as many as drawn where they find room; they do not overlap."""
        short = min(size)
        placed: list[tuple[float, float, float]] = []
        edits: list[Edit] = []
        for _ in range(int(rng.integers(1, self.config.most_per_frame + 1))):
            for _ in range(_PLACES):
                width = float(rng.uniform(*self.config.sizes)) * short
                # Half of a square's diagonal on each side keeps the shape inside the frame.
                y, x = (
                    float(rng.uniform(max(0.15, e), min(0.85, 1 - e)) * s) for s in size for e in [0.71 * width / s]
                )
                if all(np.hypot(x - u, y - v) > 0.75 * (width + w) for u, v, w in placed):
                    break
            else:
                break
            placed.append((x, y, width))
            colour = (int(value) for value in rng.integers(50, 256, 3))
            values = (x / size[1], y / size[0], width / short, float(rng.integers(360)))
            args: tuple[str | float, ...] = (name, *(round(value, 4) for value in values), *colour)
            edits.append(Edit("shape", args, start=time, stop=round(time + 1e-4, 6)))
        return edits
