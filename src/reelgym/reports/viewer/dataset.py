"""A dataset to look through: its samples with their frames, what shortcuts solve, and what was left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from reelgym.data.dataset import Dataset, read_sources
from reelgym.errors import RequestError
from reelgym.reports import audit
from reelgym.reports.build import words
from reelgym.reports.folders import FACTS, duration
from reelgym.reports.payload import Payload, Table
from reelgym.reports.viewer.browser import Browser, Line, Listing, Tab, described, no_tab
from reelgym.reports.viewer.columns import Coder, Column, Filter, Marks, Mask
from reelgym.reports.viewer.difficulty import read_difficulty
from reelgym.reports.viewer.exhibit import exhibit
from reelgym.reports.viewer.pictures import Decoder
from reelgym.reports.viewer.rows import DAMAGE, damaged
from reelgym.reports.viewer.samples import Samples
from reelgym.synthesis.audit import SOLVED
from reelgym.synthesis.inspect import inspect, reason_kind, table
from reelgym.synthesis.structure import FACETS
from reelgym.tasks.base import MediaReader
from reelgym.video import Store

CHANCE_SAMPLES = 4000
"""Samples that the chance levels of the overview are averaged over at most."""


class DatasetBrowser(Browser):
    """A dataset folder; what is filtered by is read once, everything else when it is looked at."""

    kind = "dataset"

    def __init__(self, folder: Path, store: Store, videos: str | Path | None = None) -> None:
        """Read the columns of all samples but their messages.

        Args:
            folder: The dataset.
            store: Where decoded frames are kept.
            videos: Where its videos lie now, if they were moved.
        """
        self.folder, self.samples = folder, Samples(folder)
        self._media: MediaReader = self.samples.media(store, videos)
        self._decoder = Decoder()
        self._index = _Index(self.samples)
        self.samples.rows_by_id = {name: row for row, name in enumerate(self._index.ids)}
        self._quarantine = _quarantine(folder / "quarantine.jsonl")

    def about(self) -> dict[str, Any]:
        """Return title and tabs."""
        tabs = (
            Tab(name="samples", label="Samples", form="list", count=len(self.samples), noun="samples"),
            Tab(name="overview", label="Overview", form="page"),
            Tab(name="quarantine", label="Left out", form="table", count=len(self._quarantine), noun="files"),
        )
        return described(self.folder.resolve().name, tabs, {})

    def stamp(self) -> str:
        """Return the digest: a dataset that is there does not change."""
        return self.samples.digest

    def listing(self, tab: str) -> Listing:
        """Return the samples, or what was left out."""
        if tab == "samples":
            return self._listed
        if tab == "quarantine":
            return self._left_out
        raise no_tab(tab, self.kind)

    def item(self, tab: str, key: str) -> str:
        """Return a sample as HTML."""
        sample = self.samples.named(key)
        if tab != "samples" or sample is None:
            raise RequestError(f"{self.folder} has no sample {key[:80]!r}")
        measured = self._index.difficulty.of(self.samples.rows_by_id[key])
        source = self.samples.sources.get(sample.source)
        links = [("All samples of this video", source.path if source is not None else sample.source)]
        return exhibit(sample, source, difficulty=measured, links=links)

    def page(self, tab: str) -> Payload:
        """Return counts, chance levels, the audit and what the videos hold."""
        if tab != "overview":
            raise no_tab(tab, self.kind)
        return self._overview

    def picture(self, key: str, part: int, place: int, *, large: bool = False) -> bytes:
        """Return a frame of a sample."""
        sample = self.samples.named(key)
        if sample is None:
            raise RequestError(f"{self.folder} has no sample {key[:80]!r}")
        return self._decoder.picture(sample, self._media, part, place, large=large)

    @cached_property
    def _listed(self) -> Listing:
        index = self._index
        return Listing(
            size=len(self.samples),
            line=index.line,
            search=self._search,
            filters=index.filters,
            sorts={"as stored": None} | index.sorts,
        )

    def _search(self, said: str) -> Mask:
        """Return the samples that hold the words, or whose video's path or identity does."""
        sources = self._index.sources
        low = said.casefold()
        near = np.array([low in f"{path} {name}".casefold() for name, path in self._index.paths], np.bool_)
        return self.samples.matching(said) | near[sources] if len(sources) else np.zeros(0, np.bool_)

    @cached_property
    def _left_out(self) -> Listing:
        lines = self._quarantine
        boundary, reason = Coder(), Coder()
        for row, line in enumerate(lines):
            boundary.add(row, str(line.get("boundary", "")))
            reason.add(row, reason_kind(str(line.get("reason", ""))))

        def shown(row: int) -> Line:
            told = {name: str(lines[row].get(name, "")) for name in ("path", "boundary", "reason")}
            return Line(key="", title=told["path"], note=told["reason"], tags=((told["boundary"], ""),))

        def search(said: str) -> Mask:
            low = said.casefold()
            return np.array([low in json.dumps(line, ensure_ascii=False).casefold() for line in lines], np.bool_)

        filters: dict[str, Filter] = {
            "reason": reason.column("Reason", len(lines)),
            "boundary": boundary.column("Failed at", len(lines)),
        }
        return Listing(size=len(lines), line=shown, search=search, filters=filters)

    @cached_property
    def _overview(self) -> Payload:
        manifest, some = self.samples.manifest, tuple(self.samples.spread(CHANCE_SAMPLES))
        sources = tuple(read_sources(self.folder))
        about = inspect(Dataset(self.folder, some, sources, manifest, tuple(self._quarantine)))
        header, *rows = table(about)
        counts, stored = dict(manifest.get("counts", {})), dict(manifest.get("audit", {}))
        whole = len(some) == len(self.samples)
        caption = "" if whole else f"Averaged over {len(some):,} samples, spread evenly over the dataset."
        tables = [Table(title="What guessing scores", columns=header, rows=tuple(rows), caption=caption)]
        tables += audit.tables(about)
        if about["quarantine"]:
            reasons = tuple((reason, f"{count:,}") for reason, count in about["quarantine"].items())
            tables.append(Table(title="Left out", columns=("Reason", "Files"), rows=reasons))
        return Payload(
            title=self.folder.name,
            headline=f"{len(self.samples):,} samples from {len(sources):,} videos",
            facts=(
                ("Video", duration(about["seconds"]["total"])),
                *((FACTS[name], f"{counts[name]:,}") for name in FACTS if name in counts),
            ),
            audits=audit.charts({"audit": stored.get("tasks", {}), "difficulty": about["difficulty"]}),
            audits_caption="Measured when the dataset was made. Strong bars lie surely above what a guesser solves.",
            tables=tuple(tables),
            provenance=(("dataset", str(self.folder.resolve())), ("digest, as written", self.samples.digest)),
        )


class _Index:
    """What the list of samples is drawn and filtered by."""

    def __init__(self, samples: Samples) -> None:
        task, split, source = Coder(), Coder(), Coder()
        facets: dict[str, Coder] = {}
        met: dict[str, list[int]] = {}
        solved: dict[str, list[int]] = {}
        self.ids: list[str] = []
        try:
            for row, told in enumerate(samples.rows.scan(["id", "task", "split", "facets", "provenance"])):
                provenance = json.loads(told["provenance"])
                self.ids.append(told["id"])
                task.add(row, told["task"])
                split.add(row, told["split"])
                source.add(row, str(provenance.get("source", "")))
                for name, value in json.loads(told["facets"]).items():
                    if name in FACETS:
                        met.setdefault(name, []).append(row)
                    elif name != "shortcut" and isinstance(value, str | int | float):
                        facets.setdefault(name, Coder()).add(row, value)
                for name, value in dict(provenance.get("audit", {})).get("values", {}).items():
                    marked = solved.setdefault(name, [])
                    if value >= SOLVED:
                        marked.append(row)
        except DAMAGE as error:
            raise damaged(samples.folder, error) from None
        count = len(self.ids)
        self.task, self.split = task.column("Task", count), split.column("Split", count)
        self.sources = np.array(source.codes, np.int64)
        self.paths = [(name, samples.sources[name].path if name in samples.sources else "") for name in source.places]
        self.shortcuts = Marks(
            "Solved by a shortcut", {words(name): _mask(rows, count) for name, rows in sorted(solved.items())}
        )
        self.met = Marks(
            "Runs into", {words(name): _mask(rows, count) for name, rows in sorted(met.items())}, "nothing"
        )
        self.difficulty = read_difficulty(samples.folder, self.ids)
        self.filters = self._filters(
            {n: replace(one.column(words(n), count), is_minor=True) for n, one in sorted(facets.items())}
        )
        self.sorts = self._sorts()

    def line(self, row: int) -> Line:
        """Return a sample as a row."""
        name, path = self.paths[int(self.sources[row])]
        task = self.task.at(row)
        tail = self.ids[row].removeprefix(f"{task}-").removeprefix(f"{self.split.at(row)}-")
        tags = [(words(mark).lower(), "bad") for mark, mask in self.shortcuts.masks.items() if mask[row]]
        shown = tags if len(tags) < 3 else [(f"{len(tags)} shortcuts", "bad")]
        return Line(
            key=self.ids[row],
            title=PurePosixPath(path).name or name,
            note=f"{task} \N{MIDDLE DOT} {self.split.at(row)} \N{MIDDLE DOT} {tail}",
            tags=tuple(shown),
            figure=self.difficulty.figure(row),
        )

    def _filters(self, facets: dict[str, Column]) -> dict[str, Filter]:
        """Return what tells samples apart; a filter whose every row answers the same is none."""
        found: dict[str, Filter] = {"task": self.task, "split": self.split}
        found |= {"shortcuts": self.shortcuts} if self.shortcuts.masks else {}
        found |= {"met": self.met} if self.met.masks else {}
        found |= self.difficulty.filters()
        found |= {f"facet.{name}": one for name, one in facets.items()}
        return {name: one for name, one in found.items() if isinstance(one, Marks) or _tells(one)}

    def _sorts(self) -> dict[str, Any]:
        sorts: dict[str, Any] = {}
        if self.shortcuts.masks:
            hits = np.sum(list(self.shortcuts.masks.values()), axis=0)
            sorts["most shortcuts first"] = np.argsort(-hits, kind="stable")
        return sorts | self.difficulty.sorts()


def _mask(rows: Iterable[int], count: int) -> Mask:
    mask = np.zeros(count, np.bool_)
    mask[list(rows)] = True
    return mask


def _tells(one: Filter) -> bool:
    return not isinstance(one, Column) or len(one.values) > 1 or bool((one.codes < 0).any())


def _quarantine(file: Path) -> Sequence[dict[str, str]]:
    """Return the lines of the quarantine; none where there is no such file."""
    if not file.is_file():
        return []
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise damaged(file, error) from None
    return [line for line in lines if isinstance(line, dict)]
