"""Reversal: do the frames run forward or backward?

What it does. Shows a clip as it is or from its last frame to its first, and asks which.
Why. Only what moves, and why, tells the direction of time; no single frame does.
Example. A glass that gathers itself from the floor; options A. forward, B. backward; answer `B`.
How it is scored. One option, the right one: strict and smooth differ by nothing but chance (there is one wrong option).
Limits. Motion that would look natural both ways (a ball that bounces, a crowd) has no answer that anybody could see;
only clips that look alike both ways are refused. What grows or fades gives answers away without motion: `light` is
against fading, and `baselines` says how far it all goes.
References. ViSS-R1 (arXiv 2511.13054), whose code reverses 55% of its videos; here it is half of them, so that no
constant answer gains. Ours: the added change of light, and all numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reelgym.data.messages import Clip, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Choice, Draft, Reel, lettered, likeness, stretch
from reelgym.tasks.timeline import ALIKE, ClipConfig, sharpness
from reelgym.tasks.transforms import TRANSFORMS, Media


@dataclass(frozen=True, kw_only=True)
class ReversalConfig(ClipConfig):
    """The numbers of the construction; all are ours."""

    reward: str = "strict"
    """What `Score.value` is: `strict` (the paper's) or `smooth`. Both are always in the parts."""
    frames: int = 8
    """Frames of the clip."""
    light: float = 0.5
    """How much darker a frame gets at most, 0 to 1: light that comes or goes must not tell the answer."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 3 <= self.frames <= 256:
            raise RequestError(f"frames={self.frames}: give 3 to 256")
        if not 0 <= self.light <= 1:
            raise RequestError(f"light={self.light}: give 0 to 1")


class Reversal(Choice):
    """Say whether a clip runs forward or backward (ViSS-R1, arXiv 2511.13054)."""

    name: ClassVar[str] = "reversal"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = ReversalConfig
    config: ReversalConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return self.config.frames

    def wanted_frames(self) -> int:
        """Return three clips' frames."""
        return 3 * self.config.frames

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random stretch, or None where it looks alike both ways."""
        places = stretch(rng, len(reel), self.config.frames)
        backward = int(rng.integers(2))
        pixels = reel.pixels[places]
        if likeness(pixels, pixels[::-1]) >= ALIKE:
            return None
        transform, times = TRANSFORMS["reversal"], reel.seconds(places)
        clip = Clip(video=reel.identity, spec=reel.shown, times=times)
        part = transform.apply(clip, backward, rng, light=self.config.light)
        return Draft(
            parts=(part, Text(f"\n{transform.question}{lettered(transform.options)}")),
            answer=[backward + 1],
            signature=(*places, backward),
            evidence={"options": list(transform.options), "closeness": list(transform.closeness[backward])},
            facets={"direction": transform.options[backward]},
            times=times,
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return the letters of `shortcuts`."""
        (clip,) = (part for message in sample.messages for part in message.parts if isinstance(part, Clip))
        return {name: LETTERS[place] for name, place in shortcuts(clip, media).items()}


def shortcuts(part: Media, media: MediaReader) -> dict[str, int]:
    """Return whether a clip runs backward, 0 or 1, as told by those who look at no motion.

    * detail_grows: forward if the last half has more grain than the first, each frame in its own light; things are
      built, drawn, gathered.
    * light_falls: forward if the last half is darker.
    * motion_fades: forward if the frames of the last half differ less from each other.
    * always_forward.
    """
    pixels = media(part)
    half = len(pixels) // 2
    light = pixels.mean(axis=(1, 2, 3))
    grain = sharpness(pixels) / np.maximum(light, 1.0)
    change = np.abs(np.diff(pixels.astype(np.float64), axis=0)).mean(axis=(1, 2, 3))
    forward = {
        "detail_grows": grain[-half:].mean() >= grain[:half].mean(),
        "light_falls": light[-half:].mean() <= light[:half].mean(),
        "motion_fades": change[-half:].mean() <= change[:half].mean(),
        "always_forward": True,
    }
    return {name: 0 if said else 1 for name, said in forward.items()}
