"""What a set gives away: the floors and probes that beat chance by more than their interval, over all and by facet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reelgym.evaluation import probes
from reelgym.evaluation.results import Evaluation, Row
from reelgym.scoring.statistics import Interval, clustered_mean

CLUSTERS = 5
"""Fewest videos that an interval is made of here. Ours: with fewer, a few lucky rows have none."""

DRAWS = 2_000
"""Bootstrap draws: many intervals are made."""

VALUES = 24
"""Most values of a facet that results are broken down by. Ours."""

ALL = "all"
"""Stands for no facet."""


@dataclass(frozen=True, kw_only=True)
class Leak:
    """One way to beat chance without what an answer should need.

    Attributes:
        name: Of the result: `floor-NAME`, or one under a probe.
        without: What was missing: a `model` (floors), or the `video`, `order` or `evidence` of a probe.
        facet: Facet by whose value rows were chosen; `all` for all rows.
        value: Of the facet; empty for all rows.
        score: Mean of these rows.
        chance: Mean of their chances.
        lift: Score - chance, with its video-clustered interval; all of it lies above 0.
    """

    name: str
    without: str
    facet: str
    value: str
    score: float
    chance: float
    lift: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return vars(self) | {"lift": self.lift.to_json()}


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """The leak report.

    Attributes:
        found: The leaks, the largest lift first within a result.
        tried: Pairs of a result and a part of the rows that were looked at; by luck about 1 in 40 of those that leak
            nothing is found.
        passed_over: Results that were not judged, with the reason.
    """

    found: tuple[Leak, ...]
    tried: int
    passed_over: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"found": [one.to_json() for one in self.found], "tried": self.tried, "passed_over": self.passed_over}


def leaks(evaluations: Mapping[str, Evaluation], *, level: float = 0.95, seed: int = 0) -> Leaks:
    """Return which floors and probes beat chance by more than their interval.

    A floor fitted to the right answers beats chance on any set and is passed over for its twin that is chosen on other
    videos. Probes that take nothing away (`option_rotation`, `evidence_only`) are no leaks.

    Args:
        evaluations: By name, floors and probes among them.
        level: Of the intervals.
        seed: Of the intervals.
    """
    found: list[Leak] = []
    passed: dict[str, str] = {}
    tried = 0
    for name, one in evaluations.items():
        without = _without(one)
        if not without:
            continue
        if one.settings.get("fitted"):
            passed[name] = "fitted to the answers: an upper bound"
            continue
        rows = [row for row in one.rows if "value" in row.chance]
        mine = [_leak(name, without, part, level, seed) for part in _parts(rows)]
        tried += len(mine)
        if not mine:
            passed[name] = f"states no chance, or has fewer than {CLUSTERS} videos"
        # Over all rows first, then what leaks most.
        found += sorted(filter(None, mine), key=lambda leak: (leak.facet != ALL, -leak.lift.mean))
    return Leaks(found=tuple(found), tried=tried, passed_over=passed)


def _without(one: Evaluation) -> str:
    if one.probe is not None:
        return probes.get(one.probe).without
    return "model" if one.model.startswith("floor:") else ""


Part = tuple[str, str, Sequence[Row]]


def _parts(rows: Sequence[Row]) -> Iterator[Part]:
    """Yield all rows, then those of every value of every facet that splits them into a few parts."""
    held = [(ALL, "", rows)]
    for facet in dict.fromkeys(name for row in rows for name in row.facets):
        values = dict.fromkeys(str(row.facets[facet]) for row in rows if facet in row.facets)
        if 1 < len(values) <= VALUES:
            held += [(facet, v, [row for row in rows if str(row.facets.get(facet)) == v]) for v in values]
    for part in held:
        if len({row.source for row in part[2]}) >= CLUSTERS:
            yield part


def _leak(name: str, without: str, part: Part, level: float, seed: int) -> Leak | None:
    facet, value, rows = part
    clusters = [row.source for row in rows]
    over = [row.value - row.chance["value"] for row in rows]
    lift = clustered_mean(over, clusters, level=level, draws=DRAWS, seed=seed)
    if not lift.above(0.0):
        return None
    score, chance = (
        sum(numbers) / len(rows) for numbers in zip(*((r.value, r.chance["value"]) for r in rows), strict=True)
    )
    return Leak(name=name, without=without, facet=facet, value=value, score=score, chance=chance, lift=lift)
