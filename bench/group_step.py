"""Time a group's update and sampling, packed against padded, on the same weights, tokens and threads.

The padded arm is the usual form: every completion carries its own copy of the prompt, as one batch of rows, and the
sampler prefills every row. Both arms run in this process, by turns; each ratio is that of one pair of turns. The
model is the tiny Qwen2.5-VL without its tower (text prompts), float32. Not here yet: the tower, peak memory, and TRL's
trainer as the peer.

    python bench/group_step.py --quick
    python bench/group_step.py --prompt 2048 --completion 128 --group 8 --json out.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from reelgym.models import tiny
from reelgym.models.base import Policy, Prompt
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.local import LocalSampler
from reelgym.rollout.streams import Streams
from reelgym.training.packing import PackItem, group_logprobs, token_logprobs


def make_item(policy: Policy, prompt_tokens: int, completion_tokens: int, group: int, seed: int) -> PackItem:
    """Return a text prompt and completions of equal length, all ids drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    size = policy.model.config.get_text_config().vocab_size

    def draw(count: int) -> torch.Tensor:
        return torch.randint(20, size - 20, (count,), generator=generator)

    places = torch.arange(prompt_tokens).expand(3, -1)
    prompt = Prompt(ids=draw(prompt_tokens), positions=places, patches={}, grids={}, next_position=prompt_tokens)
    return PackItem(prompt, None, [draw(completion_tokens) for _ in range(group)])


def packed_update(policy: Policy, items: list[PackItem]) -> torch.Tensor:
    """Return the sum of log-probs of all completions; each prompt once."""
    return torch.cat([tensor for group in group_logprobs(policy, items) for tensor in group]).sum()


def padded_update(policy: Policy, items: list[PackItem]) -> torch.Tensor:
    """Return the same sum from one batch of rows, the prompt in each (equal lengths: no padding is wasted)."""
    rows = [torch.cat([item.prompt.ids, completion]) for item in items for completion in item.completions]
    ids, start = torch.stack(rows), len(items[0].prompt.ids)
    positions = torch.arange(ids.shape[1]).expand(3, len(ids), -1)
    hidden = policy.hidden(ids, positions, features=None).last_hidden_state[:, start - 1 : -1]
    return token_logprobs(policy, hidden.flatten(0, 1), ids[:, start:].flatten(), 1.0, False)[0].sum()


def update(policy: Policy, items: list[PackItem], form: Callable[[Policy, list[PackItem]], torch.Tensor]) -> float:
    """Return seconds of one forward and backward pass."""
    policy.model.zero_grad()
    begin = time.perf_counter()
    form(policy, items).backward()
    return time.perf_counter() - begin


def sample(policy: Policy, items: list[PackItem], *, shared: bool) -> float:
    """Return seconds of sampling all completions to their full length; not `shared`: a prefill for each."""
    group = len(items[0].completions)
    prompts = [item.prompt for item in items for _ in range(1 if shared else group)]
    params = SamplingParams(max_tokens=len(items[0].completions[0]))
    sampler = LocalSampler(policy, max_rows=len(items) * group)
    begin = time.perf_counter()
    sampler.sample(prompts, n=group if shared else 1, params=params, streams=Streams(0, 0, range(len(prompts))))
    return time.perf_counter() - begin


def update_bound(policy: Policy, prompt: int, completion: int, group: int) -> float:
    """Return padded over packed FLOPs of the update: matrix products by tokens, attention by (query, key) pairs.

    The head counts in both, on completion tokens alone.
    """
    config = policy.model.config.get_text_config()
    weights = sum(p.numel() for n, p in policy.model.model.language_model.named_parameters() if "layers" in n)
    pair = 2 * config.num_hidden_layers * config.hidden_size
    head = group * completion * config.vocab_size * config.hidden_size
    row = prompt + completion
    padded = group * (row * weights + row * row / 2 * pair) + head
    inner = completion - 1
    shared = prompt * weights + prompt * prompt / 2 * pair
    return padded / (shared + group * inner * (weights + (prompt + inner / 2) * pair) + head)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return medians, spreads and ratios of one row of the table."""
    torch.set_num_threads(options.threads)
    policy = tiny.build("qwen2_5_vl")
    policy.__dict__["eos_ids"] = frozenset([-1])
    shape = options.prompt, options.completion, options.group
    items = [make_item(policy, *shape, seed) for seed in range(options.groups)]
    found = [float(form(policy, items).detach()) for form in (packed_update, padded_update)]
    assert abs(found[0] / found[1] - 1) < 1e-5, f"the arms disagree: {found}"
    turns: dict[str, list[float]] = {"update": [], "padded_update": [], "sample": [], "padded_sample": []}
    for turn in range(options.pairs + 1):
        seconds = {
            "update": update(policy, items, packed_update),
            "padded_update": update(policy, items, padded_update),
            "sample": sample(policy, items, shared=True),
            "padded_sample": sample(policy, items, shared=False),
        }
        if turn:
            for name, value in seconds.items():
                turns[name].append(value)
    whole = [[a + b for a, b in zip(turns[k + "update"], turns[k + "sample"], strict=True)] for k in ("", "padded_")]
    pairs = {
        "sample": (turns["padded_sample"], turns["sample"]),
        "update": (turns["padded_update"], turns["update"]),
        "total": (whole[1], whole[0]),
    }
    ratios = {name: summary([p / q for p, q in zip(*both, strict=True)]) for name, both in pairs.items()}
    return {
        "shape": {"prompt": shape[0], "completion": shape[1], "group": shape[2], "groups": options.groups},
        "machine": {"device": "cpu", "threads": options.threads, "processor": platform.machine()},
        "versions": {"torch": torch.__version__, "peer": "padded rows, same code"},
        "ratios": ratios,
        "update_bound": update_bound(policy, *shape),
        "seconds": {name: summary(values) for name, values in turns.items()},
    }


def summary(values: list[float]) -> dict[str, float]:
    """Return median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    """Read the options, measure, print one row, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("prompt", 2048),
        ("completion", 128),
        ("group", 8),
        ("groups", 1),
        ("pairs", 5),
        ("threads", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--quick", action="store_true", help="one small honest row: 512 + 64, 3 pairs")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    options = parser.parse_args()
    if options.quick:
        options.prompt, options.completion, options.pairs = 512, 64, 3
    found = measure(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    ratios = "  ".join(f"{name} {value['median']:.2f}x" for name, value in found["ratios"].items())  # type: ignore[attr-defined]
    print(f"{found['shape']}: padded over packed: {ratios}  (update bound {found['update_bound']:.2f})")


if __name__ == "__main__":
    main()
