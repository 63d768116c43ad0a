"""verl: rows for its `RLHFDataset`, clips as lists of frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from reelgym.synthesis.export.base import Format, Frozen, Shown
from reelgym.synthesis.export.tables import write_parquet

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_IMAGE = pa.struct([("image", pa.string())])
_VIDEO = pa.struct(
    [
        ("video", pa.list_(pa.string())),
        ("sample_fps", pa.float64()),
        ("resized_height", pa.int32()),
        ("resized_width", pa.int32()),
    ]
)
_EXTRA = pa.struct(
    [
        ("index", pa.int64()),
        ("split", pa.string()),
        ("id", pa.string()),
        ("reply", pa.string()),
        ("media", pa.string()),
    ]
)
_SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(_MESSAGE)),
        ("images", pa.list_(_IMAGE)),
        ("videos", pa.list_(_VIDEO)),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        ("extra_info", _EXTRA),
    ]
)


class Verl(Format):
    """verl: Parquet for RLHFDataset, clips as frame lists with their rate; run with verl 0.9.1."""

    name: ClassVar[str] = "verl"
    suffix = "parquet"
    limits = (
        "one rate per clip is told: the mean spacing of its true times; media.error_seconds says how far off it is",
        "qwen-vl-utils 0.0.14 scales the frames of a list to multiples of twice a token's side and back: number and "
        "size stay, pixels are exact only where both sides are such multiples (56 for Qwen2.5-VL)",
    )
    usage = (
        "data.train_files={root}/train.parquet data.val_files={root}/test.parquet \\\n"
        "reward.custom_reward_function.path={root}/reward.py reward.custom_reward_function.name=compute_score"
    )
    reward = "from reelgym.synthesis.export.rewards_verl import compute_score  # noqa: F401\n"

    def row(self, frozen: Frozen) -> dict[str, Any]:
        """See `Format.row`; the sizes of clips are stated, since qwen-vl-utils would enlarge small frames."""
        sample = frozen.sample
        return {
            "data_source": f"reelgym/{sample.task}",
            "prompt": [{"role": turn.role, "content": frozen.marked(turn)} for turn in frozen.turns],
            "images": [{"image": one.files[0]} for one in frozen.shown("image")],
            "videos": [_video(one) for one in frozen.shown("clip")],
            "ability": "video",
            "reward_model": {"style": "rule", "ground_truth": frozen.carried},
            "extra_info": {
                "index": frozen.index,
                "split": sample.split,
                "id": sample.id,
                "reply": frozen.reply,
                "media": json.dumps([one.to_json() for one in frozen.media]),
            },
        }

    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """See `Format.write`."""
        return write_parquet(path, rows, _SCHEMA)


def _video(clip: Shown) -> dict[str, Any]:
    height, width = clip.size
    return {"video": list(clip.files), "sample_fps": clip.rate, "resized_height": height, "resized_width": width}
