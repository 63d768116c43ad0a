"""Ask a policy every question of a set, greedily, and score the replies. Floors are scored the same way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reelgym import tasks
from reelgym.data import templates
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation import probes
from reelgym.evaluation.results import Evaluation, Row
from reelgym.rollout.base import SamplingParams
from reelgym.tasks.base import MediaReader

if TYPE_CHECKING:
    from reelgym.models.base import Policy
    from reelgym.rollout.base import Sampler

Progress = Callable[[int, int], None]


def evaluate(
    policy: Policy,
    samples: Sequence[Sample],
    media: MediaReader,
    *,
    variant: str,
    probe: str | None = None,
    max_tokens: int = 256,
    batch: int = 32,
    seed: int = 0,
    model: str = "",
    sampler: Sampler | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the greedy replies of a policy to samples, scored by their tasks.

    Args:
        policy: Encodes prompts, and generates unless a sampler is given.
        samples: What to ask; every id once.
        media: Turns an image or clip into its pixels, as the policy's `encode` wants it.
        variant: Which instruction is appended: `direct` or `tagged`.
        probe: Name of a probe applied to every sample, or None. The reply is scored against the plain sample.
        max_tokens: Cap of a reply; one that reaches it is marked `length`.
        batch: Prompts decoded together.
        seed: Of the probe.
        model: The name the result goes by.
        sampler: Generates instead of `LocalSampler(policy)`.
        settings: Whatever else the numbers depend on; stored with them.
        progress: Called with (samples done, samples in all).

    Raises:
        RequestError: No samples, an id twice, an unknown probe or variant.
    """
    start = time.monotonic()
    if len({sample.id for sample in samples}) != len(samples) or not samples:
        raise RequestError(f"{len(samples)} samples: an evaluation takes at least one, and each id once")
    change = probes.get(probe) if probe is not None else None
    speaker = sampler if sampler is not None else _local(policy)
    params = SamplingParams(max_tokens=max_tokens, temperature=0.0)
    rows: list[Row] = []
    for chunk in _chunks(samples, batch):
        shown = [sample if change is None else change(sample, seed) for sample in chunk]
        prompts = [policy.encode(templates.with_instruction(s.messages, variant), media) for s in shown]
        for sample, (turn,) in zip(chunk, speaker.sample(prompts, n=1, params=params, streams=None), strict=True):
            rows.append(grade(sample, turn.text, stop=turn.stop, tokens=len(turn.ids)))
        if progress is not None:
            progress(len(rows), len(samples))
    return Evaluation(
        model=model,
        position_rule=policy.position_rule,
        variant=variant,
        probe=probe,
        max_tokens=max_tokens,
        rows=tuple(rows),
        seconds=time.monotonic() - start,
        settings=dict(settings or {}),
    )


def grade(sample: Sample, reply: str, *, stop: str = "eos", tokens: int = 0) -> Row:
    """Return the row of one reply: scored by the sample's task, beside the chance level of that sample.

    Raw parts are kept, their corrections follow from chance. An unreadable reply earns 0 in every part, so that all
    means run over all rows.
    """
    task = tasks.get(sample.task)
    score, chance = task.score(reply, sample), _raw(task.chance(sample))
    raw = {name: float(part) for name, part in _raw(score.parts).items()}
    if not score.valid:
        raw = dict.fromkeys([*(name for name in chance if name != "value"), *raw], 0.0)
    return Row(
        id=sample.id,
        source=sample.source,
        reply=reply,
        parsed=_plain(score.parsed),
        valid=score.valid,
        value=float(score.value),
        parts={name: part for name, part in raw.items() if not math.isnan(part)},
        chance=chance,
        stop=stop,
        tokens=tokens,
        facets=dict(sample.facets),
    )


def floors(samples: Sequence[Sample], media: MediaReader, *, progress: Progress | None = None) -> dict[str, Evaluation]:
    """Return the evaluation of every baseline the samples' tasks know, by name: replies that need no model."""
    rows: dict[str, list[Row]] = {}
    for done, sample in enumerate(samples, 1):
        for name, reply in tasks.get(sample.task).baselines(sample, media).items():
            rows.setdefault(name, []).append(grade(sample, reply))
        if progress is not None:
            progress(done, len(samples))
    return {
        name: Evaluation(
            model=f"floor:{name}", position_rule="", variant="none", probe=None, max_tokens=0, rows=tuple(found)
        )
        for name, found in rows.items()
    }


def _local(policy: Policy) -> Sampler:
    # Here and not above: floors and scoring run where torch is not installed.
    from reelgym.rollout.local import LocalSampler

    return LocalSampler(policy)


def _chunks(samples: Sequence[Sample], size: int) -> Iterator[Sequence[Sample]]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def _raw(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: part for name, part in parts.items() if not name.endswith("_corrected")}


def _plain(parsed: Any) -> Any:
    return list(parsed) if isinstance(parsed, tuple) else parsed
