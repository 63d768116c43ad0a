"""Contrastive: do these views show the same frame?

What it does. Cuts random views out of frames and puts each into its own light. Two views: of one frame, or of two that
differ; which? More views: all but one are of one frame; which is the odd one?
Why. What is seen has to be told from how it is seen.
Example. Two crops, one without colour; options A. the same frame, B. different frames; answer `A`.
How it is scored. One option, the right one; smooth gives a wrong one nothing more.
Limits. Views of one frame may share little; frames of one video may differ in little. Only frames that are plainly
different are set against each other.
References. SSL4RL (arXiv 2510.16416): two augmented views, of one image or of two, exact match. Ours: both frames are
of one video, so that colours alone do not tell; the odd one out of more views; the strengths of crop and light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.data.edits import Edit
from reelgym.data.messages import Image, Part, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Choice, Draft, Reel, exactly, lettered, likeness
from reelgym.tasks.timeline import ClipConfig
from reelgym.video import GridDescriptor

SAME_FROM = 0.2
"""From this similarity on the baseline says that two views are the same: the best of 0.2, 0.3 ... 0.9 on the world."""


@dataclass(frozen=True, kw_only=True)
class ContrastiveConfig(ClipConfig):
    """The numbers of the construction; all are ours."""

    reward: str = "strict"
    """What `Score.value` is: `strict` (the paper's) or `smooth`. Both are always in the parts."""
    views: int = 2
    """Views shown: 2 asks whether they are the same, 3 to 8 ask for the odd one."""
    alike: float = 0.95
    """Frames at most this similar count as plainly different."""
    crop: tuple[float, float] = (0.5, 0.8)
    """Smallest and largest side of a view as a share of the frame's."""
    light: float = 0.5
    """How much darker a view gets at most; colours go from none to twice as strong."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 2 <= self.views <= 8 or not 0 < self.alike < 1 or not 0 <= self.light <= 0.9:
            raise RequestError(
                f"views={self.views}, alike={self.alike}, light={self.light}: give 2 to 8 views, alike within 0 to 1, "
                "light 0 to 0.9"
            )
        if not 0.1 <= self.crop[0] <= self.crop[1] <= 1:
            raise RequestError(f"crop={self.crop}: give two shares of a side, 0.1 <= low <= high <= 1")


class Contrastive(Choice):
    """Say whether views show the same frame, or which one does not (SSL4RL, arXiv 2510.16416)."""

    name: ClassVar[str] = "contrastive"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = ContrastiveConfig
    config: ContrastiveConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return 3

    def wanted_frames(self) -> int:
        """Return enough for frames that differ."""
        return 16

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random frame, or None where no other one is plainly different."""
        count = self.config.views
        one, other = (int(place) for place in rng.permutation(len(reel))[:2])
        if likeness(reel.pixels[[one]], reel.pixels[[other]]) > self.config.alike:
            return None
        if count == 2:
            options = ["the same frame", "different frames"]
            right = int(rng.integers(2))
            places = [one, other if right else one]
            asked = "Do these two views show the same frame of a video, or different frames?"
        else:
            options = [f"view {number}" for number in range(1, count + 1)]
            right = int(rng.integers(count))
            places = [other if place == right else one for place in range(count)]
            asked = "All but one of these views show the same frame of a video. Which one does not?"
        parts: list[Part] = []
        for number, place in enumerate(places, 1):
            edits = self._view(rng)
            image = Image(video=reel.identity, spec=reel.shown, time=float(reel.times[place]), edits=edits)
            parts += [Text(f"\nView {number}: "), image]
        return Draft(
            parts=(*parts, Text(f"\n{asked}{lettered(options)}")),
            answer=[right + 1],
            signature=tuple(parts),
            evidence={"options": options, "closeness": exactly(right, len(options))},
            facets={"views": count},
            times=reel.seconds(places),
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that compare pictures as they are.

        * similarity: the same from a fixed similarity on; of more views, the one least like the others.
        * light: the same if their mean colours, brightness aside, are near; of more, the one farthest from the others.
        """
        views = [media(part)[0] for m in sample.messages for part in m.parts if isinstance(part, Image)]
        rows = np.concatenate([GridDescriptor().describe(view[None]) for view in views]).astype(np.float64)
        means = np.array([view.mean(axis=(0, 1)) for view in views])
        tints = means / np.maximum(means.sum(axis=1, keepdims=True), 1.0)
        far = np.abs(tints[:, None] - tints[None]).sum(axis=2)
        if len(views) == 2:
            same = {"similarity": rows[0] @ rows[1] >= SAME_FROM, "light": far[0, 1] < 0.02}
            return {name: LETTERS[0 if said else 1] for name, said in same.items()}
        odd: dict[str, NDArray[np.float64]] = {"similarity": (rows @ rows.T).sum(axis=1), "light": -far.sum(axis=1)}
        return {name: LETTERS[int(np.argmin(values))] for name, values in odd.items()}

    def _view(self, rng: np.random.Generator) -> tuple[Edit, ...]:
        """Return a random crop in random light."""
        wide, high = (float(share) for share in rng.uniform(*self.config.crop, 2))
        left, top = float(rng.uniform(0, 1 - wide)), float(rng.uniform(0, 1 - high))
        crop = Edit("crop", tuple(round(value, 4) for value in (left, top, left + wide, top + high)))
        gain = round(1 - self.config.light * float(rng.uniform(0, 1)), 4)
        return (crop, Edit("tone", (gain, 0.0, round(float(rng.uniform(0, 2)), 4)))) if self.config.light else (crop,)
