"""Scores by facet: one picture per facet, one row per value, one dot per model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reelgym.evaluation.results import Evaluation
from reelgym.reports import build, naming
from reelgym.reports.payload import Dot, DotRow, Plot

MOST_VALUES, MOST_FACETS, MOST_MODELS = 16, 8, 4
"""Values that a facet is broken down by at most, facets and models shown. Ours: more are no picture."""

CAPTION = (
    "How many questions each row holds stands beside it; dashed marks are chance on that row. Rows are not tested "
    "against each other: with many of them, some differ by luck."
)


def plots(evaluations: Mapping[str, Evaluation], names: Mapping[str, str]) -> tuple[Plot, ...]:
    """Return a plot for every facet that splits the questions into a few values.

    Args:
        evaluations: The best result of each model, best first.
        names: What each is called.
    """
    shown = dict(list(evaluations.items())[:MOST_MODELS])
    series = tuple(names[name] for name in shown) if len(shown) > 1 else ()
    return tuple(
        Plot(
            title=build.words(facet),
            rows=tuple(_row(facet, value, shown) for value in values),
            series=series,
        )
        for facet, values in list(_facets(shown).items())[:MOST_FACETS]
    )


def _facets(shown: Mapping[str, Evaluation]) -> dict[str, list[Any]]:
    """Return the values of every facet that has from two to a few."""
    found: dict[str, set[Any]] = {}
    for one in shown.values():
        for row in one.rows:
            for facet, value in row.facets.items():
                found.setdefault(facet, set()).add(value)
    return {
        facet: sorted(values, key=lambda value: (isinstance(value, str), value))
        for facet, values in sorted(found.items())
        if 2 <= len(values) <= MOST_VALUES
    }


def _row(facet: str, value: Any, shown: Mapping[str, Evaluation]) -> DotRow:
    parts = [_only(one, facet, value) for one in shown.values()]
    there = [(place, part) for place, part in enumerate(parts) if len(part)]
    return DotRow(
        label=naming.spaced(str(value)),
        kind="part",
        dots=tuple(Dot(number=build.sure(part.mean()), series=place) for place, part in there),
        note=f"{len(there[0][1]):,}",
        chance=there[0][1].chance(),
    )


def _only(one: Evaluation, facet: str, value: Any) -> Evaluation:
    return replace(one, rows=tuple(row for row in one.rows if row.facets.get(facet) == value))
