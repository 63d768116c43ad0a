"""What a dataset is made of, what guessing scores on it, and what shortcuts do."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reelgym import tasks
from reelgym.data import difficulty
from reelgym.data.dataset import Dataset
from reelgym.data.sample import Sample
from reelgym.scoring.statistics import Interval, clustered_mean
from reelgym.synthesis.audit import SOLVED, chance_of_solving, scores
from reelgym.synthesis.structure import leaders, read_structure
from reelgym.tasks.base import MediaReader

SHOWN = ("value", "exact", "strict", "smooth", "selection", "order", "position")
"""The parts that `table` prints where any task has them."""

_DRAWS = 2_000
"""Bootstrap draws of an interval: its limits wobble by about 2% of its width."""


def inspect(
    dataset: Dataset,
    media: MediaReader | None = None,
    *,
    limit: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return a report of JSON values: counts, chance levels, what shortcuts score, structure, quarantine reasons.

    `baselines` holds the mean of every part by task and shortcut; `audit` the intervals of their values and of how
    often they solve a sample, clustered by video, and which samples each solves; `stored_audit` what synthesis found on
    all samples; `structure` how many videos have what; `difficulty` how many samples have which pass rate, by
    measurement.

    Args:
        dataset: As read.
        media: For the baselines, which look at frames; None leaves them out.
        limit: Baselines look at this many samples at most, a seeded subset.
        seed: Of the subset.
        progress: Called with (samples done, samples in all).
    """
    samples = dataset.samples
    chosen = _subset(samples, limit, seed) if media is not None else []
    looked: dict[str, Any] = {"baselines": {}, "audit": {}} if media is None else _baselines(chosen, media, progress)
    return {
        "digest": dataset.digest,
        "counts": dict(dataset.manifest["counts"]),
        "tasks": dataset.manifest.get("tasks", {}),
        "facets": _facets(samples),
        "chance": _chance(samples),
        "baselines": looked["baselines"],
        "baseline_samples": len(chosen),
        "audit": looked["audit"],
        "stored_audit": dataset.manifest.get("audit", {}),
        "structure": _structure(dataset),
        "difficulty": _difficulty(dataset),
        "quarantine": dict(
            Counter(f"{line['boundary']}: {reason_kind(line['reason'])}" for line in dataset.quarantine)
        ),
        "seconds": {"total": sum(source.duration_seconds for source in dataset.sources)},
    }


def table(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the scores of a report as rows of text, the first one the header: who, then one column per part."""
    shown = [part for part in SHOWN if any(part in chance for chance in report["chance"].values())]
    rows: list[tuple[str, ...]] = [("", *shown)]
    for task, chance in report["chance"].items():
        rows.append((f"{task}: chance", *(_cell(chance, part) for part in shown)))
        for name, means in report["baselines"].get(task, {}).items():
            rows.append((f"{task}: {name}", *(_cell(means, part) for part in shown)))
    return rows


def audit_table(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the audit of a report as rows of text, the first one the header; none where nobody looked."""
    rows: list[tuple[str, ...]] = []
    for task, found in report["audit"].items():
        rows.append((f"{task}: a guesser", _cell(report["chance"][task], "value"), f"{found['chance_solved']:.3f}", ""))
        for name, both in found["baselines"].items():
            value, solved = (Interval.from_json(both[which]) for which in ("value", "solved"))
            verdict = "shortcut" if solved.above(found["chance_solved"]) else ""
            rows.append((f"{task}: {name}", _span(value), _span(solved), verdict))
    return [("", "score", "solves", ""), *rows] if rows else []


def structure_table(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was found in the videos as rows of text; none where nobody looked."""
    return [(what, str(count)) for what, count in report["structure"].items()]


def difficulty_table(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the pass rates of a report as rows of text, the first one the header; none where nothing was measured."""
    found = report["difficulty"]
    if not found:
        return []
    rows: list[tuple[str, ...]] = [("share of replies that pass", *found)]
    rows += [
        (label, *(str(one["histogram"][place]) for one in found.values()))
        for place, label in enumerate(difficulty.labels())
    ]
    rows.append(("samples", *(str(one["samples"]) for one in found.values())))
    return rows


def _span(found: Interval) -> str:
    return f"{found.mean:.3f}" if math.isnan(found.low) else f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


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
) -> dict[str, Any]:
    """Return {baselines: {task: {name: mean parts}}, audit: {task: ...}}."""
    found: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    by_task: dict[str, list[Sample]] = defaultdict(list)
    for done, sample in enumerate(samples, 1):
        by_task[sample.task].append(sample)
        for name, parts in scores(sample, media).items():
            found[sample.task][name].append(parts)
        if progress is not None:
            progress(done, len(samples))
    means = {task: {name: _mean(rows) for name, rows in by_name.items()} for task, by_name in found.items()}
    audit = {task: _audited(by_task[task], by_name) for task, by_name in found.items()}
    return {"baselines": means, "audit": audit}


def _audited(samples: Sequence[Sample], by_name: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Return what the shortcuts of one task score and solve; a shortcut answers all samples of its task or none."""
    baselines: dict[str, Any] = {}
    solved: dict[str, list[str]] = defaultdict(list)
    for name, rows in by_name.items():
        values = [row["value"] for row in rows]
        right = [value >= SOLVED for value in values]
        if len(values) != len(samples):
            continue
        sources = [sample.source for sample in samples]
        intervals = (clustered_mean(column, sources, draws=_DRAWS) for column in (values, right))
        baselines[name] = {which: one.to_json() for which, one in zip(("value", "solved"), intervals, strict=True)}
        for sample, hit in zip(samples, right, strict=True):
            if hit:
                solved[sample.id].append(name)
    chance = float(np.mean([chance_of_solving(sample) for sample in samples]))
    return {"chance_solved": chance, "baselines": baselines, "solved_samples": dict(solved)}


def _structure(dataset: Dataset) -> dict[str, int]:
    """Return how many videos have what; empty where nobody looked."""
    found = [one for source in dataset.sources if (one := read_structure(source.structure)) is not None]
    if not found:
        return {}
    led = leaders({source.identity: source.fingerprint for source in dataset.sources})
    return {
        "videos looked at": len(found),
        "with cuts": sum(bool(one.cuts) for one in found),
        "with black stretches": sum(bool(one.black) for one in found),
        "with still stretches": sum(bool(one.static) for one in found),
        "with views that come back": sum(bool(one.returns) for one in found),
        "with black bars": sum(any(one.bars) for one in found),
        "with a clock or progress bar": sum(one.clock for one in found),
        "with a logo or captions": sum(any(not o.leaks_order for o in one.overlays) for one in found),
        "near-duplicates of another": sum(leader != identity for identity, leader in led.items()),
    }


def _difficulty(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Return what each measurement of this content found, by name; those of other content are left out."""
    found = {}
    for name in difficulty.names(dataset.path):
        measured = difficulty.read(dataset.path, name)
        if measured.about.dataset != dataset.digest or not measured.rows:
            continue
        rates = list(measured.pass_rates.values())
        found[name] = {
            "model": measured.about.model,
            "rollouts": measured.about.rollouts,
            "threshold": measured.about.threshold,
            "samples": len(rates),
            "pass_rate": float(np.mean(rates)),
            "mean_reward": float(np.mean([row.mean_reward for row in measured.rows])),
            "histogram": difficulty.histogram(rates),
        }
    return found


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def reason_kind(reason: str) -> str:
    """Return the reason without its numbers and details: what quarantine lines are counted by."""
    return reason.partition(":")[0].partition("(")[0].strip()
