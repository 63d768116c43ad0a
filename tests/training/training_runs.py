"""Small runs on the smallest real model: a reward that reads the reply, media made of noise, everything repeatable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import load_file

from reelgym import models
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group
from reelgym.models import tiny
from reelgym.models.base import Policy
from reelgym.rewards import Reward, Rubric
from reelgym.rewards.base import Scores
from reelgym.training import Data, Example, RLConfig, RLRun, SFTConfig, SFTRun
from reelgym.training.metrics import read
from reelgym.video.types import FrameSpec

SMALL = tiny.Size(
    width=32, layers=2, heads=2, key_value_heads=1, mlp=48, vision_width=32, vision_layers=2, vision_mlp=48
)
SPEC = FrameSpec(fps=1.0, size=(28, 28))


@dataclass(frozen=True)
class Letters(Reward):
    """The share of a reply's characters that come early in the alphabet: dense, and learnable by anything."""

    name: ClassVar[str] = "letters"

    def score(self, group: Group) -> Scores:
        return np.array([[_early(member.reply)] for member in group.trajectories])


def _early(reply: str) -> float:
    return sum(letter in "abcdefgh" for letter in reply) / (len(reply) + 1)


def media(part: Image | Clip) -> np.ndarray[Any, np.dtype[np.uint8]]:
    frames = 1 if isinstance(part, Image) else len(part.times)
    return np.random.default_rng(sum(map(ord, part.video))).integers(0, 256, (frames, 28, 28, 3), dtype=np.uint8)


def question(index: int) -> tuple[Message, ...]:
    clip = Clip(video=f"v{index}", spec=SPEC, times=(0.0, 1.0))
    image = Image(video=f"v{index}", spec=SPEC, time=1.0)
    return (Message("user", (Text("q" * (1 + index % 3)), clip, image)),)


def samples(count: int = 5) -> list[Sample]:
    return [
        Sample(id=f"s{i}", task="none", messages=question(i), answer=0, split="train", provenance={"source": f"v{i}"})
        for i in range(count)
    ]


def load(name: str, *, device: Any = None, dtype: Any = None) -> Policy:
    """Load a checkpoint as it is stored, and `small` as the smallest model."""
    if name == "small":
        return tiny.build("qwen2_5_vl", seed=0, size=SMALL)
    return models.load(name, device=device, dtype=dtype)


def rl_run(*, evaluated: bool = False, **settings: Any) -> RLRun:
    plain: dict[str, Any] = {
        "steps": 4,
        "save_every": 2,
        "prompts_per_step": 3,
        "group_size": 3,
        "max_completion_tokens": 6,
        "eval_tokens": 6,
        "lr": 3e-3,
        "schedule": "linear",
        "warmup_steps": 1,
        "weight_decay": 0.01,
    }
    return RLRun(
        policy="small",
        data=Data(samples(), media),
        variant="direct",
        rubric=Rubric(expression=Letters()),
        config=RLConfig(**(plain | settings)),
        eval_data=Data(samples(2), media) if evaluated else None,
    )


def sft_run(*, evaluated: bool = False, **settings: Any) -> SFTRun:
    plain: dict[str, Any] = {"steps": 4, "save_every": 2, "examples_per_step": 3, "lr": 3e-3, "train_tower": True}
    examples = [Example(question(i), "abc"[i % 3] * (1 + i % 2)) for i in range(5)]
    return SFTRun(
        policy="small",
        data=Data(examples, media),
        config=SFTConfig(**(plain | settings)),
        eval_data=Data(examples[:2], media) if evaluated else None,
    )


class Killed(Exception):
    """Stands for a killed process."""


def kill_after(step: int) -> Callable[[int, int], None]:
    """Return a progress callback that ends the process, so to speak, after a step."""

    def progress(done: int, total: int) -> None:
        if done == step:
            raise Killed

    return progress


def weights_of(run: Path, step: int) -> dict[str, torch.Tensor]:
    folder = run / "checkpoints" / f"step-{step}"
    adapter = folder / "adapter_model.safetensors"
    return load_file(adapter if adapter.exists() else folder / "model.safetensors")


def numbers(run: Path) -> list[dict[str, float]]:
    """Return the metric rows without what clocks say."""
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in read(run / "metrics.jsonl")]


def equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
