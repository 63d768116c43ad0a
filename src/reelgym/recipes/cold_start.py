"""The cold start: supervised chains of thought that teach a tiny model to look before it is rewarded."""

from __future__ import annotations

from pathlib import Path

from reelgym.curation import gold_reply
from reelgym.data.templates import Variant, with_instruction
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later
from reelgym.training.config import Data, Example, SFTConfig, SFTRun

SEEDS_FROM = 1_000_000
"""Scenes of the cold start have seeds that no demo or recipe uses."""


@recipe
def cold_start(
    *,
    model: str = "tiny-random",
    videos: int = 600,
    per_video: int = 16,
    steps: int = 600,
    direct_every: int = 8,
    lr: float = 1e-3,
    seed: int = 0,
    folder: str = "",
) -> SFTRun:
    """Teach an embedded model to see and to answer, from gold chains of thought on rendered videos.

    The packaged weights of `tiny` and `tiny-qwen3` come from this recipe.

    Args:
        model: `tiny-random` or `tiny-qwen3-random`: the embedded classes without learned weights.
        videos: Rendered videos; none of them is ever evaluated on.
        per_video: Puzzles cut out of each.
        steps: Optimisation steps of 32 examples.
        direct_every: Every so manieth example asks for the bare answer instead of the tagged one.
        lr: Peak learning rate.
        seed: Of videos, puzzles, order and weights.
        folder: Where the videos are rendered; in the cache by default.
    """
    return SFTRun(
        policy=model,
        data=Later(_examples, videos, per_video, direct_every, seed, folder),
        config=SFTConfig(
            steps=steps,
            lr=lr,
            warmup_steps=50,
            schedule="constant",
            weight_decay=0.01,
            train_tower=True,
            examples_per_step=32,
            feature_cache_prompts=64,
            save_every=100,
            seed=seed,
        ),
    )


def _examples(videos: int, per_video: int, direct_every: int, seed: int, folder: str) -> Data:
    place = Path(folder) if folder else proving.cache_folder() / "world" / f"cold-start-{seed}"
    ground = proving.prepare(place, split="train", videos=videos, per_video=per_video, seed=SEEDS_FROM + seed)
    examples = []
    for index, sample in enumerate(ground.dataset.samples):
        variant: Variant = "direct" if index % direct_every == 0 else "tagged"
        reply = gold_reply(sample, ground.word(sample), variant)
        examples.append(Example(with_instruction(sample.messages, variant), reply))
    return Data(examples, ground.dataset.media(proving.store()))
