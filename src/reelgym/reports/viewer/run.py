"""A run to look through while it goes on: its curves, and every group of rollouts by step and sample."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.data.media import Media
from reelgym.errors import RequestError
from reelgym.reports.folders import ROLLOUT, about_run, datasets_of, read_json, read_metrics, rollouts
from reelgym.reports.payload import Payload, Table
from reelgym.reports.viewer.browser import Browser, Line, Listing, Tab, described, no_tab
from reelgym.reports.viewer.columns import Coder, Column, Filter, Marks, Mask, banded
from reelgym.reports.viewer.exhibit import bare, exhibit
from reelgym.reports.viewer.pictures import Decoder
from reelgym.reports.viewer.rows import DAMAGE, Rows, damaged
from reelgym.reports.viewer.samples import Samples, find_samples
from reelgym.video import Store

MOST_POINTS = 600
"""Steps that a curve is drawn of; of longer runs as many are, spread evenly, and every step that was evaluated."""

_STEP_BANDS = 12
_MIXED, _SAME = "rollouts differ", "all the same"


@dataclass
class _Groups:
    """The groups of one file of rollouts: by group its step, sample and numbers, by row its group."""

    steps: list[int] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    scores: list[list[float]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    of_row: list[int] = field(default_factory=list)


class RunBrowser(Browser):
    """A run's folder; files that came since the last look are read, the others are not read again."""

    kind = "run"

    def __init__(
        self, folder: Path, store: Store, videos: str | Path | None = None, data: str | Path | None = None
    ) -> None:
        """Find the datasets it was trained on.

        Args:
            folder: The run.
            store: Where decoded frames are kept.
            videos: Where the videos lie now, if they were moved.
            data: The dataset, if it has moved.
        """
        self.folder = folder
        named: Sequence[str | Path | None] = [data] if data else datasets_of(folder) or [None]
        found = [find_samples(path) for path in named]
        self._shelves = [samples for samples, _ in found if samples is not None]
        self._missing = " ".join(words for _, words in found if words)
        self._media = Media.joined([one.media(store, videos) for one in self._shelves]) if self._shelves else None
        self._decoder = Decoder()
        self._files: dict[tuple[str, int, int], _Groups] = {}
        self._listed: tuple[str, Listing] | None = None
        self._lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """Return title and tabs."""
        tabs = (
            Tab(name="curves", label="Curves", form="page"),
            Tab(name="rollouts", label="Rollouts", form="list", count=self.listing("rollouts").size, noun="groups"),
            Tab(name="settings", label="Settings", form="page"),
        )
        return described(self.folder.resolve().name, tabs, {})

    def stamp(self) -> str:
        """Return the sizes and times of what a run writes."""
        metrics = self.folder / "metrics.jsonl"
        files = [*([metrics] if metrics.is_file() else []), *self._rollout_files()]
        return json.dumps([_stamp(file) for file in files])

    def listing(self, tab: str) -> Listing:
        """Return the groups of rollouts, the newest first."""
        if tab != "rollouts":
            raise no_tab(tab, self.kind)
        with self._lock:
            now = self.stamp()
            if self._listed is None or self._listed[0] != now:
                self._listed = (now, self._list())
            return self._listed[1]

    def item(self, tab: str, key: str) -> str:
        """Return a group as HTML: its sample, and every rollout with its rewards and advantages."""
        step, _, name = key.partition(":")
        if tab != "rollouts" or not step.isdigit():
            raise RequestError(f"{self.folder} has no group {key[:80]!r}")
        rows = self._rows_of(int(step), name)
        found = self._sample(name)
        replies = rollouts(found[0] if found else None, int(step), rows)
        links = [("The same sample at other steps", name)]
        if found is None:
            return bare(name, replies, note=self._missing, links=links)
        return exhibit(found[0], found[1].sources.get(found[0].source), replies=replies, links=links, sealed=False)

    def page(self, tab: str) -> Payload:
        """Return the curves, or the settings."""
        if tab == "curves":
            shown = about_run(self.folder, thinned(read_metrics(self.folder / "metrics.jsonl")))
            return replace(shown, limits=(self._missing,) if self._missing else ())
        if tab == "settings":
            config = read_json(self.folder / "config.json")
            tables = (Table(title="config.json", columns=("Setting", "Value"), rows=tuple(flat(config))),)
            return Payload(title=self.folder.name, headline="Settings", tables=tables)
        raise no_tab(tab, self.kind)

    def picture(self, key: str, part: int, place: int, *, large: bool = False) -> bytes:
        """Return a frame of a sample."""
        found = self._sample(key)
        if found is None or self._media is None:
            raise RequestError(f"sample {key[:80]!r} is not at hand")
        return self._decoder.picture(found[0], self._media, part, place, large=large)

    def _sample(self, name: str) -> tuple[Any, Samples] | None:
        for shelf in self._shelves:
            if (sample := shelf.named(name)) is not None:
                return sample, shelf
        return None

    def _rollout_files(self) -> list[Path]:
        return sorted(self.folder.glob("rollouts-*.parquet"))

    def _groups(self) -> list[tuple[Path, _Groups]]:
        """Return the groups of every file, from memory where the file is the one that was read before."""
        files = self._rollout_files()
        read = {file: self._files.get(_stamp(file)) or _read_groups(file) for file in files}
        self._files = {_stamp(file): groups for file, groups in read.items()}
        return list(read.items())

    def _rows_of(self, step: int, name: str) -> list[Mapping[str, Any]]:
        """Return the rollouts of one group."""
        wanted = [("step", "=", step), ("sample", "=", name)]
        rows: list[Mapping[str, Any]] = []
        for file, groups in self._groups():
            if (step, name) in zip(groups.steps, groups.samples, strict=True):
                try:
                    rows += pq.read_table(file, columns=list(ROLLOUT), filters=wanted).to_pylist()
                except (OSError, pa.ArrowException) as error:
                    raise damaged(file, error) from None
        if not rows:
            raise RequestError(f"{self.folder} has no rollouts of {name[:80]!r} at step {step}")
        return rows

    def _list(self) -> Listing:
        found = self._groups()
        steps = np.array([step for _, groups in found for step in groups.steps], np.int64)
        names = [name for _, groups in found for name in groups.samples]
        scores = [score for _, groups in found for score in groups.scores]
        means = np.array([np.mean(group) if group else np.nan for group in scores], np.float64)
        spreads = np.array([max(group) - min(group) if group else 0.0 for group in scores], np.float64)
        cut = np.array([count for _, groups in found for count in groups.cut], np.int64)
        failed = np.array([bad for _, groups in found for bad in groups.failed], np.bool_)

        def line(row: int) -> Line:
            tags = [] if spreads[row] > 1e-6 else [("no signal", "")]
            tags += [(f"{cut[row]} cut off", "bad")] if cut[row] else []
            figure = "" if np.isnan(means[row]) else f"{means[row]:.2f}"
            key = f"{steps[row]}:{names[row]}"
            return Line(key=key, title=f"Step {steps[row]}", note=names[row], tags=tuple(tags), figure=figure)

        filters: dict[str, Filter] = {"signal": _either("Signal", spreads > 1e-6, (_MIXED, _SAME))}
        if len(steps):
            filters["step"] = _steps(steps)
            filters["score"] = _mean_scores(means)
        odd = {name: mask for name, mask in (("cut off", cut > 0), ("an error", failed)) if mask.any()}
        filters |= {"odd": Marks("Something odd", odd, "nothing", "anything")} if odd else {}
        newest = np.lexsort((np.arange(len(steps)), -steps))
        ordered = np.where(np.isnan(means), np.inf, means)
        return Listing(
            size=len(steps),
            line=line,
            search=lambda words: _search(words, found, names),
            filters=filters,
            sorts={
                "newest first": newest,
                "oldest first": np.lexsort((np.arange(len(steps)), steps)),
                "lowest score first": np.argsort(ordered, kind="stable"),
                "highest score first": np.argsort(-np.nan_to_num(means, nan=-np.inf), kind="stable"),
                "widest spread first": np.argsort(-spreads, kind="stable"),
            },
        )


def thinned(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return at most about MOST_POINTS rows of metrics, spread evenly, and all that hold an evaluation."""
    step = -(-len(rows) // MOST_POINTS)
    last = len(rows) - 1
    return [
        row
        for place, row in enumerate(rows)
        if place in (0, last) or place % step == 0 or any("eval/" in n for n in row)
    ]


def flat(value: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return (dotted name, value as text) of everything in nested objects; below ten levels as JSON."""
    found: list[tuple[str, str]] = []
    for name, one in value.items():
        if isinstance(one, dict) and one and before.count(".") < 10:
            found += flat(one, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)))
    return found


def _read_groups(file: Path) -> _Groups:
    found = _Groups()
    places: dict[tuple[int, str], int] = {}
    columns = ["step", "sample", "stop", "rewards", "errors"]
    try:
        for row in Rows([file]).scan([name for name in columns if name in pq.read_schema(file).names]):
            key = (int(row["step"]), str(row["sample"]))
            place = places.setdefault(key, len(places))
            if place == len(found.steps):
                found.steps.append(key[0])
                found.samples.append(key[1])
                found.scores.append([])
                found.cut.append(0)
                found.failed.append(False)
            found.of_row.append(place)
            found.scores[place] += _score(json.loads(row["rewards"]))
            found.cut[place] += row["stop"] == "length"
            found.failed[place] |= bool(row.get("errors"))
    except DAMAGE as error:
        raise damaged(file, error) from None
    return found


def _score(rewards: Mapping[str, Mapping[str, float | None]]) -> list[float]:
    """Return what a rollout was paid, the mean over segments, if anything was."""
    terms = [rewards["score"]] if "score" in rewards else list(rewards.values())
    paid = [value for term in terms for value in term.values() if value is not None]
    return [float(np.mean(paid))] if paid else []


def _search(words: str, found: Sequence[tuple[Path, _Groups]], names: Sequence[str]) -> Mask:
    """Return which groups have words in their sample's id or in the text of a rollout."""
    low = words.casefold()
    out = np.array([low in name.casefold() for name in names], np.bool_)
    start = 0
    for file, groups in found:
        said = Rows([file]).matching(words, ["text"])
        out[start + np.unique(np.array(groups.of_row, np.int64)[said])] = True
        start += len(groups.steps)
    return out


def _steps(steps: np.ndarray[Any, np.dtype[np.int64]]) -> Column:
    different = np.unique(steps)
    if len(different) > 2 * _STEP_BANDS:
        edges = np.unique(np.linspace(steps.min(), steps.max(), _STEP_BANDS + 1).round())
        return banded("Step", steps.astype(np.float64), edges.tolist())
    coder = Coder()
    for row, step in enumerate(steps.tolist()):
        coder.add(row, step)
    return coder.column("Step", len(steps))


def _mean_scores(means: np.ndarray[Any, np.dtype[np.float64]]) -> Column:
    there = means[~np.isnan(means)]
    if not len(there) or there.min() == there.max():
        return Column("Mean score", (), np.full(len(means), -1, np.int32))
    return banded("Mean score", means, np.linspace(there.min(), there.max(), 5).tolist())


def _either(label: str, mask: Mask, words: tuple[str, str]) -> Column:
    return Column(label, words, np.where(mask, 0, 1).astype(np.int32))


def _stamp(file: Path) -> tuple[str, int, int]:
    told = file.stat()
    return file.name, told.st_size, told.st_mtime_ns
