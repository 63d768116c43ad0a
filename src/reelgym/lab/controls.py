"""What must and what must not be learned: a control with the true reward on easier puzzles, one with shuffled rewards.

A budget under which the two cannot be told apart sees no difference between recipes either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from reelgym.data.sample import Split
from reelgym.data.trajectory import Group
from reelgym.recipes import proving
from reelgym.recipes.inputs import Later, held
from reelgym.rewards import Accuracy, Reward, Rubric
from reelgym.rewards.base import Expression, Scores
from reelgym.training.config import Data, RLRun

POSITIVE, NEGATIVE = "positive control", "negative control"
NAMES = (POSITIVE, NEGATIVE)

EASIER = replace(proving.PUZZLE, gap=0.3)
"""Candidates differ more from one another and from the context; as many of them as in the recipes' puzzles, because a
tiny model cannot name two frames where it was taught to name three. Ours."""


@dataclass(frozen=True)
class Shuffled(Reward):
    """The scores of an expression, dealt anew to the members of the group: same distribution, no information.

    Every member's expected advantage is 0, because each score is dealt to each with the same chance, its own included.

    Attributes:
        of: What would be paid.
        seed: Of the deal; it follows from this, the sample and the replies.
    """

    name: ClassVar[str] = "shuffled"
    of: Expression
    seed: int = 0

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the names of the S columns: the expression's."""
        return self.of.segments

    def score(self, group: Group) -> Scores:
        """Return (G, S): the rows of the expression's scores in another order."""
        scores = Rubric(expression=self.of).score(group)
        said = "\x1f".join([str(self.seed), group.sample.id, *(member.reply for member in group.trajectories)])
        stream = np.random.default_rng(int.from_bytes(hashlib.sha256(said.encode()).digest()[:8]))
        return scores[stream.permutation(len(group))]


def negative(plain: RLRun) -> RLRun:
    """Return a run like `plain` whose rewards are shuffled within every group; true accuracy is logged."""
    shuffled = Shuffled(plain.rubric.expression, plain.config.seed)
    return replace(plain, rubric=Rubric(expression=shuffled, logged=(Accuracy(),)), origin={"lab": "shuffled rewards"})


def positive(plain: RLRun) -> RLRun:
    """Return a run like `plain`, its reward included, on easier puzzles of the same videos.

    Paid for the exact order alone, a tiny model had too few groups with signal to move at all in a short lab.
    """
    data = Later(easier, "train", *proving.TRAIN, plain.config.seed)
    rubric = replace(plain.rubric, logged=(Accuracy("exact"),))
    return replace(plain, rubric=rubric, data=data, origin={"lab": "easier puzzles"})


def easier(split: Split, videos: int, per_video: int, seed: int) -> Data:
    """Return easier puzzles of the videos that recipe `mvp` renders under this seed."""
    ground = proving.ground(split, videos, per_video, seed)
    return held(proving.cut(ground.videos, "easier", EASIER, split=split, per_video=per_video, seed=seed))
