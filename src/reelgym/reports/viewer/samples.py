"""Samples of a dataset folder, read from their row groups when they are asked for; pixels through its own media."""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelgym.data.dataset import Source, read_manifest, sample_from_row
from reelgym.data.media import Media
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.reports.viewer.columns import Mask
from reelgym.video import Store
from reelgym.video.places import joined
from reelgym.video.remote import scheme_of

_HELD_GROUPS = 4
_HELD_SEARCHES = 8

DAMAGE = (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError)
"""What reading a file that is not what it should be may raise."""

_SOURCE_COLUMNS = [
    name
    for name in Source.__dataclass_fields__
    if name not in ("structure", "fingerprint")  # Large, and not shown.
]


@dataclass(frozen=True)
class _Group:
    """One row group of one file."""

    file: Path
    number: int
    rows: int


class Samples:
    """The samples of a dataset folder by row; made of the footers of its files, so that opening one costs little."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest, the footers and the sources.

        Raises:
            RequestError: The folder is no dataset, or damaged.
        """
        self.folder, self.manifest = folder, read_manifest(folder)
        try:
            self._groups = [group for name in self.manifest["files"] for group in _groups(folder / Path(name).name)]
            self.sources = _sources(folder / "sources.parquet")
        except DAMAGE as error:
            raise damaged(folder, error) from None
        self._starts = [0, *accumulate(group.rows for group in self._groups)]
        self._held: OrderedDict[int, list[dict[str, Any]]] = OrderedDict()
        self._searched: OrderedDict[str, Mask] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._starts[-1]

    @property
    def digest(self) -> str:
        """The digest that the dataset says it has; nothing is hashed again."""
        return str(self.manifest.get("digest", ""))

    @cached_property
    def rows_by_id(self) -> dict[str, int]:
        """From the id of a sample to its row."""
        return {row["id"]: number for number, row in enumerate(self.scan(["id"]))}

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield every row's values of some columns, one row group in memory at a time."""
        for group in self._groups:
            yield from self._read(group, columns).to_pylist()

    def spread(self, most: int) -> list[Sample]:
        """Return all samples, or about `most` of them in whole row groups spread evenly over the files."""
        groups = range(len(self._groups))
        if len(self) > most:
            wanted = max(1, most * len(self._groups) // len(self))
            groups = range(0, len(self._groups), max(1, len(self._groups) // wanted))
        return [self._sample(row) for place in groups for row in self._rows(place)]

    def sample(self, row: int) -> Sample:
        """Return the sample of a row."""
        place = bisect_right(self._starts, row) - 1
        return self._sample(self._rows(place)[row - self._starts[place]])

    def named(self, name: str) -> Sample | None:
        """Return the sample with an id, None where there is none."""
        row = self.rows_by_id.get(name)
        return None if row is None else self.sample(row)

    def matching(self, words: str) -> Mask:
        """Return (N,) which samples have these words in their id, answer or the text of their messages, in any case."""
        key = words.casefold()
        with self._lock:
            if key in self._searched:
                return self._searched[key]
        found = np.concatenate([np.zeros(0, np.bool_), *(self._matching(group, words) for group in self._groups)])
        with self._lock:
            self._searched[key] = found
            if len(self._searched) > _HELD_SEARCHES:
                self._searched.popitem(last=False)
        return found

    def _matching(self, group: _Group, words: str) -> Mask:
        """Return the matches of one group: a quick look at the raw JSON first, then at the texts in it."""
        table = self._read(group, ["id", "messages", "answer"])
        raw = json.dumps(words, ensure_ascii=False)[1:-1]
        said = [pc.match_substring(table[name], raw, ignore_case=True) for name in table.column_names]
        near = np.asarray(pc.fill_null(pc.or_(pc.or_(said[0], said[1]), said[2]), False))
        out = np.zeros(group.rows, np.bool_)
        places = np.flatnonzero(near)
        for place, row in zip(places.tolist(), table.take(pa.array(places)).to_pylist(), strict=True):
            out[place] = words.casefold() in _text(row).casefold()
        return out

    def media(self, store: Store, media_root: str | Path | None) -> Media:
        """Return what reads the pixels. Without a root named by the reader, sources at a URI are not looked up.

        Args:
            store: Where decoded frames are kept.
            media_root: Where the videos lie now; None is where they lay when the dataset was made.
        """
        root = str(media_root if media_root is not None else self.manifest.get("media_root", "."))
        places = {source.identity: joined(root, source.path) for source in self.sources.values()}
        near = {name: place for name, place in places.items() if media_root is not None or not scheme_of(place)}
        return Media(store, near, {name: self.sources[name].size_bytes for name in near})

    def _rows(self, place: int) -> list[dict[str, Any]]:
        with self._lock:
            if place in self._held:
                self._held.move_to_end(place)
                return self._held[place]
        rows: list[dict[str, Any]] = self._read(self._groups[place], None).to_pylist()
        with self._lock:
            self._held[place] = rows
            if len(self._held) > _HELD_GROUPS:
                self._held.popitem(last=False)
        return rows

    def _read(self, group: _Group, columns: Sequence[str] | None) -> pa.Table:
        try:
            with pq.ParquetFile(group.file) as file:
                return file.read_row_group(group.number, columns=columns)
        except DAMAGE as error:
            raise damaged(self.folder, error) from None

    def _sample(self, row: dict[str, Any]) -> Sample:
        try:
            return sample_from_row(row)
        except DAMAGE as error:
            raise damaged(self.folder, error) from None


def damaged(folder: Path, error: Exception) -> RequestError:
    """Return the error for a folder whose files are not what they should be."""
    if isinstance(error, RequestError):
        return error
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RequestError(f"{folder} is damaged ({reason}): make it again")


def _groups(file: Path) -> Iterator[_Group]:
    with pq.ParquetFile(file) as opened:
        about = opened.metadata
        yield from (_Group(file, number, about.row_group(number).num_rows) for number in range(about.num_row_groups))


def _sources(file: Path) -> dict[str, Source]:
    with pq.ParquetFile(file) as opened:
        there = set(opened.schema_arrow.names)
        rows = opened.read(columns=[name for name in _SOURCE_COLUMNS if name in there]).to_pylist()
    return {row["identity"]: Source(**row | {"warnings": tuple(row.get("warnings") or ())}) for row in rows}


def _text(row: dict[str, Any]) -> str:
    """Return what a reader sees of a sample as words: its id, its answer, the texts of its messages."""
    parts = [part for message in json.loads(row["messages"]) for part in message["parts"]]
    return "\n".join([row["id"], row["answer"], *(part["text"] for part in parts if "text" in part)])
