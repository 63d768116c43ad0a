"""Arrow of time: does each clip run forward or backward?

What it does. Takes several separate stretches of a video, plays each of them forward or backward by a coin of its own,
and asks for the direction of each.
Why. What falls, grows, breaks or is put together tells the direction of time; no single frame does. Several clips in
one question leave a guesser little and give partial credit a meaning.
Example. Three clips; answer `forward, backward, forward`.
How it is scored. strict: all clips right. smooth: the share of clips right.
Limits. Motion that obeys the same laws both ways (what bounces or swings) has no direction that anybody could see; only
clips that look the same both ways are refused. Of the rendered scenes `process` has an arrow, `cups` and `tower` have
one by their habits, and `moving` has hardly any: its facts know the direction, its pixels do not.
References. Learning and Using the Arrow of Time (Wei et al., CVPR 2018); Seeing the Arrow of Time in Large Multimodal
Models, arXiv 2506.03340; ViSS-R1, arXiv 2511.13054 (one clip, reversed with probability 0.55; our `reversal` is that
task). Ours: several clips in one question, the fair coin, a clock that tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reelgym.data.messages import Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.graded import share_chance, share_parts
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Pretext, Reel
from reelgym.tasks.timeline import ALIKE, ClipConfig, alike, clip, clips_of, numbered, sharpness

WORDS = ("forward", "backward")
"""The two answers; their first letters are read too."""

_LONGEST = 2_000
_SAID = re.compile(r"(?:clip\s+\d{1,3}\s*[:.]?\s*)?(forwards?|backwards?|f|b)(?![a-z])[\s,;.]*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ArrowOfTimeConfig(ClipConfig):
    """The numbers of the construction; all are ours."""

    clips: int = 3
    """Clips of one question, each with its own direction."""
    clip_frames: int = 8
    """Frames of each clip, neighbours in time."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 1 <= self.clips <= 8 or not 2 <= self.clip_frames <= 64:
            raise RequestError(f"clips={self.clips}, clip_frames={self.clip_frames}: give 1 to 8 clips of 2 to 64")


class ArrowOfTime(Pretext):
    """Say of each clip whether it runs forward or backward (Wei et al., CVPR 2018; arXiv 2506.03340)."""

    name: ClassVar[str] = "arrow_of_time"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = ArrowOfTimeConfig
    config: ArrowOfTimeConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return self.config.clips * self.config.clip_frames

    def wanted_frames(self) -> int:
        """Return twice the frames of one question."""
        return 2 * self.least

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question, or None where a clip of it looks the same both ways."""
        each = self.config.clip_frames
        starts = apart(rng, len(reel), self.config.clips, each)
        clips = [list(range(start, start + each)) for start in rng.permutation(starts)]
        if any(alike(reel.rows[places], reel.rows[places[::-1]]) >= ALIKE for places in clips):
            return None
        turned = [int(coin) for coin in rng.integers(2, size=len(clips))]
        shown = [
            clip(reel.identity, reel.shown, reel.seconds(places[::-1] if turn else places), clock=reel.seconds(places))
            for places, turn in zip(clips, turned, strict=True)
        ]
        count = f"each of these {len(shown)} clips" if len(shown) > 1 else "this clip"
        asked = f"\nDoes {count} run forward or backward in time? Answer with one word per clip: forward or backward."
        return Draft(
            parts=(*numbered("Clip", shown), Text(asked)),
            answer=[WORDS[turn] for turn in turned],
            signature=(*starts, *turned),
            facets={"clips": len(shown), "backward": sum(turned)},
            times=tuple(time for places in clips for time in reel.seconds(places)),
        )

    def read(self, text: str, sample: Sample) -> tuple[str, ...] | None:
        """Return exactly one word per clip."""
        return parse_directions(text, len(sample.answer))

    def parts(self, said: Sequence[str], sample: Sample) -> dict[str, float]:
        """Return whether all clips are right, and the share that is."""
        return share_parts(said, sample.answer)

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return what coins get: 1 / 2^clips strictly, half smoothly."""
        return share_chance(len(sample.answer), len(WORDS))

    def gold(self, sample: Sample) -> str:
        """Return the right words, such as `forward, backward, forward`."""
        return ", ".join(sample.answer)

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that follow no motion.

        * detail_grows: forward if the second half of a clip has more fine grain than the first: things accumulate, and
          codecs lose or gain grain from frame to frame.
        * light_falls: forward if the second half is darker.
        * motion_fades: forward if the frames of the second half differ less from each other.
        * always_forward.
        """
        said: dict[str, list[bool]] = {"detail_grows": [], "light_falls": [], "motion_fades": [], "always_forward": []}
        for part in clips_of(sample):
            pixels = media(part)
            half = len(pixels) // 2
            grain, light = sharpness(pixels), pixels.mean(axis=(1, 2, 3))
            change = np.abs(np.diff(pixels.astype(np.float32), axis=0)).mean(axis=(1, 2, 3))
            said["detail_grows"].append(grain[-half:].mean() >= grain[:half].mean())
            said["light_falls"].append(light[-half:].mean() <= light[:half].mean())
            said["motion_fades"].append(change[-half:].mean() <= change[:half].mean())
            said["always_forward"].append(True)
        return {name: ", ".join(WORDS[0 if one else 1] for one in words) for name, words in said.items()}


def parse_directions(text: str, count: int) -> tuple[str, ...] | None:
    """Return `count` directions, each written as a word or its first letter, or None where anything else is there.

    >>> parse_directions("F, backward", 2), parse_directions("it runs forward", 1)
    (('forward', 'backward'), None)
    """
    if len(text) > _LONGEST:
        return None
    said: list[str] = []
    place = 0
    text = text.strip()
    while place < len(text):
        found = _SAID.match(text, place)
        if found is None:
            return None
        said.append(WORDS[0 if found[1][0] in "fF" else 1])
        place = found.end()
    return tuple(said) if len(said) == count else None


def apart(rng: np.random.Generator, total: int, count: int, each: int) -> list[int]:
    """Return where `count` runs of `each` frames start so that none overlap, ascending; every such choice as likely.

    Args:
        rng: The stream.
        total: Frames in all, at least `count * each`.
        count: Number of runs.
        each: Length of a run.
    """
    gaps = np.sort(rng.choice(total - count * each + count, count, replace=False))
    return [int(gap) + number * (each - 1) for number, gap in enumerate(gaps)]
