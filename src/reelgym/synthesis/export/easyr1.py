"""EasyR1: one prompt text per row, with images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from reelgym.synthesis.export.base import Format, Frozen
from reelgym.synthesis.export.tables import write_parquet

_SCHEMA = pa.schema(
    [
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("reply", pa.string()),
        ("media", pa.string()),
        ("images", pa.list_(pa.string())),
    ]
)


class EasyR1(Format):
    """EasyR1: Parquet of prompts and images, clips as images after their times; run at b44b311."""

    name: ClassVar[str] = "easyr1"
    suffix = "parquet"
    images_only = True
    limits = (
        "it takes images or videos, never both, and changes the size of frames of a list: clips are images here, each "
        "after its time in the text",
        "frames below data.min_pixels are enlarged, 262144 as shipped: set what is named above",
        "a row is one user message: what system messages say stands at its beginning",
    )
    usage = (
        "data.train_files={root}/train.parquet data.val_files={root}/test.parquet data.prompt_key=prompt \\\n"
        "data.answer_key=answer data.min_pixels=3136 data.max_pixels=602112 \\\n"
        "worker.reward.reward_function={root}/reward.py:compute_score"
    )
    reward = (
        "from reelgym.synthesis.export.rewards_easyr1 import REWARD_NAME, REWARD_TYPE, compute_score  # noqa: F401\n"
    )

    def row(self, frozen: Frozen) -> dict[str, Any]:
        """See `Format.row`."""
        return {
            "prompt": "\n".join(frozen.marked(turn) for turn in frozen.turns),
            "answer": frozen.carried,
            "reply": frozen.reply,
            "media": json.dumps([one.to_json() for one in frozen.media]),
            "images": [one.files[0] for one in frozen.media],
        }

    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """See `Format.write`."""
        return write_parquet(path, rows, _SCHEMA)
