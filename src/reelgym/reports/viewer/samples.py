"""Samples of a dataset folder, read when they are asked for; pixels through its own media."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reelgym.data.dataset import Source, read_manifest, sample_from_row
from reelgym.data.media import Media
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.reports.viewer.columns import Mask
from reelgym.reports.viewer.rows import DAMAGE, Rows, damaged
from reelgym.video import Store
from reelgym.video.places import joined
from reelgym.video.remote import scheme_of

_HELD_SEARCHES = 8

_SOURCE_COLUMNS = [
    name
    for name in Source.__dataclass_fields__
    if name not in ("structure", "fingerprint")  # Large, and not shown.
]


class Samples:
    """The samples of a dataset folder by row."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest, the footers of the files and the sources.

        Raises:
            RequestError: The folder is no dataset, or damaged.
        """
        self.folder, self.manifest = folder, read_manifest(folder)
        try:
            self.rows = Rows([folder / Path(name).name for name in self.manifest["files"]])
            self.sources = _sources(folder / "sources.parquet")
        except DAMAGE as error:
            raise damaged(folder, error) from None
        self._searched: OrderedDict[str, Mask] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    @property
    def digest(self) -> str:
        """The digest that the dataset says it has; nothing is hashed again."""
        return str(self.manifest.get("digest", ""))

    @cached_property
    def rows_by_id(self) -> dict[str, int]:
        """From the id of a sample to its row."""
        return {row["id"]: number for number, row in enumerate(self.rows.scan(["id"]))}

    def spread(self, most: int) -> list[Sample]:
        """Return all samples, or about `most` of them, spread evenly over the files."""
        return [self._sample(row) for row in self.rows.spread(most)]

    def named(self, name: str) -> Sample | None:
        """Return the sample with an id, None where there is none."""
        number = self.rows_by_id.get(name)
        return None if number is None else self._sample(self.rows.row(number))

    def matching(self, words: str) -> Mask:
        """Return (N,) which samples have these words in their id, answer or the text of their messages, in any case."""
        key = words.casefold()
        with self._lock:
            if key in self._searched:
                return self._searched[key]
        raw = json.dumps(words, ensure_ascii=False)[1:-1]
        found = self.rows.matching(raw, ["id", "messages", "answer"], lambda row: key in _text(row).casefold())
        with self._lock:
            self._searched[key] = found
            if len(self._searched) > _HELD_SEARCHES:
                self._searched.popitem(last=False)
        return found

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

    def _sample(self, row: Mapping[str, Any]) -> Sample:
        try:
            return sample_from_row(row)
        except DAMAGE as error:
            raise damaged(self.folder, error) from None


def find_samples(path: str | Path | None, digest: str = "") -> tuple[Samples | None, str]:
    """Return the samples behind stored results, or None and why they are not shown.

    Args:
        path: The dataset, as the results say.
        digest: Of the dataset that was answered; empty where that is not known.
    """
    if not path:
        return None, "The results do not say where their dataset is: name it with --data to see frames and answers."
    try:
        found = Samples(Path(path))
    except RequestError as error:
        return None, f"No frames and answers: {error}; name the dataset with --data"
    if digest and digest != found.digest:
        return None, f"No frames and answers: {path} has changed since it was answered."
    return found, ""


def _sources(file: Path) -> dict[str, Source]:
    with pq.ParquetFile(file) as opened:
        there = set(opened.schema_arrow.names)
        rows = opened.read(columns=[name for name in _SOURCE_COLUMNS if name in there]).to_pylist()
    return {row["identity"]: Source(**row | {"warnings": tuple(row.get("warnings") or ())}) for row in rows}


def _text(row: Mapping[str, Any]) -> str:
    """Return what a reader sees of a sample as words: its id, its answer, the texts of its messages."""
    parts = [part for message in json.loads(row["messages"]) for part in message["parts"]]
    return "\n".join([row["id"], row["answer"], *(part["text"] for part in parts if "text" in part)])
