"""The form of some segments alone: whether they are there once, closed, in order and not empty."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reelgym.data.templates import TAGS
from reelgym.data.trajectory import Group
from reelgym.errors import RequestError
from reelgym.rewards.base import Reward, Scores

_ANY_TAG = re.compile(rf"<(/?)({'|'.join(TAGS)})>")


@dataclass(frozen=True)
class SegmentFormat(Reward):
    """1 if each named segment stands in the last turn exactly once, closed, not empty and in this order, else 0.

    VideoP2R (arXiv 2511.11113) pays perception for `observation` and reasoning for `think+answer`; that no tag may
    stand inside a segment, and that it may not be empty, is ours. Limits: other segments and text outside tags do not
    count; `format` checks the whole reply.

    Attributes:
        of: Names of segments, joined by `+`.
    """

    name: ClassVar[str] = "segment_format"
    of: str = "observation"

    def __post_init__(self) -> None:
        """Refuse a name that no template has."""
        if bad := [name for name in self.of.split("+") if name not in TAGS]:
            raise RequestError(f"no segment is called {bad[0]!r}: name some of {', '.join(TAGS)}, joined by +")

    @property
    def label(self) -> str:
        """Return `segment_format/NAMES`."""
        return f"{self.name}/{self.of}"

    def score(self, group: Group) -> Scores:
        """Return (G, 1) of 0 and 1."""
        return np.array([[float(self.valid(member.reply))] for member in group.trajectories], dtype=np.float64)

    def valid(self, reply: str) -> bool:
        """Return whether the segments have the form.

        >>> SegmentFormat("think+answer").valid("<think>b</think><answer>3</answer>")
        True
        >>> SegmentFormat("observation").valid("<observation><think>a</think></observation>")
        False
        """
        names = self.of.split("+")
        tags = list(_ANY_TAG.finditer(reply))
        places = [place for place, tag in enumerate(tags) if tag[2] in names]
        wanted = [(slash, name) for name in names for slash in ("", "/")]
        if [(tags[place][1], tags[place][2]) for place in places] != wanted:
            return False
        pairs = zip(places[::2], places[1::2], strict=True)
        return all(
            stop == start + 1 and reply[tags[start].end() : tags[stop].start()].strip() != "" for start, stop in pairs
        )
