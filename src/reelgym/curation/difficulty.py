"""Measures how often a policy solves each sample: the pass rate over n sampled replies.

Samples that are always or never solved teach reinforcement learning nothing; papers keep a band of pass rates (VITAL,
VerIPO and LongVILA-R1, arXiv 2508.04416, 2505.19000 and 2507.07966, each with thresholds of its own). Here the rates
are stored, and every rule about them is a setting of whoever reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from reelgym import tasks
from reelgym.data import difficulty
from reelgym.data.difficulty import About, Difficulty, Journal, Measured
from reelgym.data.sample import Sample
from reelgym.data.templates import with_instruction
from reelgym.errors import RequestError
from reelgym.rollout.base import Sampler, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.tasks.base import MediaReader

if TYPE_CHECKING:
    from reelgym.models.base import Policy

PROMPTS = 16
"""Prompts sampled together, and rows between two writes."""

_VALUES = 1024
"""Values of a tensor that its fingerprint looks at."""

TOLERANCE = 1e-6
"""A score this much below the threshold still passes: scores are sums of fractions."""


def fingerprint(policy: Policy) -> str:
    """Return a name of a policy's weights: a hash of every tensor's name, shape and up to 1,024 values, evenly spaced.

    A training step changes it; another file format, device or precision that keeps the values in float32 does not.
    """
    total = hashlib.sha256()
    for name, tensor in sorted(policy.model.state_dict().items()):
        flat = tensor.detach().flatten()
        some = flat[:: max(1, len(flat) // _VALUES)][:_VALUES].to("cpu", torch.float32)
        total.update(f"{name} {tuple(tensor.shape)} ".encode() + some.numpy().tobytes())
    return total.hexdigest()[:16]


def measure(
    policy: Policy,
    samples: Sequence[Sample],
    media: MediaReader,
    *,
    about: About,
    sampler: Sampler | None = None,
    found: Callable[[list[Difficulty]], None],
) -> None:
    """Sample replies to samples and hand over their pass rates, PROMPTS samples at a time.

    Args:
        policy: Encodes prompts, and generates unless a sampler is given.
        samples: What to ask.
        media: Turns an image or clip into its pixels.
        about: How to ask. Replies follow from its seed and the samples' ids, not from what else is asked.
        sampler: Generates instead of `LocalSampler(policy)`.
        found: Called with the rows of every batch.
    """
    speaker = sampler if sampler is not None else _local(policy)
    params = SamplingParams(max_tokens=about.max_tokens, temperature=about.temperature)
    for start in range(0, len(samples), PROMPTS):
        chunk = samples[start : start + PROMPTS]
        prompts = [policy.encode(with_instruction(s.messages, about.variant), media) for s in chunk]
        streams = Streams(about.seed, 0, [sample.id for sample in chunk])
        turns = speaker.sample(prompts, n=about.rollouts, params=params, streams=streams)
        replies = [[turn.text for turn in members] for members in turns]
        found([_row(sample, said, about.threshold) for sample, said in zip(chunk, replies, strict=True)])


def store(
    folder: str | Path,
    name: str,
    samples: Sequence[Sample],
    *,
    about: About,
    ask: Callable[[Sequence[Sample], Callable[[list[Difficulty]], None]], None],
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Measure what is not measured yet, write it beside the dataset, and return all that is known.

    Args:
        folder: The dataset.
        name: Of the measurement.
        samples: Which samples, in the order of the dataset.
        about: How they are asked.
        ask: Asks samples and calls back with rows: `measure` with its policy. Not called where nothing is left.
        progress: Called with (samples done, samples in all).

    Raises:
        RequestError: The folder holds a measurement of this name that was asked otherwise.
    """
    path = difficulty.path_of(folder, name)
    known: dict[str, Difficulty] = {}
    if path.is_file():
        before = difficulty.read(folder, name)
        difficulty.refuse_changes(path, before.about, about)
        known = {row.id: row for row in before.rows}
    journal = Journal(folder, name, about)
    known |= journal.rows
    missing = [sample for sample in samples if sample.id not in known]

    def found(rows: list[Difficulty]) -> None:
        journal.add(rows)
        known.update({row.id: row for row in rows})
        if progress is not None:
            progress(sum(sample.id in known for sample in samples), len(samples))

    if missing:
        ask(missing, found)
    measured = Measured(name, about, tuple(known[key] for key in sorted(known)))
    difficulty.write(folder, measured)
    journal.close()
    return measured


def within(
    rates: Mapping[str, float], band: tuple[float, float], ids: Sequence[str], *, named: str = "the data"
) -> list[int]:
    """Return the places of the ids whose pass rate lies in [low, high]; those without a rate stay out.

    Raises:
        RequestError: None does.
    """
    low, high = band
    kept = [place for place, name in enumerate(ids) if low <= rates.get(name, -1.0) <= high]
    if not kept:
        measured = sum(name in rates for name in ids)
        raise RequestError(
            f"no sample of {named} has a pass rate from {low:g} to {high:g} ({measured} of {len(ids)} are measured): "
            "widen the band, or measure more"
        )
    return kept


def _row(sample: Sample, replies: Sequence[str], threshold: float) -> Difficulty:
    values = [float(tasks.get(sample.task).score(reply, sample).value) for reply in replies]
    passed = sum(value >= threshold - TOLERANCE for value in values)
    return Difficulty(id=sample.id, rollouts=len(values), passed=passed, mean_reward=sum(values) / len(values))


def _local(policy: Policy) -> Sampler:
    from reelgym.rollout.local import LocalSampler

    return LocalSampler(policy)
