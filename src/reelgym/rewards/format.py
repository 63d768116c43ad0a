"""Format: whether a reply follows its template to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reelgym.data.form import faults
from reelgym.data.templates import INSTRUCTIONS, TAGS, Variant, segments_of
from reelgym.data.trajectory import Group
from reelgym.errors import unknown
from reelgym.rewards.base import Reward, Scores

_ANY_TAG = re.compile(rf"</?(?:{'|'.join(TAGS)})>")


@dataclass(frozen=True)
class Format(Reward):
    """1 if the reply has the form that its instruction asked for, else 0.

    `tagged`: `<observation>..</observation><think>..</think><answer>..</answer>`, each tag exactly once, none empty,
    only white space around them (`data.form.faults` finds nothing); `videop2r_opened` also wants the fixed opening
    words, and `reasoned` has no observation. `direct`: some text and none of these tags.
    Limits: says nothing of what stands inside the tags; the accuracy of an answer that cannot be read is 0 by itself.

    Attributes:
        variant: The instruction's variant.
    """

    name: ClassVar[str] = "format"
    variant: Variant = "tagged"

    def __post_init__(self) -> None:
        """Refuse an unknown variant."""
        if self.variant not in INSTRUCTIONS:
            raise unknown("format variant", self.variant, INSTRUCTIONS)

    def score(self, group: Group) -> Scores:
        """Return (G, 1) of 0 and 1."""
        return np.array([[float(self.valid(member.reply))] for member in group.trajectories], dtype=np.float64)

    def valid(self, reply: str) -> bool:
        """Return whether a reply has the form.

        >>> Format().valid("<observation>a</observation><think>b</think><answer>3</answer>")
        True
        >>> Format("direct").valid("3, 1, 2")
        True
        """
        if wanted := segments_of(self.variant):
            return not faults(reply, opened=self.variant == "videop2r_opened", wanted=wanted)
        return bool(reply.strip()) and not _ANY_TAG.search(reply)
