"""Which samples a model is asked, under which prompts and probes: one evaluation of one model from end to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Dataset
from reelgym.data.sample import Sample
from reelgym.data.templates import INSTRUCTIONS
from reelgym.errors import RequestError, unknown
from reelgym.evaluation.probes import apply
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import STORED_VARIANT, OutOfBudget, Progress, evaluate
from reelgym.evaluation.speakers import STORED, Speaker, is_speaker
from reelgym.tasks.base import MediaReader

VARIANTS = ("direct", "tagged")


def of_split(found: Dataset, split: str) -> tuple[Sample, ...]:
    """Return the samples of a split, `train` or `test`, or of `all`.

    Raises:
        RequestError: There is no such split, or nothing in it.
    """
    if split not in ("train", "test", "all"):
        raise unknown("split", split, ("train", "test", "all"))
    samples = found.samples if split == "all" else found.split(split)
    if not samples:
        counts = ", ".join(f"{len(found.split(name))} {name}" for name in ("train", "test"))
        raise RequestError(
            f"{found.path} has no sample in split {split!r} ({counts}): make it again with "
            "`reelgym synth ... --holdout 1`, which holds out so many videos, or give --split all, held out or not"
        )
    return samples


def subset(samples: Sequence[Sample], limit: int, seed: int = 0) -> list[Sample]:
    """Return at most `limit` samples, a seeded choice that takes whole videos as long as they fit; 0 returns all.

    Raises:
        RequestError: There are no samples.
    """
    if not samples:
        raise RequestError("no samples to ask: give a dataset or table that holds at least one")
    if not 0 < limit < len(samples):
        return list(samples)

    def rank(sample: Sample) -> str:
        return hashlib.sha256(f"{seed} {sample.source}".encode()).hexdigest()

    kept = {sample.id for sample in sorted(samples, key=rank)[:limit]}
    return [sample for sample in samples if sample.id in kept]


def prompts(prompt: str, model: str) -> list[str]:
    """Return the instructions to ask a model with.

    Args:
        prompt: A variant of `INSTRUCTIONS`, `both` (direct and tagged), or `auto`: the one a run was trained with, the
            direct one for endpoints, where each costs, `stored` for stored replies, both for any other model.
        model: Name, folder, `RUN` or `RUN@step-N`.
    """
    if prompt in INSTRUCTIONS:
        return [prompt]
    if prompt not in ("auto", "both"):
        raise unknown("prompt", prompt, ("auto", "both", *INSTRUCTIONS))
    if is_speaker(model) and prompt == "auto":
        return [STORED_VARIANT if model.startswith(STORED) else "direct"]
    config = Path(model.partition("@")[0], "config.json")
    if prompt == "auto" and config.is_file():
        variant = json.loads(config.read_text(encoding="utf-8")).get("variant")
        return [variant] if variant in INSTRUCTIONS else list(VARIANTS)
    return list(VARIANTS)


def ask(
    model: str,
    samples: Sequence[Sample],
    media: MediaReader,
    *,
    variants: Sequence[str],
    probes: Sequence[str] = (),
    max_tokens: int = 256,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    stage: Callable[[str], Progress] | None = None,
    speaker: Speaker | None = None,
    journal: Path | None = None,
    plain: bool = True,
) -> dict[str, Evaluation]:
    """Return the evaluations of one model: under every prompt, and each probe under the better prompt.

    Args:
        model: As `models.load` takes it.
        samples: What to ask.
        media: Turns images and clips into pixels.
        variants: Prompts.
        probes: Names of probes.
        max_tokens: Cap of a reply.
        seed: Of the probes.
        settings: Whatever else the numbers depend on; stored with them.
        stage: From a piece of work's name to what is told (done, in all).
        speaker: Who replies where `models.load` knows no such model.
        plain: Whether the plain questions are asked; else probes are, under the first prompt.
        journal: File that keeps the replies of a model on this machine, so that a run that was killed goes on.

    Raises:
        RequestError: A probe that has no meaning for any sample, or that stored replies were not made under.

    Returns:
        By name: `VARIANT`, and `VARIANT-PROBE`; without those that a budget pays nothing for.
    """
    for probe in probes:
        # Before anything is loaded or paid: a probe without meaning is an error, as are replies that never saw it.
        apply(probe, samples, seed)
        if speaker is not None:
            speaker.under(probe)
    if speaker is None:
        from reelgym.evaluation.local import Local

        how = {"variants": variants, "probes": probes, "max_tokens": max_tokens, "seed": seed, "plain": plain}
        with Local.load(model, media, journal) as own:
            return ask(model, samples, media, **how, settings=settings, stage=stage, speaker=own)  # type: ignore[arg-type]

    def one(variant: str, probe: str | None) -> dict[str, Evaluation]:
        name = " ".join(filter(None, ("ask", model, variant, probe)))
        try:
            found = evaluate(
                speaker,
                samples,
                media,
                variant=variant,
                probe=probe,
                max_tokens=max_tokens,
                seed=seed,
                model=model,
                settings=settings,
                progress=stage(name) if stage else None,
            )
        except OutOfBudget:
            return {}
        return {variant if probe is None else f"{variant}-{probe}": found}

    made = {name: found for variant in variants if plain for name, found in one(variant, None).items()}
    if plain and not made:
        return {}
    better = max(made, key=lambda variant: made[variant].mean().mean) if made else variants[0]
    return made | {name: found for probe in probes for name, found in one(better, probe).items()}
