"""TRL: conversations with images; it trains blind on video, so clips become images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from reelgym.synthesis.export.base import Format, Frozen, Turn
from reelgym.synthesis.export.tables import write_parquet

_PART = pa.struct([("type", pa.string()), ("text", pa.string())])
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _schema() -> pa.Schema:
    """Return the columns, with the note by which `datasets` opens the images."""
    text = {"dtype": "string", "_type": "Value"}
    content = {"feature": {"type": text, "text": text}, "_type": "List"}
    features = {
        "prompt": {"feature": {"role": text, "content": content}, "_type": "List"},
        "images": {"feature": {"_type": "Image"}, "_type": "List"},
        "sample": text,
        "solution": text,
        "media": text,
    }
    columns = [
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_PART))]))),
        ("images", pa.list_(_IMAGE)),
        ("sample", pa.string()),
        ("solution", pa.string()),
        ("media", pa.string()),
    ]
    return pa.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})


class TRL(Format):
    """TRL: Parquet of conversations and images, clips as images after their times; run with TRL 1.16.0."""

    name: ClassVar[str] = "trl"
    suffix = "parquet"
    images_only = True
    limits = ("GRPOTrainer drops video without a word: clips are images here, each after its time in the text",)
    usage = (
        'dataset = datasets.load_dataset("parquet", data_files="{root}/train.parquet", split="train")\n'
        "GRPOTrainer(train_dataset=dataset, reward_funcs=[reelgym_reward], ...)  # from reward.py"
    )
    reward = "from reelgym.synthesis.export.rewards_trl import reelgym_reward  # noqa: F401\n"

    def row(self, frozen: Frozen) -> dict[str, Any]:
        """See `Format.row`."""
        return {
            "prompt": [{"role": turn.role, "content": _content(turn)} for turn in frozen.turns],
            "images": [{"bytes": None, "path": one.files[0]} for one in frozen.media],
            "sample": frozen.carried,
            "solution": frozen.reply,
            "media": json.dumps([one.to_json() for one in frozen.media]),
        }

    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """See `Format.write`."""
        return write_parquet(path, rows, _schema())


def _content(turn: Turn) -> list[dict[str, str | None]]:
    return [
        {"type": "text", "text": piece} if isinstance(piece, str) else {"type": "image", "text": None}
        for piece in turn.pieces
    ]
