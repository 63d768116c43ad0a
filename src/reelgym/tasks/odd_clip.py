"""Odd clip out: which of several successive clips does not belong where it stands?

What it does. Shows n clips of equal length that follow each other in a video, one of which was replaced: by a clip from
another time of the video, or by itself with its frames reversed or shuffled. Asks which one.
Why. The others tell a story that one clip breaks; it takes their motion to say which.
Example. Five clips, the third from ten seconds later; answer `3`.
How it is scored. strict: the right number. smooth: for a wrong one, 0.5 times its closeness 1 - |i - g| / (n - 1): the
breaks in time lie on both sides of the odd clip.
Limits. Where a scene repeats, a clip of another time may fit; clips that look the same as the one they replace are
refused.
References. Odd-One-Out Networks, Fernando et al., arXiv 1611.06646 (there, clips sampled apart of which one has its
frames in wrong order: `odd=shuffled`). Ours: successive clips, a clip of another time, the trim, a light of its own for
each clip, and that the shortcut "least like its neighbours" is balanced: the odd clip's rank by it is drawn evenly, as
far as the video has such clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Numbered, Reel
from reelgym.tasks.timeline import (
    ALIKE,
    JitteredConfig,
    alike,
    balanced,
    clip,
    clips_of,
    described,
    numbered,
    spread,
    toned,
)

_ODD = ("elsewhere", "reversed", "shuffled")


@dataclass(frozen=True, kw_only=True)
class OddClipConfig(JitteredConfig):
    """The numbers of the construction; all are ours."""

    odd: Literal["elsewhere", "reversed", "shuffled"] = "elsewhere"
    """What the odd clip is: one of another time, or its own frames in reverse or in another order."""
    clips: int = 5
    """n: clips shown."""
    clip_frames: int = 4
    """Frames shown of each clip."""
    trim: float = 0.2
    """Share of each clip cut off at each end, against matching of boundary frames."""
    longest: float = 0.6
    """The most of the video that the successive clips take; the rest is where the odd one may come from."""
    balance: bool = True
    """Draw the odd clip so that being unlike its neighbours does not give it away."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if self.odd not in _ODD:
            raise RequestError(f"odd={self.odd!r}: one of {', '.join(_ODD)}")
        if not 3 <= self.clips <= 12 or not 2 <= self.clip_frames <= 64:
            raise RequestError(f"clips={self.clips}, clip_frames={self.clip_frames}: give 3 to 12 clips of 2 to 64")
        if not 0 <= self.trim < 0.5 or not 0 < self.longest <= 0.8:
            raise RequestError(f"trim={self.trim}, longest={self.longest}: trim within [0, 0.5), longest in (0, 0.8]")

    @property
    def least_per_clip(self) -> int:
        """Frames that one clip takes at least, its trimmed ends included."""
        return next(n for n in range(1, 10_000) if n - 2 * self.cut(n) >= self.clip_frames)

    def cut(self, length: int) -> int:
        """Return how many frames of a clip of this length are cut off at each end."""
        return int(np.ceil(self.trim * length - 1e-9))


class OddClip(Numbered):
    """Name the one of several successive clips that does not belong (after arXiv 1611.06646)."""

    name: ClassVar[str] = "odd_clip"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = OddClipConfig
    config: OddClipConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return int(np.ceil(self.config.clips * self.config.least_per_clip / self.config.longest))

    def wanted_frames(self) -> int:
        """Return half more than the least, so that the stretch can lie anywhere."""
        return self.least * 3 // 2

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question, or None where no clip of the video makes an odd one."""
        config = self.config
        length = int(rng.integers(config.least_per_clip, int(config.longest * len(reel)) // config.clips + 1))
        start = int(rng.integers(len(reel) - length * config.clips + 1))
        clips = [self._clip(start + k * length, length) for k in range(config.clips)]
        place = int(rng.integers(config.clips))
        odd = self._odd(reel, clips, place, length, rng)
        if odd is None:
            return None
        truth = clips[place]
        clips[place] = odd
        shown = [
            clip(
                reel.identity,
                reel.shown,
                reel.seconds(p),
                clock=reel.seconds(sorted(p)),
                edits=toned(rng, config.jitter),
            )
            for p in clips
        ]
        count = len(clips)
        other = "its frames are in the wrong order" if config.odd != "elsewhere" else "it is from another time"
        asked = (
            f"\nThese {count} clips should follow each other in one video, but one does not belong: {other}. "
            "Answer with its number."
        )
        return Draft(
            parts=(*numbered("Clip", shown), Text(asked)),
            answer=[place + 1],
            signature=(start, length, place, *odd),
            evidence={"closeness": [1 - abs(k - place) / (count - 1) for k in range(count)]}
            | {"replaced_times": list(reel.seconds(truth)), "odd_times": list(reel.seconds(odd))},
            facets={"odd": config.odd, "clips": count, "place": place + 1},
            times=tuple(time for places in clips for time in reel.seconds(places)),
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that follow no motion.

        * boundary_matching: the clip whose first and last frames are least like those of its neighbours beside them.
        * least_like_the_others: the clip whose mean picture is least like the mean of the others.
        * by_brightness: the clip whose light is farthest from the median of all.
        * middle: the clip in the middle, which is never far off.
        """
        clips = clips_of(sample)
        rows = np.stack(described(clips, media))
        light = np.array([media(part).mean() for part in clips])
        means = rows.mean(axis=1)
        others = [np.delete(means, k, axis=0).mean(axis=0) for k in range(len(clips))]
        likeness = [float(means[k] @ other) for k, other in enumerate(others)]
        places = {
            "boundary_matching": int(np.argmin(fits(rows))),
            "least_like_the_others": int(np.argmin(likeness)),
            "by_brightness": int(np.argmax(np.abs(light - np.median(light)))),
            "middle": len(clips) // 2,
        }
        return {name: str(place + 1) for name, place in places.items()}

    def _clip(self, start: int, length: int) -> list[int]:
        cut = self.config.cut(length)
        return spread(start + cut, start + length - cut, self.config.clip_frames)

    def _odd(
        self, reel: Reel, clips: list[list[int]], place: int, length: int, rng: np.random.Generator
    ) -> list[int] | None:
        """Return the frames that replace the clip at `place`, or None where all there are look the same as it."""
        if self.config.odd == "elsewhere":
            first, last = clips[0][0], clips[-1][-1]
            starts = [s for s in range(len(reel) - length + 1) if s + length <= first or s > last]
            options = [self._clip(start, length) for start in starts]
        elif self.config.odd == "reversed":
            options = [clips[place][::-1]]
        else:
            options = [[clips[place][i] for i in rng.permutation(len(clips[place]))] for _ in range(4)]
        options = [places for places in options if alike(reel.rows[places], reel.rows[clips[place]]) < ALIKE]
        if not options:
            return None
        if not self.config.balance:
            return options[int(rng.integers(len(options)))]
        ranks = [self._rank(reel, [*clips[:place], places, *clips[place + 1 :]], place) for places in options]
        return options[balanced(ranks, self.config.clips, rng)]

    def _rank(self, reel: Reel, clips: list[list[int]], place: int) -> int:
        """Return how many clips fit their neighbours worse than the one at `place`."""
        how_well = fits(reel.rows[np.array(clips)])
        return int((how_well < how_well[place]).sum())


def fits(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (n,) how like the frames at its ends each clip's neighbours are, the mean of one or two sides.

    Args:
        rows: (n, F, D) unit rows of the clips' frames.
    """
    joints = np.einsum("nd,nd->n", rows[:-1, -1].astype(np.float64), rows[1:, 0].astype(np.float64))
    before, after = np.r_[joints[:1], joints], np.r_[joints, joints[-1:]]
    return np.asarray((before + after) / 2)
