"""Masked video prediction by GRPO: cut out of raw video, rewarded by the video itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reelgym.algorithms import GRPO
from reelgym.data.sample import Split
from reelgym.data.templates import is_tagged
from reelgym.errors import RequestError
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later, dataset, held
from reelgym.recipes.sizes import Size, choose
from reelgym.tasks.mvp import MVPConfig
from reelgym.training.config import Data, RLConfig, RLRun, mvp_rubric

_HUB = RLConfig(
    steps=500,
    lr=1e-5,
    warmup_steps=10,
    prompts_per_step=8,
    group_size=8,
    max_completion_tokens=512,
    eval_tokens=512,
    temperature=1.0,
    kl_coef=0.0,
    eval_every=50,
    save_every=50,
    micro_batch_tokens=8192,
    gradient_checkpointing=True,
    lora_rank=32,
    lora_alpha=64,
    sampler="local",
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
    "paper": replace(
        _HUB,
        lr=1e-6,
        max_completion_tokens=1024,
        eval_tokens=1024,
        micro_batch_tokens=16384,
        lora_rank=0,
        lora_alpha=RLConfig().lora_alpha,
    ),
}
"""Settings by what there is to train on. All are ours: the paper's hyperparameters were not published. `paper` trains
all weights of the language model, at the rate and group size that papers beside it share (G 8, lr 1e-6, no KL)."""

OBSERVED_TOKENS = 1024
"""Cap of a completion that holds an observation, for the sizes that are no toys."""

PUZZLES = {
    "tiny": proving.OWN,
    "3b-24gb": MVPConfig(frames=16, hidden=3, distractors=3, max_pixels=128 * 28 * 28),
    "7b-80gb": MVPConfig(frames=16, hidden=3, distractors=3, max_pixels=128 * 28 * 28),
    "paper": MVPConfig(frames=16, hidden=3, distractors=3, max_pixels=128 * 28 * 28),
}
"""What puzzles a size is meant for (N, K, l, pixels of a frame); `reelgym synth --size NAME` cuts them. Ours."""

EVAL_SAMPLES = 96
"""Held-out samples answered at every evaluation while training."""


@recipe
def mvp(*, model: str = "tiny", data: str = "", size: Size = "auto", variant: str = "tagged", seed: int = 0) -> RLRun:
    """Learn to put hidden frames back in order (MVP, arXiv 2601.03781) by GRPO with our two-part reward.

    Args:
        model: What to start from: `tiny`, a hub name, a folder, a run.
        data: Dataset folder made by `reelgym synth`; the embedded world where empty and the size is tiny.
        size: `tiny`, `3b-24gb`, `7b-80gb` or `paper` (see `SIZES`); `auto` is that of the model.
        variant: Instruction appended to each question: `tagged` or `direct`.
        seed: Of order, sampling and rendered videos.
    """
    chosen = size_of(model, size)
    if not data and chosen != "tiny":
        raise RequestError(f"recipe mvp with model={model} needs data=DATASET: make one with `reelgym synth`")
    train, test = sides(data, seed)
    return RLRun(
        policy=model,
        data=train,
        eval_data=test,
        variant=variant,
        rubric=mvp_rubric(variant),
        algorithm=GRPO(),
        config=config_of(chosen, variant, seed),
    )


def size_of(model: str, size: Size) -> str:
    """Return the key of `SIZES`: as asked, or by the model where `size` is `auto`; see `sizes.choose`."""
    return choose(model, size, SIZES).size


def config_of(size: str, variant: str, seed: int) -> RLConfig:
    """Return the settings of a size: a completion that holds an observation has room for it."""
    config = replace(SIZES[size], seed=seed)
    if size == "tiny" or not is_tagged(variant):
        return config
    return replace(config, max_completion_tokens=OBSERVED_TOKENS, eval_tokens=OBSERVED_TOKENS)


def sides(data: str, seed: int) -> tuple[Data, Data]:
    """Return what is trained on and what is evaluated on meanwhile: of a dataset folder, of the world where empty."""
    if data:
        return dataset(data, "train"), dataset(data, "test", EVAL_SAMPLES, seed)
    return world_sides(_world, seed)


def world_sides(build: Callable[[Split, int, int, int], Data], seed: int) -> tuple[Data, Data]:
    """Return the same as `build` makes it of the world's videos (split, videos, samples of one, seed)."""
    return Later(build, "train", *proving.TRAIN, seed), Later(build, "test", *proving.TEST, seed)


def beside(build: Callable[[Split, int, int, int], Data], model: str, seed: int) -> RLRun:
    """Return what `mvp` with `size=tiny` is, on other samples of the same videos: an arm to compare it with."""
    train, test = world_sides(build, seed)
    config = replace(SIZES["tiny"], seed=seed)
    return RLRun(policy=model, data=train, eval_data=test, rubric=mvp_rubric(), config=config)


def _world(split: Split, videos: int, per_video: int, seed: int) -> Data:
    return held(proving.ground(split, videos, per_video, seed).dataset)
