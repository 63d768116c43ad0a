"""Time the update of a group at full width, packed against padded: tokens per second, share of the matrix rate, memory.

    python bench/gpu_step.py --json gpu.json                        # every cell, on the first GPU
    python bench/gpu_step.py --size 7b --weights lora --frames 64   # one cell
    python bench/gpu_step.py --device cpu --tiny                    # the same code on small shapes, anywhere

Weights are random, in bfloat16 (float32 on a CPU), at the shapes of Qwen2.5-VL-3B and 7B; a frame has 128 tokens' worth
of pixels, and two frames share their tokens. Gradient checkpointing is on in both arms, the tower is frozen. The padded
arm is our own code with one row per completion and the prompt in each. `cached` reuses the tower's features in both
arms; `tower` runs it inside the update, once per prompt and once per row. Both arms run by turns in one process. Each
cell carries device, model, peer and version; what was not measured says so.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from step_flops import Cost, matrices
from step_ours import padded
from torch import Tensor

import reelgym
from reelgym.data.messages import Clip, Message, Text
from reelgym.models import tiny, tower
from reelgym.models.base import Features, Policy, Prompt
from reelgym.training.config import TrainConfig
from reelgym.training.packing import PackItem, group_logprobs
from reelgym.training.weights import prepare
from reelgym.video.types import FrameSpec

NOT_MEASURED = "not measured"
SIDE = 28
RATES = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "RTX 4090": 165e12, "L40S": 362e12}
"""Dense bfloat16 operations per second by name, of the makers' data sheets (SXM forms)."""

SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "3b": (
        {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16},
        {"num_key_value_heads": 2, "vocab_size": 151936},
        True,
    ),
    "7b": (
        {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28},
        {"num_key_value_heads": 4, "vocab_size": 152064},
        False,
    ),
}
"""Of the published configs: widths and depths, the rest, and whether head and embedding are one."""

TOWER = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
TOWER |= {"fullatt_block_indexes": [7, 15, 23, 31]}


@dataclass(frozen=True)
class Cell:
    """What one row of the table is measured on."""

    size: str
    weights: str
    frames: int
    features: str


def build(cell: Cell, device: torch.device) -> Policy:
    """Return a policy with random weights on the device, trained as the cell says."""
    policy = tiny.build("qwen2_5_vl")
    if cell.size != "tiny":
        policy.model = _full_width(policy, cell.size, device)
        tower.install(policy.model)
    policy.model.to(device)
    policy.sizing = replace(policy.sizing, video_max_pixels=1 << 24, total_tokens=1 << 24)
    prepare(policy, TrainConfig(lora_rank=16 if cell.weights == "lora" else 0))
    return policy


def _full_width(policy: Policy, size: str, device: torch.device) -> Any:
    given = policy.model.config.to_dict()
    shape, rest, tied = SHAPES[size]
    rope = given["text_config"]["rope_parameters"] | {"mrope_section": [16, 24, 24], "rope_theta": 1e6}
    for part, values in (("text_config", {**shape, **rest, "rope_parameters": rope}), ("vision_config", TOWER)):
        given[part] |= values
    for drawn in ("layer_types", "max_window_layers"):
        given["text_config"].pop(drawn, None)
    given["text_config"] |= {"initializer_range": 0.02}
    given["vision_config"] |= {"out_hidden_size": shape["hidden_size"], "initializer_range": 0.02}
    given["tie_word_embeddings"] = given["text_config"]["tie_word_embeddings"] = tied
    model_class = policy.family.model_class()
    config = model_class.config_class(**given)
    with torch.device(device):
        model = model_class._from_config(config, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    model.generation_config = policy.model.generation_config
    return model.eval()


def encode(policy: Policy, frames: int, tokens: int) -> Prompt:
    """Return a prompt of one clip, a frame of `tokens` tokens, and a short question."""
    rows = max(1, int((tokens / 2) ** 0.5))
    drawn = np.random.default_rng(0)
    pixels = drawn.integers(0, 256, (frames, rows * SIDE, tokens // rows * SIDE, 3), dtype=np.uint8)
    clip = Clip(video="bench", spec=FrameSpec(fps=2.0), times=tuple(place / 2 for place in range(frames)))
    return policy.encode((Message("user", (clip, Text("What comes next?"))),), lambda part: pixels)


class Bench:
    """One cell: a policy, a prompt and its completions."""

    def __init__(self, cell: Cell, options: argparse.Namespace, device: torch.device) -> None:
        """Build everything, and the tower's features once."""
        self.cell, self.device, self.policy = cell, device, build(cell, device)
        self.prompt = encode(self.policy, cell.frames, options.frame_tokens)
        drawn = torch.Generator().manual_seed(0)
        shape = (options.group, options.completion)
        self.completions = list(torch.randint(300, 800, shape, generator=drawn).to(device))
        self.kept = self._features(1)[0]
        self.trained = [weight for weight in self.policy.model.parameters() if weight.requires_grad]

    @torch.no_grad()
    def _features(self, copies: int) -> list[Features]:
        return self.policy.features([self.prompt] * copies)

    def packed(self) -> Tensor:
        """Return the log-probs of all completions, the prompt once."""
        features = self.kept if self.cell.features == "cached" else self._features(1)[0]
        item = PackItem(self.prompt, features, self.completions)
        return torch.cat(group_logprobs(self.policy, [item], recompute=True)[0])

    def padded(self) -> Tensor:
        """Return the same, the prompt in every row."""
        copies = len(self.completions)
        features = [self.kept] * copies if self.cell.features == "cached" else self._features(copies)
        return torch.cat(padded(self.policy, self.prompt, features, self.completions, True))

    def run(self, form: Callable[[], Tensor]) -> dict[str, float] | str:
        """Return seconds and peak bytes of one forward and backward pass, or why there are none."""
        cuda = self.device.type == "cuda"
        gc.collect()
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        begin = time.perf_counter()
        try:
            form().mean().backward()  # type: ignore[no-untyped-call]
        except torch.cuda.OutOfMemoryError:
            return "out of memory"
        finally:
            for weight in self.trained:
                weight.grad = None
        if cuda:
            torch.cuda.synchronize()
        found = {"seconds": time.perf_counter() - begin}
        return found | ({"peak_bytes": float(torch.cuda.max_memory_allocated())} if cuda else {})

    def costs(self) -> tuple[float, float]:
        """Return multiply-adds of (packed, padded), without what checkpointing repeats: useful work alone."""
        core, config = self.policy.model.model, self.policy.model.config.get_text_config()
        size, width = len(self.prompt), config.num_hidden_layers * config.hidden_size
        group, length = len(self.completions), len(self.completions[0])
        weights, head = matrices(core.language_model.layers), config.vocab_size * config.hidden_size

        def text(tokens: float, pairs: float) -> Cost:
            return Cost(tokens * weights, 2 * pairs * width)

        shared = text(size, size**2 / 2) + text(length - 1, (length - 1) * (size + length / 2)).times(group)
        rows = text(size + length, (size + length) ** 2 / 2).times(group)
        ends = Cost(group * length * head)
        # Under LoRA the weights' own gradients, one of the backward pass's two products, are left out.
        products = 3 if self.cell.weights == "full" else 2
        patches = sum(len(value) for value in self.prompt.patches.values())
        once = 0.0 if self.cell.features == "cached" else patches * matrices(core.visual.blocks)
        found = [products * (cost + ends).products + 3.5 * cost.attention for cost in (shared, rows)]
        return found[0] + once, found[1] + once * group


def measure(cell: Cell, options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Return one cell of the table."""
    bench = Bench(cell, options, device)
    if device.type == "cpu":
        torch.testing.assert_close(bench.packed(), bench.padded(), rtol=1e-4, atol=1e-4)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    rate = next((rate for known, rate in RATES.items() if known in name), None)
    row: dict[str, Any] = {
        "device": name,
        "model": f"Qwen2.5-VL {cell.size} shapes, random weights, {cell.weights}",
        "peer": "padded rows, our own code",
        "version": f"reelgym {reelgym.__version__}, torch {torch.__version__}, transformers {transformers.__version__}",
        "frames": cell.frames,
        "prompt": len(bench.prompt),
        "completion": options.completion,
        "group": options.group,
        "features": cell.features,
    }
    costs = dict(zip(("packed", "padded"), bench.costs(), strict=True))
    turns: dict[str, list[dict[str, float] | str]] = {"packed": [], "padded": []}
    for turn in range(options.turns + 1):
        for form in turns:
            found = bench.run(getattr(bench, form))
            if turn or isinstance(found, str):
                turns[form].append(found)
    for form, runs in turns.items():
        row[form] = _summary(runs, costs[form], rate, len(bench.prompt), options)
    both = [row["packed"], row["padded"]]
    whole = all(isinstance(found, dict) for found in both)
    row["ratio"] = both[1]["seconds"] / both[0]["seconds"] if whole else NOT_MEASURED
    row["bound"] = costs["padded"] / costs["packed"]
    return row


def _summary(
    runs: list[dict[str, float] | str], cost: float, rate: float | None, prompt: int, options: argparse.Namespace
) -> dict[str, Any] | str:
    """Return an arm's medians; tokens are those of the group as it is packed, in both arms."""
    for run in runs:
        if isinstance(run, str):
            return run
    measured = [run for run in runs if isinstance(run, dict)]
    seconds = statistics.median(run["seconds"] for run in measured)
    peaks = [run["peak_bytes"] for run in measured if "peak_bytes" in run]
    return {
        "seconds": seconds,
        "tokens_per_second": (prompt + options.group * options.completion) / seconds,
        "share_of_bf16_rate": 2 * cost / seconds / rate if rate else NOT_MEASURED,
        "peak_gib": max(peaks) / 2**30 if peaks else NOT_MEASURED,
    }


def show(row: dict[str, Any]) -> str:
    """Return a cell as text."""
    lines = [f"{row['device']}, {row['model']}: {row['frames']} frames, {row['prompt']} + {row['completion']} tokens"]
    lines[0] += f", G = {row['group']}, features {row['features']}, {row['version']}"
    for form in ("packed", "padded"):
        found = row[form]
        given = found if isinstance(found, dict) else {"result": found}
        cells = [f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in given.items()]
        lines.append(f"  {form}: " + ", ".join(cells))
    ratio = row["ratio"] if isinstance(row["ratio"], str) else f"{row['ratio']:.2f}"
    return "\n".join([*lines, f"  padded over packed: {ratio}, of at most {row['bound']:.2f} ({row['peer']})"])


def main() -> None:
    """Read the options, measure cell after cell, write the file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small shapes, few frames: proves the code path")
    parser.add_argument("--size", nargs="+", choices=sorted(SHAPES), default=sorted(SHAPES))
    parser.add_argument("--weights", nargs="+", choices=("lora", "full"), default=("lora", "full"))
    parser.add_argument("--frames", type=int, nargs="+", default=(16, 64, 128, 256))
    parser.add_argument("--features", nargs="+", choices=("cached", "tower"), default=("cached", "tower"))
    parser.add_argument("--completion", type=int, default=512)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--frame-tokens", type=int, default=128)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.tiny:
        options.size, options.frames, options.frame_tokens, options.completion = ["tiny"], [8], 16, 16
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no GPU is visible: give --device cpu --tiny to run the code path on small shapes")
    rows: list[dict[str, Any]] = []
    for shape in product(options.size, options.weights, options.frames, options.features):
        rows.append(measure(Cell(*shape), options, device))
        print(show(rows[-1]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
