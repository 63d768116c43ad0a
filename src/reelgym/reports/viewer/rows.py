"""Rows of Parquet files, read from their row groups when they are asked for."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelgym.errors import RequestError
from reelgym.reports.viewer.columns import Mask

_HELD = 4

DAMAGE = (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError)
"""What reading a file that is not what it should be may raise."""


class _Group(NamedTuple):
    file: Path
    number: int
    rows: int


class Rows:
    """The rows of some files, one after the other; made of their footers, so that it costs little to have one."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the footers.

        Args:
            files: In order.

        Raises:
            RequestError: A file is missing or damaged.
        """
        self._groups = [group for file in files for group in _groups(file)]
        self.starts = [0, *accumulate(group.rows for group in self._groups)]
        self._held: OrderedDict[int, pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.starts[-1]

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield every row's values of some columns, one row group in memory at a time."""
        for group in self._groups:
            yield from _read(group, columns).to_pylist()

    def row(self, number: int) -> dict[str, Any]:
        """Return one row; its row group stays in memory for the next."""
        place = bisect_right(self.starts, number) - 1
        found: dict[str, Any] = self._table(place).slice(number - self.starts[place], 1).to_pylist()[0]
        return found

    def spread(self, most: int) -> Iterator[dict[str, Any]]:
        """Yield all rows, or about `most` of them: whole row groups spread evenly over the files."""
        step = 1
        if len(self) > most:
            step = max(1, len(self._groups) // max(1, most * len(self._groups) // len(self)))
        for place in range(0, len(self._groups), step):
            yield from self._table(place).to_pylist()

    def matching(
        self, words: str, columns: Sequence[str], check: Callable[[dict[str, Any]], bool] | None = None
    ) -> Mask:
        """Return (N,) which rows hold words in some text columns, in any case.

        Args:
            words: Looked for as they stand in the columns.
            columns: Of text.
            check: A closer look at a row that holds them.
        """
        found = [np.zeros(0, np.bool_)]
        for group in self._groups:
            table = _read(group, columns)
            near = np.zeros(group.rows, np.bool_)
            for name in columns:
                said = pc.match_substring(table[name], words, ignore_case=True)
                near |= np.asarray(pc.fill_null(said, False))
            if check is not None:
                places = np.flatnonzero(near)
                near[places] = [check(row) for row in table.take(pa.array(places)).to_pylist()]
            found.append(near)
        return np.concatenate(found)

    def _table(self, place: int) -> pa.Table:
        with self._lock:
            if place in self._held:
                self._held.move_to_end(place)
                return self._held[place]
        table = _read(self._groups[place], None)
        with self._lock:
            self._held[place] = table
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        return table


def damaged(path: Path, error: Exception) -> RequestError:
    """Return the error for a file or folder that is not what it should be."""
    if isinstance(error, RequestError):
        return error
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RequestError(f"{path} is damaged ({reason}): make it again")


def _groups(file: Path) -> Iterator[_Group]:
    try:
        with pq.ParquetFile(file) as opened:
            about = opened.metadata
            yield from (_Group(file, place, about.row_group(place).num_rows) for place in range(about.num_row_groups))
    except DAMAGE as error:
        raise damaged(file, error) from None


def _read(group: _Group, columns: Sequence[str] | None) -> pa.Table:
    try:
        with pq.ParquetFile(group.file) as file:
            return file.read_row_group(group.number, columns=columns)
    except DAMAGE as error:
        raise damaged(group.file, error) from None
