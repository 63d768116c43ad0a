"""What a served page asks of a folder: tabs, lists with filters, one item, whole pages, pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import RequestError, unknown
from reelgym.reports.payload import Payload
from reelgym.reports.viewer.columns import Filter, Mask, narrowed

MOST_ROWS = 200
"""Rows that one request may ask for."""


@dataclass(frozen=True, kw_only=True)
class Tab:
    """One tab of the page.

    Attributes:
        name: In addresses.
        label: As shown.
        form: `list` (rows, each with an item beside them), `table` (rows alone) or `page`.
        count: Rows behind it, None for a page.
        noun: What its rows are.
    """

    name: str
    label: str
    form: Literal["list", "table", "page"]
    count: int | None = None
    noun: str = "rows"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of a list.

    Attributes:
        key: What its item is asked for by; empty where there is none.
        title: Its first line.
        note: Its second line.
        tags: (words, `good`, `bad` or empty) of what stands out.
        figure: One number at its end, as text.
    """

    key: str
    title: str
    note: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    figure: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What rows a reader wants: words, filter values by name, an order, and which stretch of the result."""

    words: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """The rows of one list with all that narrows them down.

    Attributes:
        size: Rows in all.
        line: From the number of a row to what is shown of it.
        search: From words to (N,) which rows hold them.
        filters: By name, in the order in which they are offered.
        sorts: Label to the order of all rows; the first is the usual one. None is their own order.
        defaults: Filter values that a reader begins with.
    """

    size: int
    line: Callable[[int], Line]
    search: Callable[[str], Mask]
    filters: Mapping[str, Filter]
    sorts: Mapping[str, NDArray[np.int64] | None] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    def answer(self, asked: Asked) -> dict[str, Any]:
        """Return JSON values: how many rows are left, those asked for, and every filter with its counts.

        Raises:
            RequestError: An unknown filter, value or order.
        """
        if asked.sort and asked.sort not in self.sorts:
            raise unknown("order", asked.sort, self.sorts)
        found = self.search(asked.words) if asked.words else np.ones(self.size, np.bool_)
        left, options = narrowed(self.filters, asked.filters, found)
        order = self.sorts[asked.sort] if asked.sort else next(iter(self.sorts.values()), None)
        rows = np.flatnonzero(left) if order is None else order[left[order]]
        shown = rows[asked.offset : asked.offset + asked.limit]
        return {
            "total": len(rows),
            "offset": asked.offset,
            "rows": [self.line(int(row)).to_json() for row in shown],
            "filters": [
                {"name": name, "label": self.filters[name].label, "options": found}
                for name, found in options.items()
                if found or name in asked.filters
            ],
            "sorts": list(self.sorts),
        }


class Browser(ABC):
    """A folder, ready to be looked at. What it gives is what is on disk now: `stamp` tells when that has changed."""

    kind: str

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return JSON values: `title`, `tabs`, and by list the filters to begin with (`defaults`)."""

    @abstractmethod
    def stamp(self) -> str:
        """Return a word that changes whenever the folder does."""

    @abstractmethod
    def listing(self, tab: str) -> Listing:
        """Return the list of a tab; RequestError where it has none."""

    @abstractmethod
    def item(self, tab: str, key: str) -> str:
        """Return one item of a list as HTML; RequestError where there is none."""

    @abstractmethod
    def page(self, tab: str) -> Payload:
        """Return what a tab without a list shows."""

    @abstractmethod
    def picture(self, key: str, part: int, place: int, *, large: bool = False) -> bytes:
        """Return a frame that an item names, as JPEG bytes."""


def described(title: str, tabs: tuple[Tab, ...], defaults: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return what `Browser.about` returns."""
    return {
        "title": title,
        "tabs": [asdict(tab) for tab in tabs],
        "defaults": {name: dict(one) for name, one in defaults.items()},
    }


def no_tab(tab: str, kind: str) -> RequestError:
    """Return the error for a tab that a folder of this kind has not."""
    return RequestError(f"{tab[:40]!r} is no tab of this kind of a {kind}")
