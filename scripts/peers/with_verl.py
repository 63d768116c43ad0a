"""Inside of verl's environment: RLHFDataset, its vision path, and its reward manager on one export."""

from __future__ import annotations

import common

common.torchvision()

import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from verl import DataProto  # noqa: E402
from verl.trainer.ppo.reward import get_custom_reward_fn  # noqa: E402
from verl.utils import hf_processor, hf_tokenizer  # noqa: E402
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn  # noqa: E402
from verl.utils.tokenizer import build_multimodal_processor_inputs  # noqa: E402
from verl.workers.reward_manager.naive import NaiveRewardManager  # noqa: E402


def main() -> None:
    """Check every case, then PA-GRPO."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    common.versions("verl", "transformers", "qwen-vl-utils", "torch")
    told = common.expected()
    tokenizer, processor = hf_tokenizer(told["model"]), hf_processor(told["model"])
    for case in told["cases"]:
        config = OmegaConf.create({"max_prompt_length": 16384, "filter_overlong_prompts": True})
        config.filter_overlong_prompts_workers = None
        dataset = RLHFDataset(case["data"], tokenizer, config, processor)
        common.same(f"{case['name']}: rows left by verl's own length filter", len(dataset), 2)
        item = dataset[0]
        prompt(case, item, processor, config)
        reward(case, item, tokenizer)
    # Another process: there verl imports our plugin, as in a launch.
    subprocess.run([sys.executable, str(Path(__file__).with_name("verl_credit.py"))], check=True)


def prompt(case: dict[str, Any], item: dict[str, Any], processor: Any, config: Any) -> None:
    """Compare frames and tokens."""
    name = case["name"]
    patch = processor.image_processor.patch_size
    images, videos, _ = RLHFDataset._process_multi_modal_info(item["raw_prompt"], patch, config)
    media = json.loads(item["extra_info"]["media"])
    pictures = [one for one in media if one["kind"] == "image"]
    clips = [one for one in media if one["kind"] == "clip"]
    common.same(f"{name}: images, clips", (len(images or []), len(videos or [])), (len(pictures), len(clips)))
    if pictures:
        files = [one["files"][0] for one in pictures]
        common.in_order(f"{name}: images", [np.asarray(image) for image in images], files)
    for place, (clip, (frames, about)) in enumerate(zip(clips, videos or [], strict=True), 1):
        padded = clip["files"] + clip["files"][-1:] * (len(clip["files"]) % 2)
        common.in_order(f"{name}: clip {place}", list(frames.permute(0, 2, 3, 1).numpy()), padded)
        common.same(f"{name}: clip {place}, told rate", round(about["fps"], 4), round(clip["rate"], 4))
    text = processor.apply_chat_template(item["raw_prompt"], add_generation_prompt=True, tokenize=False)
    made = build_multimodal_processor_inputs(processor, text=[text], images=images, videos=videos)
    for kind in ("image", "video"):
        if f"{kind}_grid_thw" in made:
            common.grids(f"{name}: {kind}s", made[f"{kind}_grid_thw"].tolist(), case["grids"].get(kind, []))
        token = processor.tokenizer.convert_tokens_to_ids(f"<|{kind}_pad|>")
        found = int((made["input_ids"] == token).sum())
        common.same(f"{name}: {kind} tokens", found, case["tokens"][kind])


def reward(case: dict[str, Any], item: dict[str, Any], tokenizer: Any) -> None:
    """Score a right and a wrong reply through the reward manager, the function loaded from the export by verl."""
    where = {"path": f"{case['export']}/reward.py", "name": "compute_score"}
    config = OmegaConf.create({"reward": {"custom_reward_function": where}})
    manager = NaiveRewardManager(tokenizer, 0, compute_score=get_custom_reward_fn(config))
    for name, reply in case["replies"].items():
        ids = torch.tensor([tokenizer(reply, add_special_tokens=False)["input_ids"]])
        first = torch.tensor([[tokenizer.eos_token_id]])
        row = collate_fn([{key: value for key, value in item.items() if key != "raw_prompt"}])
        tensors = {
            "prompts": first,
            "responses": ids,
            "attention_mask": torch.ones(1, 1 + ids.shape[1], dtype=torch.int64),
        }
        others = {key: value for key, value in row.items() if isinstance(value, np.ndarray)}
        data = DataProto.from_single_dict(tensors | others)
        found = manager(data, return_dict=True)["reward_tensor"].sum().item()
        common.same(f"{case['name']}: reward of a {name} reply", round(found, 6), round(case["values"][name], 6))


main()
