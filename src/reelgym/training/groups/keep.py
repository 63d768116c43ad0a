"""Keep every group."""

from __future__ import annotations

from typing import ClassVar

from reelgym.training.groups.base import GroupPolicy, Outcome


class Keep(GroupPolicy):
    """Groups without signal stay: their tokens count in the mean of the step, and its loss is smaller for them."""

    name: ClassVar[str] = "keep"

    def keeps(self, outcome: Outcome) -> bool:
        """Return True."""
        return True
