"""LLaMA-Factory: conversations for SFT with images and videos as lists of frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from reelgym.synthesis.export.base import Format, Frozen
from reelgym.synthesis.export.tables import write_list


class LlamaFactory(Format):
    """LLaMA-Factory: JSON conversations for SFT, clips as frame lists; schema only, read from its 0.9.5 source."""

    name: ClassVar[str] = "llamafactory"
    suffix = "json"
    limits = (
        "it has no GRPO: rows end with the right reply, and reward.py scores its file of predictions",
        "frames of a list are told as video_fps per second, whatever their times are",
        "frames above video_max_pixels (256 x 256 unless set) and image_max_pixels are made smaller",
    )
    usage = (
        "dataset_dir: {root}\ndataset: reelgym_train\neval_dataset: reelgym_test\nvideo_max_pixels: 602112\n"
        "# python {root}/reward.py generated_predictions.jsonl {root}/test.json"
    )
    reward = (
        "import sys\n\nfrom reelgym.synthesis.export.rewards_llamafactory import main\n\n"
        'if __name__ == "__main__":\n    print(main(sys.argv[1:]))\n'
    )

    def row(self, frozen: Frozen) -> dict[str, Any]:
        """See `Format.row`."""
        asked = [{"role": turn.role, "content": frozen.marked(turn)} for turn in frozen.turns]
        return {
            "messages": [*asked, {"role": "assistant", "content": frozen.reply}],
            "images": [one.files[0] for one in frozen.shown("image")],
            "videos": [list(one.files) for one in frozen.shown("clip")],
            "sample": frozen.carried,
            "media": json.dumps([one.to_json() for one in frozen.media]),
        }

    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """See `Format.write`."""
        return write_list(path, rows)

    def extra(self, splits: Sequence[str]) -> Mapping[str, str]:
        """Return `dataset_info.json`, which names the files and their columns."""
        tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user"}
        tags |= {"assistant_tag": "assistant", "system_tag": "system"}
        columns = {"messages": "messages", "images": "images", "videos": "videos"}
        about = {
            f"reelgym_{split}": {
                "file_name": f"{split}.json",
                "formatting": "sharegpt",
                "columns": columns,
                "tags": tags,
            }
            for split in splits
        }
        return {"dataset_info.json": json.dumps(about, indent=1) + "\n"}
