"""Masked video prediction by GRPO: cut out of raw video, rewarded by the video itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from reelgym.algorithms import GRPO
from reelgym.data.sample import Split
from reelgym.errors import RequestError, unknown
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later, dataset
from reelgym.training.config import Data, RLConfig, RLRun, mvp_rubric

Size = Literal["auto", "tiny", "3b-24gb", "7b-80gb"]

_HUB = RLConfig(
    steps=500,
    lr=1e-5,
    warmup_steps=10,
    prompts_per_step=8,
    group_size=8,
    max_completion_tokens=512,
    eval_tokens=512,
    eval_every=50,
    save_every=50,
    micro_batch_tokens=8192,
    gradient_checkpointing=True,
    lora_rank=32,
    lora_alpha=64,
    groups="drop",
)

SIZES: dict[str, RLConfig] = {
    "tiny": RLConfig(
        steps=84,
        lr=1.6e-4,
        schedule="linear",
        warmup_steps=5,
        prompts_per_step=32,
        group_size=8,
        max_completion_tokens=64,
        eval_tokens=64,
        eval_every=28,
        health_every=28,
        save_every=28,
        micro_batch_tokens=6000,
        groups="drop",
    ),
    "3b-24gb": _HUB,
    "7b-80gb": replace(
        _HUB,
        lr=1e-6,
        prompts_per_step=16,
        max_completion_tokens=1024,
        eval_tokens=1024,
        micro_batch_tokens=16384,
        lora_rank=64,
        lora_alpha=128,
    ),
}
"""Settings by what there is to train on. All are ours: the paper's hyperparameters were not published."""

EVAL_SAMPLES = 96
"""Held-out samples answered at every evaluation while training."""


@recipe
def mvp(*, model: str = "tiny", data: str = "", size: Size = "auto", variant: str = "tagged", seed: int = 0) -> RLRun:
    """Learn to put hidden frames back in order (MVP, arXiv 2601.03781) by GRPO with our two-part reward.

    Args:
        model: What to start from: `tiny`, a hub name, a folder, a run.
        data: Dataset folder made by `reelgym synth`; the embedded world where empty and the size is tiny.
        size: `tiny`, `3b-24gb` or `7b-80gb`; `auto` is `tiny` for the embedded models and `3b-24gb` for all others.
        variant: Instruction appended to each question: `tagged` or `direct`.
        seed: Of order, sampling and rendered videos.
    """
    chosen = size_of(model, size)
    if data:
        train, test = dataset(data, "train"), dataset(data, "test", EVAL_SAMPLES, seed)
    elif chosen == "tiny":
        train, test = world_data("train", 120, 6, seed), world_data("test", 32, 3, seed)
    else:
        raise RequestError(f"recipe mvp with model={model} needs data=DATASET: make one with `reelgym synth`")
    return RLRun(
        policy=model,
        data=train,
        eval_data=test,
        variant=variant,
        rubric=mvp_rubric(variant),
        algorithm=GRPO(),
        config=replace(SIZES[chosen], seed=seed),
    )


def size_of(model: str, size: Size) -> str:
    """Return the key of `SIZES`: as asked, or by the model's name where `size` is `auto`."""
    chosen = ("tiny" if model.startswith("tiny") else "3b-24gb") if size == "auto" else size
    if chosen not in SIZES:
        raise unknown("size", chosen, SIZES)
    return chosen


def world_data(split: Split, videos: int, per_video: int, seed: int) -> Data:
    """Return puzzles on rendered videos, made when they are first looked at."""
    return Later(_world, split, videos, per_video, seed)


def _world(split: Split, videos: int, per_video: int, seed: int) -> Data:
    folder = proving.world_folder(f"mvp-{seed}")
    made = proving.prepare(folder, split=split, videos=videos, per_video=per_video, seed=seed).dataset
    return Data(made.samples, made.media(proving.store()), folders=(str(made.path.resolve()),))
