"""The numbers that a benchmark reports: means, means of means, groups that count as one, and formulas of other numbers.

A mean of means weighs its groups alike whatever their size; `Metric.by` names the groups from the outermost in. Every
row counts: an unreadable reply has 0 in every part. Intervals draw whole videos, as everywhere (`scoring.statistics`);
in a draw that misses a whole group, the mean is over the groups that are there.

Shapes: R rows, C videos, L groups, D draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.spec import Benchmark, Metric
from reelgym.scoring.composites import over_chains
from reelgym.scoring.statistics import Interval
from reelgym.scoring.steps import f1

DRAWS = 2_000
"""Bootstrap draws."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Unit:
    """What counts as one: a row, or rows that share a facet."""

    value: float
    weight: float
    cluster: str
    path: tuple[str, ...]


def measure(benchmark: Benchmark, evaluation: Evaluation, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return every metric of a benchmark: {mean, low, high, level, rows, clusters, chance}, as JSON values.

    A metric of which no row is there is left out. A formula has the chance that the formula makes of chances where it
    takes means; one that goes by rows has none.
    """
    found: dict[str, dict[str, Any]] = {}
    for metric in sorted(benchmark.metrics, key=lambda one: bool(one.formula)):
        if metric.formula:
            value = FORMULAS[metric.formula](metric, found, evaluation)
            if value is not None:
                found[metric.name] = {"mean": value, "low": None, "high": None, "chance": None}
            continue
        rows = [row for row in evaluation.rows if _meant(row, metric)]
        if rows:
            chance = _mean(_units(rows, metric, partial(_chance, metric.part)))
            interval = mean(rows, metric, seed=seed)
            found[metric.name] = interval.to_json() | {"chance": None if math.isnan(chance) else chance}
    return {metric.name: found[metric.name] for metric in benchmark.metrics if metric.name in found}


def mean(rows: Sequence[Row], metric: Metric, *, level: float = 0.95, seed: int = 0) -> Interval:
    """Return a metric that is no formula, with its video-clustered percentile interval.

    Args:
        rows: Those that it counts, at least one.
        metric: What is averaged, and how.
        level: Coverage.
        seed: Of the draws.
    """
    units = _units(rows, metric, lambda row: row.number(metric.part))
    clusters = sorted({unit.cluster for unit in units})
    value, low, high = _mean(units), math.nan, math.nan
    if len(clusters) > 1:
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), size=DRAWS)
        tail = (1 - level) / 2
        low, high = map(float, np.nanquantile(_drawn(units, clusters, counts.astype(np.float64)), [tail, 1 - tail]))
    return Interval(mean=value, low=low, high=high, level=level, rows=len(rows), clusters=len(clusters))


def _chance(part: str, row: Row) -> float:
    return row.chance.get(part, math.nan)


def _meant(row: Row, metric: Metric) -> bool:
    there = all(str(row.facets.get(name)) == value for name, value in metric.where.items())
    return there and not math.isnan(row.number(metric.part))


def _units(rows: Sequence[Row], metric: Metric, number: Callable[[Row], float]) -> list[_Unit]:
    def unit(row: Row) -> _Unit:
        weight = float(row.facets[metric.weight]) if metric.weight else 1.0
        path = tuple(str(row.facets.get(name, "")) for name in metric.by)
        return _Unit(number(row), weight, row.source, path)

    if not metric.all_of:
        return [unit(row) for row in rows]
    groups: dict[str, list[_Unit]] = {}
    for row in rows:
        groups.setdefault(str(row.facets.get(metric.all_of, row.id)), []).append(unit(row))
    # Of chances the least would be that of one row; independent guesses are right together with their product.
    least = [_Unit(_together(group), group[0].weight, group[0].cluster, group[0].path) for group in groups.values()]
    return least


def _together(group: Sequence[_Unit]) -> float:
    """Return whether all are right; of numbers between 0 and 1, the chance that all are, were they independent."""
    return math.prod(unit.value for unit in group)


def _mean(units: Sequence[_Unit]) -> float:
    clusters = sorted({unit.cluster for unit in units})
    return float(_drawn(units, clusters, np.ones((1, len(clusters))))[0])


def _drawn(units: Sequence[_Unit], clusters: Sequence[str], counts: Floats) -> Floats:
    """Return (D,) the mean of means, each video counted as often as `counts` (D, C) says."""
    place = {cluster: at for at, cluster in enumerate(clusters)}
    leaves = sorted({unit.path for unit in units})
    at = {path: number for number, path in enumerate(leaves)}
    sums, sizes = np.zeros((len(clusters), len(leaves))), np.zeros((len(clusters), len(leaves)))
    for unit in units:
        sums[place[unit.cluster], at[unit.path]] += unit.weight * unit.value
        sizes[place[unit.cluster], at[unit.path]] += unit.weight
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (counts @ sums) / (counts @ sizes)
    for depth in range(len(leaves[0]) - 1, -1, -1):
        outer = sorted({path[:depth] for path in leaves})
        members = [[n for n, path in enumerate(leaves) if path[:depth] == one] for one in outer]
        means = np.stack([_row_means(means[:, member]) for member in members], axis=1)
        leaves = outer
    return np.asarray(means[:, 0], dtype=np.float64)


def _row_means(values: Floats) -> Floats:
    """Return (D,) means over what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)
    return means


Made = Mapping[str, Mapping[str, Any]]


def _recovery(metric: Metric, made: Made, evaluation: Evaluation) -> float | None:
    """Clue recovery rate: the lesser of whole-video and clue-only accuracy over the latter (CG-Bench)."""
    if any(name not in made for name in metric.of):
        return None
    whole, clue = (float(made[name]["mean"]) for name in metric.of)
    return min(whole, clue) / clue if clue else 0.0


def _right_and_found(metric: Metric, made: Made, evaluation: Evaluation) -> float | None:
    """Accuracy at IoU: the mean over thresholds of answers that are right and grounded in the same row (CG-Bench)."""
    by_row: dict[str, dict[str, Row]] = {}
    for row in evaluation.rows:
        by_row.setdefault(str(row.facets.get("row", row.id)), {})[str(row.facets.get("view", ""))] = row
    pairs = [views for views in by_row.values() if set(metric.of) <= set(views)]
    if not pairs:
        return None
    return sum(views[metric.of[0]].value * views[metric.of[1]].number("rec") for views in pairs) / len(pairs)


def _knowledge(metric: Metric, made: Made, evaluation: Evaluation) -> float | None:
    """Knowledge gained: what the video adds to accuracy, over what was left to add (Video-MMMU, arXiv 2501.13826)."""
    if any(name not in made for name in metric.of):
        return None
    after, before = (float(made[name]["mean"]) for name in metric.of)
    return (after - before) / (1 - before) if before < 1 else None


def _harmonic(metric: Metric, made: Made, evaluation: Evaluation) -> float | None:
    """F1 of mean precision and mean recall: VCR-Bench's CoT score (arXiv 2504.07956)."""
    if any(name not in made for name in metric.of):
        return None
    precision, recall = (float(made[name]["mean"]) for name in metric.of)
    return f1(precision, recall)


def _composite(name: str, metric: Metric, made: Made, evaluation: Evaluation) -> float | None:
    """V-STaR's mAM or mLGM of accuracy, then temporal and spatial IoU of each chain (arXiv 2503.11495)."""
    if any(one not in made for one in metric.of):
        return None
    accuracy, *rest = (float(made[one]["mean"]) for one in metric.of)
    return over_chains([[accuracy, *rest[at : at + 2]] for at in range(0, len(rest), 2)])[name]


def _together_right(metric: Metric, made: Made, evaluation: Evaluation) -> float | None:
    """V-STaR's joint rate: rows whose answer is right, interval reaches IoU 0.3 and boxes 0.1, each in its view."""
    by_row: dict[str, dict[str, Row]] = {}
    for row in evaluation.rows:
        by_row.setdefault(str(row.facets.get("row", row.id)), {})[str(row.facets.get("view", ""))] = row
    chains = [[views[name] for name in metric.of] for views in by_row.values() if set(metric.of) <= set(views)]
    right = [
        what.value >= 1 and when.number("iou") >= 0.3 and where.number("viou") >= 0.1 for what, when, where in chains
    ]
    return sum(right) / len(right) if right else None


Formula = Callable[[Metric, Made, Evaluation], float | None]

FORMULAS: dict[str, Formula] = {
    "recovery": _recovery,
    "right_and_found": _right_and_found,
    "knowledge": _knowledge,
    "f1": _harmonic,
    "mAM": partial(_composite, "mAM"),
    "mLGM": partial(_composite, "mLGM"),
    "together": _together_right,
}
"""Named plug-ins that make a number of others."""
