"""Anomaly grounding: when in the clip is something wrong with the picture?

What it does. Changes a run of a clip's frames in one way (colours exchanged, mirrored, shrunk, upside down) and another
run in another way, names the first way and asks from when to when.
Why. Finding a span takes knowing how the scene looked before, and the span is known to the frame.
Example. 48 frames of 6 s, those from 2.0 to 3.5 s upside down; answer `2-3.5`.
How it is scored. `scoring.grounding`. strict: both ends are the right frames. smooth: 1 if strict, else intersection
over union. A guesser draws any span between two frames.
Limits. Mirrored scenes without writing or motion are hard for anybody; changes that cannot be seen are refused. The
form of VideoSSR itself, without the second run (`decoys=0`), is refused too: there the two largest jumps between
frames earn 0.78 on 20 videos of the world and 0.69 on 29 real clips, and the frames least like the rest 0.58 and
0.72, where half of the way from chance to 1 is 0.60.
References. VideoSSR (arXiv 2511.06281): 48 frames without the first and last 5% of the video, a run of 8 to 16 of them,
channel swap, mirror, zoom out by 1.2 to 1.4 and a turn by 180 degrees in training, intersection over union as reward;
smooth rewards beat strict ones there. Ours: the second run, any number of frames (the run keeps its share), and the
other changes that can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.data.edits import Edit, apply
from reelgym.data.messages import Clip, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, unknown
from reelgym.scoring.grounding import grounding_chance, grounding_parts
from reelgym.scoring.span import Span, parse_span
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Pretext, Reel, likeness
from reelgym.tasks.timeline import ALIKE, ClipConfig, clip, described, spread

_EDGE = 0.05
_SHARE = (1 / 6, 1 / 3)
"""Length of a run as a share of the clip: VideoSSR's 8 to 16 of 48."""

CHANGES: dict[str, tuple[str, Callable[[np.random.Generator], Edit]]] = {
    "channels": ("red and blue are exchanged", lambda rng: Edit("channels", (2, 1, 0))),
    "mirror": ("the picture is mirrored", lambda rng: Edit("flip", ("horizontal",))),
    "zoom_out": ("the picture is shrunk", lambda rng: Edit("zoom_out", (round(float(rng.uniform(1.2, 1.4)), 3),))),
    "rotate": ("the picture is upside down", lambda rng: Edit("rotate", (180,))),
    "grey": ("the picture has no colour", lambda rng: Edit("tone", (1.0, 0.0, 0.0))),
    "saturated": ("the colours are too strong", lambda rng: Edit("tone", (1.0, 0.0, 2.0))),
}
"""What can be wrong, in words, and what makes it so."""


@dataclass(frozen=True, kw_only=True)
class AnomalyConfig(ClipConfig):
    """The numbers of the construction; see the module for whose they are."""

    frames: int = 48
    """Frames of the clip."""
    changes: tuple[str, ...] = ("channels", "mirror", "zoom_out", "rotate")
    """What is asked for, drawn evenly: names of `CHANGES`."""
    decoys: int = 1
    """Other runs that are changed in another way: 1. Without one, shortcuts give most answers away."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 8 <= self.frames <= 256:
            raise RequestError(f"frames={self.frames}: give 8 to 256 frames")
        if self.decoys == 0:
            raise RequestError(
                "decoys=0: without a second changed run the two largest jumps between frames give most answers away "
                "(0.69 on real clips, where at most 0.60 is let through): leave it at 1"
            )
        if self.decoys != 1:
            raise RequestError(f"decoys={self.decoys}: there is room for 1 other run; leave it at 1")
        for name in self.changes:
            if name not in CHANGES:
                raise unknown("change", name, CHANGES)
        if len(set(self.changes)) < 2:
            raise RequestError(f"changes={self.changes}: give at least 2 different ones")


class Anomaly(Pretext):
    """Say from when to when a clip's picture is changed (VideoSSR, arXiv 2511.06281)."""

    name: ClassVar[str] = "anomaly"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = AnomalyConfig
    config: AnomalyConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return int(np.ceil(self.config.frames / (1 - 2 * _EDGE)))

    def wanted_frames(self) -> int:
        """Return one clip and the ends that are dropped."""
        return self.least

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about the video without its ends, or None where the change cannot be seen."""
        count = self.config.frames
        edge = int(_EDGE * len(reel))
        room = len(reel) - 2 * edge
        length = int(rng.integers(count, room + 1))
        start = edge + int(rng.integers(room - length + 1))
        places = spread(start, start + length, count)
        runs = self._runs(rng)
        names = [str(name) for name in rng.permutation(sorted(set(self.config.changes)))[: len(runs)]]
        edits = [CHANGES[name][1](rng) for name in names]
        for run, edit in zip(runs, edits, strict=True):
            # A few frames of the run say whether the change shows.
            normal = reel.pixels[places[run[0] : run[1] : max(1, (run[1] - run[0]) // 4)]]
            if likeness(apply(normal, [0.0] * len(normal), [edit]), normal) >= ALIKE:
                return None
        return self._asked(reel, places, runs, list(zip(names, edits, strict=True)))

    def read(self, text: str, sample: Sample) -> Span | None:
        """Return a span in seconds."""
        return parse_span(text)

    def parts(self, said: Span, sample: Sample) -> dict[str, float]:
        """Return the measures of `scoring.grounding`."""
        return grounding_parts(said, _truth(sample), sample.evidence["slack_seconds"])

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all spans between two frames of the clip, its end included."""
        return grounding_chance(tuple(sample.evidence["edges"]), _truth(sample), sample.evidence["slack_seconds"])

    def gold(self, sample: Sample) -> str:
        """Return the right span, such as `2-3.5`."""
        return "{:.6g}-{:.6g}".format(*sample.answer)

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that do not know what was asked.

        * largest_jumps: between the two largest changes from frame to frame.
        * odd_run: the run, as long as runs are, whose frames are least like all others.
        * middle: the middle third.
        """
        (shown,) = (part for message in sample.messages for part in message.parts if isinstance(part, Clip))
        edges = sample.evidence["edges"]
        rows = described([shown], media)[0].astype(np.float64)
        jumps = sorted(int(place) + 1 for place in np.argsort((rows[1:] * rows[:-1]).sum(axis=1), kind="stable")[:2])
        third = len(rows) // 3
        spans = {"largest_jumps": jumps, "odd_run": _odd_run(rows), "middle": (third, 2 * third)}
        return {name: f"{edges[start]:.6g}-{edges[stop]:.6g}" for name, (start, stop) in spans.items()}

    def _runs(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Return half-open runs of places that do not touch, the one asked for first."""
        count = self.config.frames
        low, high = (max(2, round(share * count)) for share in _SHARE)
        lengths = [int(length) for length in rng.integers(low, high + 1, 1 + self.config.decoys)]
        free = count - sum(lengths) - len(lengths) + 1
        # The places left over are dealt to before, between and after the runs.
        gaps = np.diff([0, *sorted(int(cut) for cut in rng.integers(0, free + 1, len(lengths)))])
        runs, at = [], 0
        for gap, length in zip(gaps, lengths, strict=True):
            runs.append((at + int(gap), at + int(gap) + length))
            at += int(gap) + length + 1
        return [runs[place] for place in rng.permutation(len(runs))]

    def _asked(
        self, reel: Reel, places: list[int], runs: list[tuple[int, int]], edits: list[tuple[str, Edit]]
    ) -> Draft:
        times = reel.seconds(places)
        shown = clip(reel.identity, reel.shown, times)
        clock = shown.shown_seconds or ()
        step = clock[-1] / (len(clock) - 1)
        edges = [*clock, round(clock[-1] + step, 6)]
        bounds = [*times, round(times[-1] + step, 6)]
        done = tuple(
            Edit(edit.name, edit.args, start=bounds[start], stop=bounds[stop])
            for (start, stop), (_, edit) in zip(runs, edits, strict=True)
        )
        also = " Another part is changed in another way." if len(done) > 1 else ""
        question = (
            f"\nIn one part of this video {CHANGES[edits[0][0]][0]}.{also} From when to when? Answer with start "
            "and end in seconds, such as 1.5-4."
        )
        start, stop = runs[0]
        return Draft(
            parts=(replace(shown, edits=done), Text(question)),
            answer=[edges[start], edges[stop]],
            signature=(*places, *runs, *(name for name, _ in edits)),
            evidence={"edges": edges, "slack_seconds": round(float(np.diff(edges).min()) / 2, 6)}
            | {"change": edits[0][0], "decoys": [[edges[a], edges[b]] for a, b in runs[1:]]},
            facets={"change": edits[0][0]},
            times=times,
        )


def _truth(sample: Sample) -> Span:
    start, stop = sample.answer
    return float(start), float(stop)


def _odd_run(rows: NDArray[np.float64]) -> tuple[int, int]:
    """Return the run of a usual length whose mean is least like that of all other frames."""
    count = len(rows)
    total = np.concatenate([np.zeros((1, rows.shape[1])), rows.cumsum(axis=0)])
    low, high = (max(2, round(share * count)) for share in _SHARE)
    best, least = (0, low), np.inf
    for length in range(low, high + 1):
        inside = total[length:] - total[:-length]
        outside = (total[-1] - inside) / (count - length)
        likely = (inside / length * outside).sum(axis=1)
        if likely.min() < least:
            start = int(likely.argmin())
            best, least = (start, start + length), float(likely.min())
    return best
