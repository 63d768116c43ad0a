"""ms-swift's reward signature: an object called with completions and the columns of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelgym.synthesis.export.rewards import score, text_of


class ReelgymReward:
    """Scores completions; the export's `reward.py` registers it as `reelgym` in ms-swift's `orms`."""

    def __init__(self, args: Any = None, **others: Any) -> None:
        """Take what ms-swift gives every reward; nothing of it is used."""

    def __call__(self, completions: Sequence[Any], sample: Sequence[str], **columns: Any) -> list[float]:
        """Return the value of every completion; `sample` is that column of the export."""
        return [score(text_of(reply), carried).value for reply, carried in zip(completions, sample, strict=True)]
