"""EasyR1: one prompt text per row, with images or with videos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from reelgym.synthesis.export.base import Format, Frozen
from reelgym.synthesis.export.tables import write_parquet

_TEXTS = [("prompt", pa.string()), ("answer", pa.string()), ("reply", pa.string()), ("media", pa.string())]
_IMAGES = pa.schema([*_TEXTS, ("images", pa.list_(pa.string()))])
_VIDEOS = pa.schema([*_TEXTS, ("videos", pa.list_(pa.list_(pa.string())))])


class EasyR1(Format):
    """EasyR1: Parquet of prompts with images, or with videos as frame lists; schema only, read from its source."""

    name: ClassVar[str] = "easyr1"
    suffix = "parquet"
    one_kind = True
    limits = (
        "a row holds images or videos: where a dataset holds both, clips are images, each after its time in the text",
        "frames of a list are told as 2 per second, whatever their times are",
        "a row is one user message: what system messages say stands at its beginning",
    )
    usage = (
        "data.train_files={root}/train.parquet data.val_files={root}/test.parquet data.prompt_key=prompt \\\n"
        "data.answer_key=answer worker.reward.reward_function={root}/reward.py:compute_score"
    )
    reward = (
        "from reelgym.synthesis.export.rewards_easyr1 import REWARD_NAME, REWARD_TYPE, compute_score  # noqa: F401\n"
    )

    def row(self, frozen: Frozen) -> dict[str, Any]:
        """See `Format.row`."""
        images, clips = frozen.shown("image"), frozen.shown("clip")
        media = (
            {"videos": [list(one.files) for one in clips]} if clips else {"images": [one.files[0] for one in images]}
        )
        return {
            "prompt": "\n".join(frozen.marked(turn) for turn in frozen.turns),
            "answer": frozen.carried,
            "reply": frozen.reply,
            "media": json.dumps([one.to_json() for one in frozen.media]),
        } | media

    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """See `Format.write`; which column there is follows from the first row, since a file has one kind."""
        first = next(rows, None)
        if first is None:
            return write_parquet(path, iter(()), _IMAGES)
        return write_parquet(path, _again(first, rows), _VIDEOS if "videos" in first else _IMAGES)


def _again(first: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield first
    yield from rest
