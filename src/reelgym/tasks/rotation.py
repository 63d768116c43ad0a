"""Rotation: by how much were the frames turned?

What it does. Turns a clip, or one frame, clockwise by 0, 90, 180 or 270 degrees and asks which.
Why. Knowing up from down takes knowing what is seen; the label costs nothing.
Example. A clip that lies on its side; options A. 0 degrees, B. 90 degrees, C. 180 degrees, D. 270 degrees; answer `B`.
How it is scored. One option. strict: the right one. smooth: also half of 1 - angle / 180 degrees for a wrong one.
Limits. Scenes without an up (seen from above, or abstract) have no answer that anybody could see; only frames that look
the same when turned are refused. A light sky gives answers away: `light` is against it, `baselines` says how far.
References. ViSS-R1 (arXiv 2511.13054) turns videos (`form=clip`), SSL4RL (arXiv 2510.16416) images (`form=image`); both
ask for one of four angles and pay only the right one. Ours: the middle square is cut out first, since the shape of a
frame tells two angles from the other two; the added light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Choice, Draft, Reel, lettered, likeness, stretch
from reelgym.tasks.timeline import ALIKE, ClipConfig
from reelgym.tasks.transforms import TRANSFORMS, Media, squared

FORMS = ("clip", "image")
"""What is turned."""


@dataclass(frozen=True, kw_only=True)
class RotationConfig(ClipConfig):
    """The numbers of the construction; all are ours."""

    reward: str = "strict"
    """What `Score.value` is: `strict` (the papers') or `smooth`. Both are always in the parts."""
    form: Literal["clip", "image"] = "clip"
    """What is turned: a clip (ViSS-R1) or one frame (SSL4RL)."""
    frames: int = 8
    """Frames of a clip."""
    square: bool = True
    """Whether only the middle square is shown."""
    light: float = 0.5
    """How much darker, at most, the side away from a random light gets, 0 to 1: where a scene is bright must not tell
    its upper side."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if self.form not in FORMS or not 2 <= self.frames <= 256:
            raise RequestError(f"form={self.form!r}, frames={self.frames}: 'clip' or 'image', of 2 to 256 frames")
        if not 0 <= self.light <= 1:
            raise RequestError(f"light={self.light}: give 0 to 1")


class Rotation(Choice):
    """Say by how much a clip or an image was turned (arXiv 2511.13054, 2510.16416)."""

    name: ClassVar[str] = "rotation"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = RotationConfig
    config: RotationConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return 1 if self.config.form == "image" else self.config.frames

    def wanted_frames(self) -> int:
        """Return three clips' frames."""
        return 3 * self.config.frames

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random stretch or frame, or None where it looks the same when turned."""
        places = stretch(rng, len(reel), self.config.frames if self.config.form == "clip" else 1)
        turned = int(rng.integers(4))
        upright = reel.pixels[places]
        short = min(upright.shape[1:3])
        upright = upright[:, (upright.shape[1] - short) // 2 :, (upright.shape[2] - short) // 2 :][:, :short, :short]
        if max(likeness(np.rot90(upright, k, axes=(1, 2)), upright) for k in (1, 2, 3)) >= ALIKE:
            return None
        times = reel.seconds(places)
        part: Media = Clip(video=reel.identity, spec=reel.shown, times=times)
        if self.config.form == "image":
            part = Image(video=reel.identity, spec=reel.shown, time=times[0])
        transform = TRANSFORMS["rotation"]
        part = transform.apply(squared(part) if self.config.square else part, turned, rng, light=self.config.light)
        asked = transform.question if self.config.form == "clip" else "By how much was this image turned clockwise?"
        return Draft(
            parts=(part, Text(f"\n{asked}{lettered(transform.options)}")),
            answer=[turned + 1],
            signature=(*places, turned),
            evidence={"options": list(transform.options), "closeness": list(transform.closeness[turned])},
            facets={"form": self.config.form, "degrees": 90 * turned},
            times=times,
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return the letters of `shortcuts`."""
        (part,) = (part for message in sample.messages for part in message.parts if not isinstance(part, Text))
        return {name: LETTERS[place] for name, place in shortcuts(part, media).items()}


def shortcuts(part: Media, media: MediaReader) -> dict[str, int]:
    """Return how a part was turned, in quarter turns, as told by those who know no object.

    * light_from_above: the brightest side is the upper one.
    * detail_below: the side with the most grain is the lower one.
    * not_turned: always 0 degrees.
    """
    grey = media(part).astype(np.float64).mean(axis=(0, 3))
    grain = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    light, detail = int(np.argmax(_sides(grey))), int(np.argmax(_sides(grain)))
    return {"light_from_above": light, "detail_below": (detail + 2) % 4, "not_turned": 0}


def _sides(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Return the mean over the top, right, bottom and left third: where the top is after 0, 1, 2, 3 quarter turns."""
    high, wide = max(1, values.shape[0] // 3), max(1, values.shape[1] // 3)
    sides = (values[:high], values[:, -wide:], values[-high:], values[:, :wide])
    return [float(side.mean()) for side in sides]
