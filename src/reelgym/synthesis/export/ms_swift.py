"""ms-swift: messages with images and videos as lists of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from reelgym.synthesis.export.base import Format, Frozen
from reelgym.synthesis.export.tables import write_lines


class MsSwift(Format):
    """ms-swift: JSON lines of messages, clips as frame lists; schema only, read from its 4.6.0 source."""

    name: ClassVar[str] = "ms-swift"
    suffix = "jsonl"
    limits = (
        "frames of a list are told as 2 per second, whatever their times are",
        "qwen-vl-utils 0.0.14 rounds the sides of frames of a list to multiples of twice a token's side, which changes "
        "their tokens: cut samples whose sides are such multiples (56 for Qwen2.5-VL)",
        "it enlarges such frames below 128 tokens: set VIDEO_MIN_TOKEN_NUM=4",
    )
    usage = (
        "VIDEO_MIN_TOKEN_NUM=4 swift rlhf --rlhf_type grpo --dataset {root}/train.jsonl \\\n"
        "--external_plugins {root}/reward.py --reward_funcs reelgym"
    )
    reward = (
        "from swift.rewards import orms\n\nfrom reelgym.synthesis.export.rewards_ms_swift import ReelgymReward\n\n"
        'orms["reelgym"] = ReelgymReward\n'
    )

    def row(self, frozen: Frozen) -> dict[str, Any]:
        """See `Format.row`."""
        return {
            "messages": [{"role": turn.role, "content": frozen.marked(turn)} for turn in frozen.turns],
            "images": [one.files[0] for one in frozen.shown("image")],
            "videos": [list(one.files) for one in frozen.shown("clip")],
            "solution": frozen.reply,
            "sample": frozen.carried,
            "media": [one.to_json() for one in frozen.media],
        }

    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """See `Format.write`."""
        return write_lines(path, rows)
