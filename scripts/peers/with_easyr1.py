"""Inside of EasyR1's environment: its RLHFDataset and its reward manager on one export."""

from __future__ import annotations

import common

common.torchvision()

import json  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import AutoProcessor, AutoTokenizer  # noqa: E402
from verl.protocol import DataProto  # noqa: E402
from verl.utils.dataset import RLHFDataset, process_image  # noqa: E402
from verl.workers.reward.config import RewardConfig  # noqa: E402
from verl.workers.reward.function import AutoRewardManager  # noqa: E402

PIXELS = {"min_pixels": 4 * 28 * 28, "max_pixels": 768 * 28 * 28}
"""What the README of the export asks for: the shipped settings enlarge small frames."""


def main() -> None:
    """Check every case."""
    common.versions("transformers", "qwen-vl-utils", "torch")
    told = common.expected()
    tokenizer = AutoTokenizer.from_pretrained(told["model"])
    processor = AutoProcessor.from_pretrained(told["model"])
    for case in told["cases"]:
        lengths = {"max_prompt_length": 8192, "filter_overlong_prompts": True, "filter_overlong_prompts_workers": 1}
        dataset = RLHFDataset(case["data"], tokenizer, processor, **PIXELS, **lengths)
        common.same(f"{case['name']}: rows left by EasyR1's own length filter", len(dataset), 2)
        prompt(case, dataset[0], processor)
        reward(case, dataset[0], tokenizer)


def prompt(case: dict[str, Any], item: dict[str, Any], processor: Any) -> None:
    """Compare frames and tokens."""
    name, media = case["name"], json.loads(item["media"])
    shown = item["multi_modal_data"]
    frames = [np.asarray(process_image(path, **PIXELS)) for path in shown["images"]]
    common.in_order(f"{name}: images", frames, [one["files"][0] for one in media])
    for kind in ("image", "video"):
        token = processor.tokenizer.convert_tokens_to_ids(f"<|{kind}_pad|>")
        found = int(((item["input_ids"] == token) & (item["attention_mask"] == 1)).sum())
        common.same(f"{name}: {kind} tokens", found, case["tokens"][kind])


def reward(case: dict[str, Any], item: dict[str, Any], tokenizer: Any) -> None:
    """Score a right and a wrong reply through the reward manager."""
    config = RewardConfig(reward_function=f"{case['export']}/reward.py:compute_score")
    config.post_init()
    manager = AutoRewardManager(config, tokenizer)
    for name, reply in case["replies"].items():
        ids = torch.tensor([tokenizer(reply, add_special_tokens=False)["input_ids"]])
        truth = np.array([item["ground_truth"]], dtype=object)
        data = DataProto.from_dict(
            tensors={"responses": ids, "response_mask": torch.ones_like(ids)}, non_tensors={"ground_truth": truth}
        )
        found = manager.compute_reward(data)[0].sum().item()
        common.same(f"{case['name']}: reward of a {name} reply", round(found, 6), round(case["values"][name], 6))


main()
