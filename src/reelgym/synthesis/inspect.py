"""What a dataset is made of, what guessing scores on it, and what shortcuts do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reelgym import tasks
from reelgym.data.dataset import Dataset
from reelgym.data.sample import Sample
from reelgym.tasks.base import MediaReader

SHOWN = ("value", "exact", "selection", "order", "position")
"""The parts that `table` prints."""


def inspect(
    dataset: Dataset,
    media: MediaReader | None = None,
    *,
    limit: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return a report of JSON values: counts, chance levels, scores of the baselines, quarantine reasons.

    Args:
        dataset: As read.
        media: For the baselines, which look at frames; None leaves them out.
        limit: Baselines look at this many samples at most, a seeded subset.
        seed: Of the subset.
        progress: Called with (samples done, samples in all).
    """
    samples = dataset.samples
    chosen = _subset(samples, limit, seed) if media is not None else []
    return {
        "digest": dataset.digest,
        "counts": dict(dataset.manifest["counts"]),
        "tasks": dataset.manifest.get("tasks", {}),
        "facets": _facets(samples),
        "chance": _chance(samples),
        "baselines": {} if media is None else _baselines(chosen, media, progress),
        "baseline_samples": len(chosen),
        "quarantine": dict(Counter(f"{line['boundary']}: {_kind(line['reason'])}" for line in dataset.quarantine)),
        "seconds": {"total": sum(source.duration_seconds for source in dataset.sources)},
    }


def table(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the scores of a report as rows of text, the first one the header: who, then one column per part."""
    rows: list[tuple[str, ...]] = [("", *SHOWN)]
    for task, chance in report["chance"].items():
        rows.append((f"{task}: chance", *(_cell(chance, part) for part in SHOWN)))
        for name, scores in report["baselines"].get(task, {}).items():
            rows.append((f"{task}: {name}", *(_cell(scores, part) for part in SHOWN)))
    return rows


def _cell(scores: dict[str, float], part: str) -> str:
    return f"{scores[part]:.3f}" if part in scores else ""


def _subset(samples: Sequence[Sample], limit: int, seed: int) -> list[Sample]:
    if len(samples) <= limit:
        return list(samples)
    places = np.random.default_rng(seed).choice(len(samples), limit, replace=False)
    return [samples[place] for place in sorted(places)]


def _facets(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        for name, value in ({"task": sample.task, "split": sample.split} | sample.facets).items():
            counts[name][str(value)] += 1
    return {name: dict(sorted(counter.items())) for name, counter in sorted(counts.items())}


def _chance(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Return per task the chance of every raw part, averaged over its samples."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for sample in samples:
        chance = tasks.get(sample.task).chance(sample)
        found[sample.task].append({name: v for name, v in chance.items() if not name.endswith("_corrected")})
    return {task: _mean(rows) for task, rows in found.items()}


def _baselines(
    samples: Sequence[Sample], media: MediaReader, progress: Callable[[int, int], None] | None
) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for done, sample in enumerate(samples, 1):
        task = tasks.get(sample.task)
        for name, reply in task.baselines(sample, media).items():
            score = task.score(reply, sample)
            found[sample.task][name].append(score.parts | {"value": score.value})
        if progress is not None:
            progress(done, len(samples))
    return {task: {name: _mean(rows) for name, rows in by_name.items()} for task, by_name in found.items()}


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _kind(reason: str) -> str:
    """Return the reason without its numbers and details: what quarantine lines are counted by."""
    return reason.partition(":")[0].partition("(")[0].strip()
