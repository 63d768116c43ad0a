"""Temporal jigsaw: clips of a video, shuffled; give their order.

What it does. Cuts a stretch of a video into K clips of equal length, shuffles them, and asks for their true order.
Why. The video is its own label, and the answer needs what moves how: no single frame tells it.
Example. Clips 1 to 6 shown; answer `4, 1, 6, 2, 5, 3`: clip 4 came first.
How it is scored. `scoring.permutation`. strict: the whole order is right. smooth: by default the form's own published
reward, 1 for the right order, else 0.2 times the share of places (Visual Jigsaw), or 1 - E / E_max (VideoSSR).
Limits. Scenes that repeat or hardly move leave orders that nobody could tell apart; only clips that look the same are
refused. Clips whose ends were seconds apart can still be chained by looks where things move slowly: `baselines` says
how far that goes, and `trim` is the setting against it.
References. Visual Jigsaw, arXiv 2509.25190 (`form=visual_jigsaw`): 6 clips, each its own video, 5% cut off both ends of
each (10% in its code), at most 12 frames a clip. VideoSSR, arXiv 2511.06281 (`form=videossr`): the first and last 5%
of the video dropped, 48 even frames, 6 clips of 8, shown as one video, the answer a string of digits. Ours: a random
stretch of the video for every sample instead of all of it, the larger trim, clips that look the same refused, a
light of its own for each clip (`visual_jigsaw`), no timestamps of the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Part, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.permutation import SMOOTH
from reelgym.tasks.base import MediaReader
from reelgym.tasks.chains import smoothest
from reelgym.tasks.pretext import Draft, Ordering, Reel
from reelgym.tasks.timeline import JitteredConfig, clip, clips_of, described, distinct, numbered, spread, toned

_OWN_SMOOTH = {"visual_jigsaw": "position_discounted", "videossr": "displacement"}
_EDGE = 0.05


@dataclass(frozen=True, kw_only=True)
class JigsawConfig(JitteredConfig):
    """The numbers of the construction; see the module for whose they are."""

    form: Literal["visual_jigsaw", "videossr"] = "visual_jigsaw"
    """How the clips are shown and asked for."""
    clips: int = 6
    """K: clips to put in order. Both papers' number."""
    clip_frames: int = 6
    """Frames shown of each clip. Ours; Visual Jigsaw shows up to 12, VideoSSR 8."""
    trim: float = 0.2
    """Share of each clip cut off at each end, so that matching frames at its edges tell little. Visual Jigsaw: 0.05
    (0.1 in its code); VideoSSR: 0. Ours is larger because slow scenes need it."""
    shortest: float = 0.6
    """The least share of the video that a sample is cut from; the stretch is drawn between this and all of it."""
    smooth: str | None = None
    """The smooth reward, a name of `scoring.permutation.SMOOTH`. None: the form's own."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if self.form not in _OWN_SMOOTH:
            raise RequestError(f"form={self.form!r}: 'visual_jigsaw' or 'videossr'")
        if not 2 <= self.clips <= 8 or not 1 <= self.clip_frames <= 64:
            raise RequestError(f"clips={self.clips}, clip_frames={self.clip_frames}: give 2 to 8 clips of 1 to 64")
        if not 0 <= self.trim < 0.5 or not 0 < self.shortest <= 1:
            raise RequestError(f"trim={self.trim}, shortest={self.shortest}: trim within [0, 0.5), shortest in (0, 1]")
        if self.smooth is not None and self.smooth not in SMOOTH:
            raise RequestError(f"smooth={self.smooth!r}: one of {', '.join(SMOOTH)}")

    @property
    def least_per_clip(self) -> int:
        """Frames that one clip takes at least, its trimmed ends included."""
        return next(n for n in range(1, 10_000) if n - 2 * self.cut(n) >= self.clip_frames)

    def cut(self, length: int) -> int:
        """Return how many frames of a clip of this length are cut off at each end: never less than the share."""
        return int(np.ceil(self.trim * length - 1e-9))


class Jigsaw(Ordering):
    """Put shuffled clips of a video in order (arXiv 2509.25190, 2511.06281)."""

    name: ClassVar[str] = "jigsaw"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = JigsawConfig
    config: JigsawConfig

    def wanted_frames(self) -> int:
        """Return enough for the shortest stretch."""
        return int(np.ceil(self.least / self.config.shortest))

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        config = self.config
        whole = config.clips * config.least_per_clip
        return int(np.ceil(whole / (1 - 2 * _EDGE))) if config.form == "videossr" else whole

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one puzzle, or None where two of its clips look the same."""
        clips = self._cut(len(reel), rng)
        if not distinct(reel.rows[np.array(clips)]):
            return None
        order = [int(place) for place in rng.permutation(len(clips))]
        times = [reel.seconds(clips[place]) for place in order]
        config = self.config
        return Draft(
            parts=self._question(reel, times, rng),
            answer=[order.index(place) + 1 for place in range(len(clips))],
            signature=tuple(place for one in clips for place in one),
            evidence={"smooth": config.smooth or _OWN_SMOOTH[config.form], "form": config.form},
            facets={"clips": len(clips), "form": config.form},
            times=tuple(time for one in clips for time in reel.seconds(one)),
        )

    def gold(self, sample: Sample) -> str:
        """Return the right order, such as `4, 1, 6, 2, 5, 3`, or in VideoSSR's form `416253`."""
        return ("" if sample.evidence["form"] == "videossr" else ", ").join(map(str, sample.answer))

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that look at no motion.

        * boundary_matching: the order whose clips' last frames are most like the next clips' first frames, in sum.
        * order_by_similarity: the same with the mean picture of each clip; a chain and its reverse tie.
        * by_brightness: from dark to bright, whichever end the clips begin at.
        * as_shown: the order in which they stand there.
        """
        pixels = np.concatenate([media(part) for part in clips_of(sample)])
        rows = np.concatenate(described(clips_of(sample), media))
        pieces = rows.reshape(len(sample.answer), -1, rows.shape[1])
        middles = pieces.mean(axis=1).astype(np.float64)
        light = pixels.reshape(len(sample.answer), -1).mean(axis=1)
        orders = {
            "boundary_matching": chained(pieces),
            "order_by_similarity": smoothest(middles @ middles.T, len(pieces)),
            "by_brightness": tuple(int(place) for place in np.argsort(light, kind="stable")),
            "as_shown": tuple(range(len(pieces))),
        }
        return {name: ", ".join(str(place + 1) for place in order) for name, order in orders.items()}

    def _cut(self, total: int, rng: np.random.Generator) -> list[list[int]]:
        """Return the places of K clips in order of time, out of a random stretch of `total` frames."""
        config = self.config
        edge = int(_EDGE * total) if config.form == "videossr" else 0
        room = total - 2 * edge
        least = max(config.clips * config.least_per_clip, int(config.shortest * room))
        length = int(rng.integers(least, room + 1)) // config.clips
        start = edge + int(rng.integers(room - length * config.clips + 1))
        cut = config.cut(length)
        firsts = [start + k * length for k in range(config.clips)]
        return [spread(first + cut, first + length - cut, config.clip_frames) for first in firsts]

    def _question(self, reel: Reel, clips: list[tuple[float, ...]], rng: np.random.Generator) -> tuple[Part, ...]:
        count, each = len(clips), len(clips[0])
        if self.config.form == "visual_jigsaw":
            tones = [toned(rng, self.config.jitter) for _ in clips]
            each_its_own = zip(clips, tones, strict=True)
            shown = [clip(reel.identity, reel.shown, times, edits=tone) for times, tone in each_its_own]
            asked = f"\nThese {count} clips of one video were shuffled. Give the clip numbers in their original order."
            return (*numbered("Clip", shown), Text(asked))
        # One video on one even clock: the frames' own times would tell the order.
        step = (clips[0][-1] - clips[0][0]) / max(1, each - 1) or 1.0
        clock = tuple(round(k * step, 6) for k in range(count * each))
        times = tuple(time for one in clips for time in one)
        asked = (
            f"\nThis video was cut into {count} segments of {each} frames, which were then shuffled. "
            f"Segment 1 is shown first. Give the segments in their original order as {count} digits."
        )
        return Clip(video=reel.identity, spec=reel.shown, times=times, shown_seconds=clock), Text(asked)


def chained(pieces: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the order in which the last frames are most like the next first frames; the smallest one wins a tie.

    Args:
        pieces: (K, F, D) unit rows of the clips' frames.
    """
    follows = (pieces[:, -1] @ pieces[:, 0].T).astype(np.float64)
    orders = np.array(list(permutations(range(len(pieces)))), dtype=np.int8)
    total = sum(follows[orders[:, k], orders[:, k + 1]] for k in range(len(pieces) - 1))
    return tuple(int(place) for place in orders[int(np.argmax(np.round(total, 5)))])
