"""Shot order: the shots of an edited video, shuffled; give their order.

What it does. Finds the cuts of a video, takes K successive shots, shows each as a clip, shuffled, and asks for the
order in which they came.
Why. A cut breaks the motion that chains clips by looks; what is left is what the shots tell.
Example. Four shots; answer `2, 4, 1, 3`: the second one came first.
How it is scored. `scoring.permutation`: strict is the whole order; smooth by default 1 for the right order, else 0.2
times the share of places (Visual Jigsaw's reward).
Limits. Videos without cuts give no sample. A montage may have no order that anybody could tell; only shots that look
the same are refused. Cuts are those between sampled frames (`video.shots`); dissolves are none, and a cut that is
missed makes one shot of two.
References. Shuffle and Learn, arXiv 1603.08561, and Sorting Sequences, arXiv 1708.01246 (frames of one shot, in order
or not); the reward is Visual Jigsaw's, arXiv 2509.25190. Ours: shots instead of frames, the ends of each cut off, a
light of its own for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from reelgym.data.messages import Text
from reelgym.data.sample import Sample
from reelgym.errors import MediaError, RequestError
from reelgym.scoring.permutation import SMOOTH
from reelgym.tasks.base import MediaReader
from reelgym.tasks.chains import smoothest
from reelgym.tasks.jigsaw import chained
from reelgym.tasks.pretext import Draft, Ordering, Reel
from reelgym.tasks.timeline import JitteredConfig, clip, clips_of, described, distinct, numbered, spread, toned
from reelgym.video import Frames, Video
from reelgym.video.packets import Packets
from reelgym.video.shots import sampled_cuts


@dataclass(frozen=True, kw_only=True)
class ShotOrderConfig(JitteredConfig):
    """The numbers of the construction; all are ours."""

    shots: int = 4
    """K: shots to put in order."""
    clip_frames: int = 4
    """Frames shown of each shot, spread evenly over it."""
    trim: float = 0.1
    """Share of each shot cut off at each end, at least one frame: a cut lies between two sampled frames."""
    wanted: int = 96
    """Frames that `--fps auto` aims at: shots shorter than a few of their distances are not seen."""
    smooth: str = "position_discounted"
    """The smooth reward, a name of `scoring.permutation.SMOOTH`."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 2 <= self.shots <= 8 or not 1 <= self.clip_frames <= 64 or not 0 <= self.trim < 0.5:
            raise RequestError(
                f"shots={self.shots}, clip_frames={self.clip_frames}, trim={self.trim}: give 2 to 8 shots of 1 to 64 "
                "frames and a trim within [0, 0.5)"
            )
        if self.smooth not in SMOOTH:
            raise RequestError(f"smooth={self.smooth!r}: one of {', '.join(SMOOTH)}")
        if self.wanted < self.shots * (self.clip_frames + 2):
            raise RequestError(f"wanted={self.wanted} is less than {self.shots} shots take: raise it")

    def cut(self, length: int) -> int:
        """Return how many frames of a shot of this length are cut off at each end."""
        return max(1, int(np.ceil(self.trim * length - 1e-9)))


@dataclass(frozen=True, eq=False)
class Edited(Reel):
    """Frames with the shots they belong to: half-open places, those long enough to be shown, in order."""

    shots: tuple[tuple[int, int], ...] = ()


class ShotOrder(Ordering):
    """Put the shots of an edited video in order (after arXiv 1708.01246)."""

    name: ClassVar[str] = "shot_order"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = ShotOrderConfig
    config: ShotOrderConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return self.config.shots * (self.config.clip_frames + 2)

    def wanted_frames(self) -> int:
        """Return what the setting says."""
        return self.config.wanted

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question, or None where two of its shots look the same."""
        assert isinstance(reel, Edited)
        config, shots = self.config, reel.shots
        first = int(rng.integers(len(shots) - config.shots + 1))
        order = [int(place) for place in rng.permutation(config.shots)]
        clips = [self._clip(*shots[first + place]) for place in order]
        if not distinct(reel.rows[np.array(clips)]):
            return None
        shown = [clip(reel.identity, reel.shown, reel.seconds(p), edits=toned(rng, config.jitter)) for p in clips]
        asked = f"\nThese {len(clips)} shots of one video were shuffled. Give the shot numbers in their original order."
        return Draft(
            parts=(*numbered("Shot", shown), Text(asked)),
            answer=[order.index(place) + 1 for place in range(len(order))],
            signature=(first, *order),
            evidence={"smooth": config.smooth, "shots": [list(reel.seconds((a, b - 1))) for a, b in shots]},
            facets={"shots": len(clips)},
            times=tuple(time for places in clips for time in reel.seconds(places)),
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that look at no content.

        * boundary_matching: the order whose shots' last frames are most like the next ones' first frames, in sum.
        * order_by_similarity: the same with the mean picture of each shot; a chain and its reverse tie.
        * by_brightness: from dark to bright.
        * as_shown: the order in which they stand there.
        """
        clips = clips_of(sample)
        pieces = np.stack(described(clips, media))
        means = pieces.mean(axis=1).astype(np.float64)
        light = np.array([media(part).mean() for part in clips])
        orders = {
            "boundary_matching": chained(pieces),
            "order_by_similarity": smoothest(means @ means.T, len(pieces)),
            "by_brightness": tuple(int(place) for place in np.argsort(light, kind="stable")),
            "as_shown": tuple(range(len(pieces))),
        }
        return {name: ", ".join(str(place + 1) for place in order) for name, order in orders.items()}

    def _reel(self, video: Video, frames: Frames) -> Edited:
        """Return the frames with their shots.

        Raises:
            MediaError: The video is too short, or has too few shots of the length that a clip takes.
        """
        reel = super()._reel(video, frames)
        cuts = sampled_cuts(Frames(reel.pixels, reel.times, frames.spec), Packets.none())
        edges = [0, *(int(place) for place in np.searchsorted(reel.times, np.array(cuts) - 1e-6)), len(reel)]
        least = self.config.clip_frames
        shots = tuple((a, b) for a, b in pairwise(edges) if b - a - 2 * self.config.cut(b - a) >= least)
        if len(shots) < self.config.shots:
            reason = (
                f"too few shots: {len(shots)} long enough at {reel.shown.fps:g} fps, a sample takes {self.config.shots}"
            )
            raise MediaError(video.path, "task", reason)
        return Edited(reel.identity, reel.times, reel.pixels, reel.shown, shots)

    def _clip(self, start: int, stop: int) -> list[int]:
        cut = self.config.cut(stop - start)
        return spread(start + cut, stop - cut, self.config.clip_frames)
