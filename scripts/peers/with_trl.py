"""Inside of TRL's environment: a GRPOTrainer on one export, its prompts and its rewards."""

from __future__ import annotations

import common

common.torchvision()

import importlib.util  # noqa: E402
import json  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import datasets  # noqa: E402
import numpy as np  # noqa: E402
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402
from trl.data_utils import prepare_multimodal_messages  # noqa: E402


def main() -> None:
    """Check every case."""
    common.versions("trl", "transformers", "datasets", "torch")
    told = common.expected()
    for case in told["cases"]:
        dataset = datasets.load_dataset("parquet", data_files=case["data"], split="train")
        trainer = GRPOTrainer(
            model=Qwen2_5_VLForConditionalGeneration.from_pretrained(told["model"]),
            processing_class=AutoProcessor.from_pretrained(told["model"]),
            reward_funcs=[function(case["export"])],
            args=GRPOConfig(
                output_dir=tempfile.mkdtemp(),
                per_device_train_batch_size=2,
                num_generations=2,
                max_completion_length=8,
                max_steps=1,
                report_to=[],
                use_cpu=True,
                bf16=False,
            ),
            train_dataset=dataset,
        )
        prompt(case, dataset[0], trainer)
        reward(case, dataset[0], trainer)
        trainer.train()
        common.same(f"{case['name']}: steps of GRPO on the export", trainer.state.global_step, 1)


def function(folder: str) -> Any:
    """Return the reward function of an export."""
    spec = importlib.util.spec_from_file_location("reward", Path(folder) / "reward.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.reelgym_reward


def prompt(case: dict[str, Any], row: dict[str, Any], trainer: Any) -> None:
    """Compare frames and tokens."""
    name = case["name"]
    files = [one["files"][0] for one in json.loads(row["media"])]
    common.in_order(f"{name}: images", [np.asarray(image) for image in row["images"]], files)
    messages = prepare_multimodal_messages(row["prompt"], images=row["images"])
    ids, images, made = trainer._tokenize_prompts([messages])
    common.same(f"{name}: images that TRL found", len(images[0]), len(files))
    common.grids(f"{name}: images", made["image_grid_thw"].tolist(), case["grids"].get("image", []))
    token = trainer.processing_class.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    common.same(f"{name}: image tokens", list(ids[0]).count(token), case["tokens"]["image"])
    common.same(f"{name}: video tokens", 0, case["tokens"]["video"])


def reward(case: dict[str, Any], row: dict[str, Any], trainer: Any) -> None:
    """Score a right and a wrong reply through the trainer's own call."""
    replies = list(case["replies"].values())
    completions = [[{"role": "assistant", "content": reply}] for reply in replies]
    inputs = [{key: value for key, value in row.items()} for _ in replies]
    found = trainer._calculate_rewards(inputs, [row["prompt"]] * len(replies), completions, [[0]] * len(replies))
    for name, value in zip(case["replies"], found[:, 0].tolist(), strict=True):
        common.same(f"{case['name']}: reward of a {name} reply", round(value, 6), round(case["values"][name], 6))


main()
