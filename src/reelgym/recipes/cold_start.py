"""The cold start: supervised chains of thought that teach a tiny model to look before it is rewarded."""

from __future__ import annotations

from random import Random

from reelgym.curation import drill_reply, gold_reply, habit_reply
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.templates import Variant, with_instruction
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later
from reelgym.training.config import Data, Example, SFTConfig, SFTRun

SEEDS_FROM = 1_000_000
"""Scenes of the cold start have seeds that no demo or recipe uses."""
QUESTION = (Message("user", (Text("Which candidates fill the gap?"),)),)
"""The prompt of examples without frames."""
VIDEOS = 2000
PER_VIDEO = 16


@recipe
def cold_start(
    *,
    model: str = "tiny",
    videos: int = VIDEOS,
    per_video: int = PER_VIDEO,
    steps: int = 500,
    direct_every: int = 8,
    drills: int = 0,
    habit: float = 0.0,
    lr: float = 1e-3,
    seed: int = 0,
) -> SFTRun:
    """Teach an embedded model to see and to answer, from gold chains of thought on rendered videos.

    One of the stages that the packaged weights of `tiny` come from: `scripts/make_tiny.py` has them all.

    Args:
        model: What to start from.
        videos: Rendered videos; none of them is ever evaluated on.
        per_video: Puzzles cut out of each.
        steps: Optimisation steps of 32 examples.
        direct_every: Every so manieth example asks for the bare answer instead of the tagged one.
        drills: Text-only drills in copying (`curation.drill_reply`) among the examples; their share sets how many of a
            step's examples they are. A step then has 64 examples instead of 32.
        habit: Share of the tagged examples whose reasoning goes by habit instead of by what was seen
            (`curation.habit_reply`): above a half, the model can reason and does not, until a reward asks for it.
        lr: Peak learning rate.
        seed: Of videos, puzzles and order.
    """
    return SFTRun(
        policy=model,
        data=Later(_examples, videos, per_video, direct_every, drills, habit, seed),
        config=SFTConfig(
            steps=steps,
            lr=lr,
            warmup_steps=50,
            schedule="constant",
            weight_decay=0.01,
            train_tower=True,
            examples_per_step=64 if drills else 32,
            feature_cache_prompts=64,
            micro_batch_tokens=5000,
            save_every=50,
            seed=seed,
        ),
    )


@recipe
def read(
    *,
    model: str = "tiny",
    videos: int = VIDEOS,
    per_video: int = PER_VIDEO,
    steps: int = 400,
    drills: int = 30_000,
    lr: float = 1e-3,
    seed: int = 0,
) -> SFTRun:
    """Teach an embedded model to reason over what was seen, from the same chains of thought without any frame.

    Real language models come pre-trained on text; this is what stands for it where a model is made from nothing.

    Args:
        model: What to start from.
        videos: Rendered videos, the cold start's own.
        per_video: Puzzles cut out of each.
        steps: Optimisation steps of 96 examples.
        drills: Text-only drills in copying among the examples.
        lr: Peak learning rate.
        seed: Of videos, puzzles and order.
    """
    config = SFTConfig(
        steps=steps,
        lr=lr,
        warmup_steps=50,
        weight_decay=0.01,
        examples_per_step=96,
        micro_batch_tokens=5000,
        save_every=100,
        seed=seed,
    )
    return SFTRun(policy=model, data=Later(_texts, videos, per_video, drills, seed), config=config)


def ground(videos: int = VIDEOS, per_video: int = PER_VIDEO, seed: int = 0) -> proving.Ground:
    """Return the rendered videos of the cold start, their puzzles and their facts."""
    place = proving.world_folder(f"cold-start-{videos}-{per_video}-{seed}")
    return proving.prepare(place, split="train", videos=videos, per_video=per_video, seed=SEEDS_FROM + seed)


def _examples(videos: int, per_video: int, direct_every: int, count: int, habit: float, seed: int) -> Data:
    found = ground(videos, per_video, seed)
    every = examples(found, direct_every=direct_every, habit=habit, seed=seed)
    return Data(every + drills(count, seed), found.dataset.media(proving.store()))


def examples(found: proving.Ground, *, direct_every: int, habit: float, seed: int) -> list[Example]:
    """Return puzzles with their replies, for `cold_start` and what comes after it: see there."""
    made, rng = [], Random(f"habit {seed}")
    for index, sample in enumerate(told_apart(found)):
        variant: Variant = "direct" if index % direct_every == 0 else "tagged"
        by_habit = variant == "tagged" and rng.random() < habit
        reply = habit_reply(sample, found.word(sample)) if by_habit else gold_reply(sample, found.word(sample), variant)
        made.append(Example(with_instruction(sample.messages, variant), reply))
    return made


def _texts(videos: int, per_video: int, count: int, seed: int) -> Data:
    found = ground(videos, per_video, seed)
    chains = [Example(QUESTION, gold_reply(one, found.word(one), "tagged")) for one in told_apart(found)]
    return Data(chains + drills(count, seed), found.dataset.media(proving.store()))


def told_apart(found: proving.Ground) -> list[Sample]:
    """Return the puzzles whose candidates show different squares: only there does the chain decide the answer."""
    kept = []
    for sample in found.dataset.samples:
        word, pool = found.word(sample), sample.evidence["candidate_times"]
        if len({word(time) for time in pool}) == len(pool):
            kept.append(sample)
    return kept


def drills(count: int, seed: int) -> list[Example]:
    """Return drills of both forms in turn: long ones for copying, and ones like a puzzle's reply."""
    rng = Random(seed)
    forms: tuple[dict[str, int], ...] = ({}, {"pairs": 5, "picks": 3, "context": 5})
    return [Example(QUESTION, drill_reply(rng, **forms[number % 2])) for number in range(count)]
