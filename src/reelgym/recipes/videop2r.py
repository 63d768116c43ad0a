"""VideoP2R (arXiv 2511.11113): supervised chains of thought that look first and reason after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reelgym.curation import gold_reply
from reelgym.data.dataset import read_dataset
from reelgym.data.form import contents
from reelgym.data.sample import Sample
from reelgym.data.templates import INSTRUCTIONS, Variant, with_instruction
from reelgym.errors import RequestError, unknown
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later, held
from reelgym.recipes.sizes import Size, choose
from reelgym.training.config import Data, Example, SFTConfig, SFTRun

_PAPER = SFTConfig(
    # Published: one epoch over 162,062 chains, batch 8, gradients of 2 batches added up: 16 examples a step.
    steps=10_129,
    examples_per_step=16,
    # Of Video-R1 and VideoRFT, whose set-up the paper says it follows.
    lr=1e-6,
    weight_decay=0.01,
    max_grad_norm=5.0,
    # Ours: the paper does not say.
    schedule="cosine",
    warmup_steps=100,
    max_reply_tokens=2048,
    micro_batch_tokens=16384,
    gradient_checkpointing=True,
    save_every=500,
)

SIZES: dict[str, SFTConfig] = {
    "tiny": SFTConfig(
        steps=60,
        lr=3e-4,
        warmup_steps=5,
        schedule="linear",
        weight_decay=0.01,
        train_tower=True,
        examples_per_step=16,
        feature_cache_prompts=64,
        micro_batch_tokens=5000,
        save_every=20,
    ),
    "3b-24gb": replace(_PAPER, steps=1000, lr=1e-5, lora_rank=32, lora_alpha=64, micro_batch_tokens=8192),
    "7b-80gb": replace(_PAPER, steps=1000, lr=1e-5, lora_rank=64, lora_alpha=128),
    "paper": _PAPER,
}
"""Settings by what there is to train on. Those of `paper` are marked above (Qwen2.5-VL 3B and 7B, 8 GPUs); the others
are ours. Frames, their number and size come with the data: the paper trains on 16 of 128 x 28 x 28 pixels, as `reelgym
import` takes them where nothing else is said."""


@recipe
def videop2r_sft(
    *,
    model: str = "tiny",
    data: str = "",
    size: Size = "auto",
    prompt: str = "auto",
    observations: bool = True,
    seed: int = 0,
) -> SFTRun:
    """Learn to look, reason and answer from verified chains of thought (VideoP2R, arXiv 2511.11113).

    Args:
        model: What to start from: `tiny`, a hub name, a folder, a run.
        data: Dataset folder of `reelgym cot`, or of `reelgym import` where the records hold chains; the embedded
            world's gold chains where empty and the model is tiny.
        size: `tiny`, `3b-24gb`, `7b-80gb` or `paper`; `auto` is that of the model.
        prompt: Instruction of the questions; `auto` is the one the chains were written under, else `videop2r`, and
            `reasoned` where observations are left out.
        observations: Whether chains keep their observation; without, SFT is process-agnostic (the paper's ablation).
        seed: Of order and rendered videos.
    """
    if prompt == "auto" and not observations:
        prompt = "reasoned"
    chosen = choose(model, size, SIZES).size
    tiny = chosen == "tiny"
    if prompt != "auto" and prompt not in INSTRUCTIONS:
        raise unknown("prompt", prompt, ["auto", *INSTRUCTIONS])
    if not data and not tiny:
        raise RequestError(f"recipe videop2r_sft with model={model} needs data=DATASET: make one with `reelgym cot`")
    train = Later(_chains, data, prompt, observations) if data else Later(_world, prompt, observations, seed)
    return SFTRun(policy=model, data=train, config=replace(SIZES[chosen], seed=seed))


def _chains(path: str, prompt: str, observations: bool) -> Data:
    """Return the chains of a dataset as examples, train side only."""
    found = read_dataset(path)
    told: dict[str, Any] = found.manifest.get("settings", {}).get("cot", {})
    variant = told.get("variant", "videop2r") if prompt == "auto" else prompt
    written = [(sample, str(sample.evidence["gold"])) for sample in found.split("train") if sample.evidence.get("gold")]
    if not written:
        raise RequestError(f"{path} holds no chain of thought to train on: write some with `reelgym cot`")
    examples = [_example(sample, reply, variant, observations) for sample, reply in written]
    return held(found, examples)


def _world(prompt: str, observations: bool, seed: int) -> Data:
    """Return the gold chains of the embedded world's puzzles."""
    found = proving.ground("train", *proving.TRAIN, seed)
    variant: Variant = "tagged" if prompt == "auto" else prompt  # type: ignore[assignment]
    examples = [
        _example(sample, gold_reply(sample, found.word(sample), variant), variant, observations)
        for sample in found.dataset.samples
    ]
    return held(found.dataset, examples)


def _example(sample: Sample, reply: str, variant: str, observations: bool) -> Example:
    held = contents(reply)
    if not observations and "think" in held and "answer" in held:
        reply = f"<think>{held['think']}</think><answer>{held['answer']}</answer>"
    return Example(with_instruction(sample.messages, variant), reply)
