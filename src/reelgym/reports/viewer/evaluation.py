"""An evaluation to look through: every reply with its sample, by who wrote it, under which probe, right or wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.data.media import Media
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.results import Row, row_from_record
from reelgym.reports import verdicts
from reelgym.reports.build import words
from reelgym.reports.evaluation import about_results
from reelgym.reports.folders import read_json
from reelgym.reports.payload import Payload, Reply, Role
from reelgym.reports.viewer.browser import Browser, Line, Listing, Tab, described, no_tab
from reelgym.reports.viewer.columns import Coder, Column, Filter, Mask
from reelgym.reports.viewer.exhibit import bare, exhibit
from reelgym.reports.viewer.pictures import Decoder
from reelgym.reports.viewer.rows import DAMAGE, Rows, damaged
from reelgym.reports.viewer.samples import Samples, find_samples
from reelgym.video import Store

_ENDED = {"eos": "by itself", "length": "cut off", "stop_string": "at a stop word"}


_ROLES: dict[str, Role] = {"before": "before", "after": "after"}


@dataclass(frozen=True, eq=False)
class _Stored:
    """All evaluations of a folder, one after the other.

    Attributes:
        about: Name to what `results.json` says of it.
        files: Name to its replies.
        starts: Name to the number of its first reply in the list.
        ids: Sample of each reply.
        values: Score of each reply.
        verdicts: Place in `verdicts.VERDICTS` of each reply.
        filters: Of the list.
    """

    about: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Rows]
    starts: Mapping[str, int]
    ids: NDArray[np.str_]
    values: list[float]
    verdicts: list[int]
    filters: Mapping[str, Filter]

    def of_row(self, row: int) -> tuple[str, int]:
        """Return the evaluation of a reply in the list, and its row there."""
        name = [name for name, start in self.starts.items() if start <= row][-1]
        return name, row - self.starts[name]

    def place_of(self, name: str, sample: str) -> int | None:
        """Return the row of a sample's reply in an evaluation, None where it was not asked."""
        start = self.starts[name]
        found = np.flatnonzero(self.ids[start : start + len(self.files[name])] == np.str_(sample))
        return int(found[0]) if len(found) else None


class EvaluationBrowser(Browser):
    """An evaluation's folder; replies are read when they are looked at."""

    kind = "evaluation"

    def __init__(
        self, folder: Path, store: Store, videos: str | Path | None = None, data: str | Path | None = None
    ) -> None:
        """Read the numbers of all replies, and find the dataset.

        Args:
            folder: The evaluation.
            store: Where decoded frames are kept.
            videos: Where the videos lie now, if they were moved.
            data: The dataset, if it has moved.
        """
        self.folder = folder
        self._lock = threading.Lock()
        self._loaded: tuple[str, _Stored] | None = None
        self._result: tuple[str, Payload] | None = None
        settings = next((dict(one.get("settings") or {}) for one in self._stored().about.values()), {})
        place, digest = data or settings.get("dataset_path"), str(settings.get("dataset", ""))
        self._samples, self._missing = find_samples(place, digest)
        self._media: Media | None = self._samples.media(store, videos) if self._samples is not None else None
        self._decoder = Decoder()

    def about(self) -> dict[str, Any]:
        """Return title and tabs; the list begins with the replies of the evaluation that leads."""
        stored = self._stored()
        tabs = (
            Tab(name="result", label="Result", form="page"),
            Tab(name="replies", label="Replies", form="list", count=len(stored.ids), noun="replies"),
        )
        leading = {"evaluation": words(_leading(stored.about))} if len(stored.about) > 1 else {}
        return described(self.folder.resolve().name, tabs, {"replies": leading})

    def stamp(self) -> str:
        """Return size and time of `results.json`."""
        try:
            told = (self.folder / "results.json").stat()
        except OSError as error:
            raise damaged(self.folder, error) from None
        return f"{told.st_size} {told.st_mtime_ns}"

    def listing(self, tab: str) -> Listing:
        """Return the replies."""
        if tab != "replies":
            raise no_tab(tab, self.kind)
        stored = self._stored()
        values = np.array(stored.values, np.float64)
        sorts = {"as asked": None, "lowest score first": np.argsort(values, kind="stable")}
        return Listing(
            size=len(stored.ids),
            line=lambda row: _line(stored, row),
            search=lambda said: _search(stored, self._samples, said),
            filters=stored.filters,
            sorts=sorts | {"highest score first": np.argsort(-values, kind="stable")},
        )

    def item(self, tab: str, key: str) -> str:
        """Return a reply as HTML: its sample, then what everybody else wrote about it."""
        name, _, number = key.rpartition(":")
        stored = self._stored()
        if (
            tab != "replies"
            or name not in stored.files
            or not number.isdigit()
            or int(number) >= len(stored.files[name])
        ):
            raise RequestError(f"{self.folder} has no reply {key[:80]!r}")
        first = _row(stored, name, int(number))
        sample = self._samples.named(first.id) if self._samples is not None else None
        floors = {other for other, told in stored.about.items() if told.get("variant") == "none"}
        replies = [_reply(name, first, sample, is_floor=name in floors)]
        for other in (one for one in stored.files if one != name):
            if (place := stored.place_of(other, first.id)) is not None:
                replies.append(_reply(other, _row(stored, other, place), sample, is_floor=other in floors))
        if sample is None or self._samples is None:
            return bare(first.id, replies, note=self._missing)
        return exhibit(sample, self._samples.sources.get(sample.source), replies=replies, sealed=False)

    def page(self, tab: str) -> Payload:
        """Return the measures of all evaluations."""
        if tab != "result":
            raise no_tab(tab, self.kind)
        now = self.stamp()
        if self._result is None or self._result[0] != now:
            shown = about_results(self.folder, results.read(self.folder))
            self._result = (now, replace(shown, limits=(self._missing,) if self._missing else ()))
        return self._result[1]

    def picture(self, key: str, part: int, place: int, *, large: bool = False) -> bytes:
        """Return a frame of a sample."""
        sample = self._samples.named(key) if self._samples is not None else None
        if sample is None or self._media is None:
            raise RequestError(f"sample {key[:80]!r} is not at hand")
        return self._decoder.picture(sample, self._media, part, place, large=large)

    def _stored(self) -> _Stored:
        with self._lock:
            now = self.stamp()
            if self._loaded is None or self._loaded[0] != now:
                self._loaded = (now, _load(self.folder))
            return self._loaded[1]


def _load(folder: Path) -> _Stored:
    about = read_json(folder / "results.json").get("evaluations")
    if not isinstance(about, dict) or not about:
        raise RequestError(f"{folder}: no evaluation in results.json: run `reelgym eval` again")
    files = {name: Rows([folder / f"replies-{Path(name).name}.parquet"]) for name in about}
    starts: dict[str, int] = {}
    ids: list[str] = []
    values: list[float] = []
    found_verdicts: list[int] = []
    who, probe, ended, facets = Coder(), Coder(), Coder(), dict[str, Coder]()
    try:
        for name, rows in files.items():
            starts[name] = len(ids)
            taken = about[name].get("probe") or "nothing"
            for told in rows.scan(["id", "valid", "value", "stop", "facets"]):
                row = len(ids)
                ids.append(told["id"])
                values.append(float(told["value"]))
                found_verdicts.append(verdicts.place_of(valid=told["valid"], value=told["value"]))
                who.add(row, words(name))
                probe.add(row, str(taken).replace("_", " "))
                ended.add(row, _ENDED.get(told["stop"], str(told["stop"])))
                for facet, value in json.loads(told["facets"]).items():
                    facets.setdefault(facet, Coder()).add(row, value)
    except DAMAGE as error:
        raise damaged(folder, error) from None
    found: dict[str, Column] = {
        "evaluation": who.column("Replies of", len(ids)),
        "verdict": Column("Verdict", verdicts.VERDICTS, np.array(found_verdicts, np.int32)),
        "probe": probe.column("Taken away", len(ids)),
        "ended": ended.column("Ended", len(ids)),
        **{f"facet.{n}": replace(one.column(words(n), len(ids)), is_minor=True) for n, one in sorted(facets.items())},
    }
    filters: dict[str, Filter] = {name: one for name, one in found.items() if len(one.values) > 1}
    return _Stored(about, files, starts, np.array(ids, np.str_), values, found_verdicts, filters)


def _line(stored: _Stored, row: int) -> Line:
    name, place = stored.of_row(row)
    verdict = verdicts.VERDICTS[stored.verdicts[row]]
    return Line(
        key=f"{name}:{place}",
        title=str(stored.ids[row]),
        note=words(name),
        tags=((verdict, verdicts.DRAWN[verdict]),),
        figure=f"{stored.values[row]:.2f}",
    )


def _search(stored: _Stored, samples: Samples | None, said: str) -> Mask:
    """Return the replies that hold the words, or whose sample does."""
    found = [rows.matching(said, ["id", "reply"]) for rows in stored.files.values()]
    out = np.concatenate(found)
    if samples is not None:
        asked, rows = samples.matching(said), samples.rows_by_id
        out |= np.array([name in rows and bool(asked[rows[name]]) for name in stored.ids.tolist()], np.bool_)
    return out


def _row(stored: _Stored, name: str, place: int) -> Row:
    try:
        return row_from_record(stored.files[name].row(place))
    except DAMAGE as error:
        raise damaged(Path(f"replies-{name}.parquet"), error) from None


def _reply(name: str, row: Row, sample: Sample | None, *, is_floor: bool) -> Reply:
    role: Role = "floor" if is_floor else _ROLES.get(name, "plain")
    return verdicts.reply(row, sample, label=words(name), role=role)


def _leading(about: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the evaluation whose replies are shown first: the trained model's, or the best without a probe."""
    plain = [name for name, one in about.items() if one.get("probe") is None and one.get("variant") != "none"]
    if "after" in plain:
        return "after"
    return max(plain or about, key=lambda name: float(about[name]["scores"]["value"]["mean"]))
