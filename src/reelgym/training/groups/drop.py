"""Leave groups without signal out."""

from __future__ import annotations

from typing import ClassVar

from reelgym.training.groups.base import GroupPolicy


class Drop(GroupPolicy):
    """Groups without signal are left out of the step, which is smaller for it (the filter of LongVILA-R1)."""

    name: ClassVar[str] = "drop"
