"""What lists are filtered by: one code per row and value, so that a million rows fit and a filter is one comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import RequestError, unknown

Mask = NDArray[np.bool_]

MANY = 24
"""Numbers with more different values than this are put into bands."""

MOST_OPTIONS = 400
"""Values that one filter offers at most, the most frequent ones; the others are found by searching."""

ANY, NONE = "any", "none"


@dataclass(frozen=True, eq=False)
class Column:
    """One value, or none, per row.

    Attributes:
        label: What the reader calls it.
        values: Different values, in the order in which they are offered.
        codes: (N,) place of each row's value, -1 for none.
        is_minor: Whether it is offered only where at least half of the rows left have a value.
    """

    label: str
    values: tuple[str, ...]
    codes: NDArray[np.int32]
    is_minor: bool = False

    def options(self, among: Mask) -> list[tuple[str, int]]:
        """Return every value with its count among some rows; none of a minor column that few of them have."""
        codes = self.codes[among]
        if self.is_minor and 2 * int((codes >= 0).sum()) < max(1, len(codes)):
            return []
        counts = np.bincount(codes[codes >= 0], minlength=len(self.values))
        offered = list(range(len(self.values)))
        if len(self.values) > MOST_OPTIONS:
            offered = sorted(np.argsort(-counts, kind="stable")[:MOST_OPTIONS].tolist())
        return [(self.values[place], int(counts[place])) for place in offered]

    def chosen(self, value: str) -> Mask:
        """Return which rows have the value."""
        if value not in self.values:
            raise unknown(f"value of {self.label.lower()}", value, self.values[:MANY])
        return np.asarray(self.codes == self.values.index(value))

    def at(self, row: int) -> str:
        """Return the value of a row; empty for none."""
        code = int(self.codes[row])
        return self.values[code] if code >= 0 else ""


@dataclass(frozen=True, eq=False)
class Marks:
    """Any number of marks per row: which shortcuts solve it, what went wrong in it.

    Attributes:
        label: What the reader calls them.
        masks: Mark to (N,) which rows bear it.
        none: What a row without a mark is called.
        any: What a row with at least one is called; empty where that is not offered.
    """

    label: str
    masks: Mapping[str, Mask]
    none: str = NONE
    any: str = ANY

    def options(self, among: Mask) -> list[tuple[str, int]]:
        """Return any and none, then every mark, each with its count among some rows."""
        named = [name for name in (self.any, self.none) if name]
        return [(name, int((self.chosen(name) & among).sum())) for name in (*named, *self.masks)]

    def chosen(self, value: str) -> Mask:
        """Return which rows bear the mark."""
        if value in self.masks:
            return self.masks[value]
        if value not in (self.any, self.none):
            raise unknown(f"value of {self.label.lower()}", value, (self.any, self.none, *self.masks))
        marked = np.logical_or.reduce(list(self.masks.values()))
        return np.asarray(marked if value == self.any else ~marked)


Filter = Column | Marks
"""One filter of a list: `options` counts its values among some rows, `chosen` tells which rows have one."""


@dataclass
class Coder:
    """Collects the values of one column, row by row; rows between may be left out."""

    codes: list[int] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)

    def add(self, row: int, value: Any) -> None:
        """Set the value of a row, at least the number of rows set so far."""
        self.codes.extend([-1] * (row - len(self.codes)))
        self.codes.append(self.places.setdefault(value, len(self.places)))

    def column(self, label: str, rows: int) -> Column:
        """Return the column of `rows` rows: words in their order, few numbers in theirs, many numbers in bands."""
        self.codes.extend([-1] * (rows - len(self.codes)))
        codes, values = np.array(self.codes, np.int32), list(self.places)
        plain = all(isinstance(value, int | float) for value in values)
        if plain and len(values) > MANY:
            numbers = np.array([*map(float, values), np.nan])[codes]
            return banded(label, numbers)
        order = sorted(range(len(values)), key=lambda place: values[place] if plain else str(values[place]))
        moved = np.empty(len(values) + 1, np.int32)
        moved[order], moved[-1] = np.arange(len(values)), -1
        return Column(label, tuple(_word(values[place]) for place in order), moved[codes])


def banded(label: str, numbers: NDArray[np.float64], edges: Sequence[float] | None = None) -> Column:
    """Return numbers put into bands with about as many rows each; NaN is in none.

    Args:
        label: Of the column.
        numbers: (N,).
        edges: Where bands begin, and the end of the last one, ascending; quartiles where not given.
    """
    there = ~np.isnan(numbers)
    if edges is None:
        edges = [float(edge) for edge in np.unique(np.quantile(numbers[there], [0, 0.25, 0.5, 0.75, 1]))]
    codes = np.searchsorted(np.asarray(edges[1:-1]), numbers, side="right").astype(np.int32)
    codes[~there] = -1
    names = tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges))
    return Column(label, names or (f"{edges[0]:.3g}",), codes)


def narrowed(
    filters: Mapping[str, Filter], asked: Mapping[str, str], found: Mask
) -> tuple[Mask, dict[str, list[tuple[str, int]]]]:
    """Return which rows all filters leave, and the options of each with their counts under all the others.

    Args:
        filters: By name.
        asked: Name to the value wanted.
        found: (N,) rows that a search leaves.

    Raises:
        RequestError: No such filter or value; names the nearest.
    """
    masks: dict[str, Mask] = {}
    for name, value in asked.items():
        if name not in filters:
            raise unknown("filter", name, filters)
        masks[name] = filters[name].chosen(value)
    options = {
        name: one.options(_all(found, (m for n, m in masks.items() if n != name))) for name, one in filters.items()
    }
    return _all(found, masks.values()), options


def _all(found: Mask, masks: Iterable[Mask]) -> Mask:
    for mask in masks:
        found = found & mask
    return found


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def whole(text: str, name: str, most: int) -> int:
    """Return a number of a request, 0 to `most`; RequestError for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
        raise RequestError(f"{name}={text[:20]!r}: give a whole number from 0 to {most}")
    return int(text)
