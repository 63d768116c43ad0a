"""An evaluation to look through: every question with all replies to it, as its page shows them, with large frames."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reelgym.data.media import Media
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.decision import decide
from reelgym.evaluation.results import Evaluation
from reelgym.reports import naming
from reelgym.reports.evaluation import about_results, compared, leading, told_of
from reelgym.reports.findings import class_of
from reelgym.reports.payload import Payload
from reelgym.reports.questions import Questions
from reelgym.reports.viewer.browser import Browser, Line, Listing, Tab, described, no_tab
from reelgym.reports.viewer.columns import Column, Mask
from reelgym.reports.viewer.pictures import Decoder
from reelgym.reports.viewer.rows import DAMAGE, damaged
from reelgym.reports.viewer.samples import find_samples
from reelgym.video import Store

LIST = "questions"
"""The tab of the list."""


@dataclass(frozen=True)
class _Loaded:
    """What is on disk at one moment."""

    stamp: str
    questions: Questions
    listing: Listing


class EvaluationBrowser(Browser):
    """An evaluation's folder; its replies are in memory, its samples are read when they are looked at."""

    kind = "evaluation"

    def __init__(
        self, folder: Path, store: Store, videos: str | Path | None = None, data: str | Path | None = None
    ) -> None:
        """Read the replies, and find the dataset.

        Args:
            folder: The evaluation.
            store: Where decoded frames are kept.
            videos: Where the videos lie now, if they were moved.
            data: The dataset, if it has moved.
        """
        self.folder = folder
        self._lock = threading.Lock()
        self._held: _Loaded | None = None
        self._result: tuple[str, Payload] | None = None
        stored = _read(folder)
        settings = next((one.settings for one in stored.values()), {})
        place, digest = data or settings.get("dataset_path"), str(settings.get("dataset", ""))
        self._samples, self._missing = find_samples(place, digest)
        self._media: Media | None = self._samples.media(store, videos) if self._samples is not None else None
        self._decoder = Decoder()

    def about(self) -> dict[str, Any]:
        """Return title and tabs."""
        tabs = (
            Tab(name="result", label="Result", form="page"),
            Tab(name=LIST, label="Questions", form="list", count=len(self._loaded().questions.ids), noun=LIST),
        )
        return described(self.folder.resolve().name, tabs, {})

    def stamp(self) -> str:
        """Return size and time of `results.json`."""
        try:
            told = (self.folder / "results.json").stat()
        except OSError as error:
            raise damaged(self.folder, error) from None
        return f"{told.st_size} {told.st_mtime_ns}"

    def listing(self, tab: str) -> Listing:
        """Return the questions."""
        if tab != LIST:
            raise no_tab(tab, self.kind)
        return self._loaded().listing

    def item(self, tab: str, key: str) -> str:
        """Return a question as HTML with all replies to it."""
        questions = self._loaded().questions
        if tab != LIST or not any(key in rows for rows in questions.replies.values()):
            raise RequestError(f"{self.folder} has no question {key[:80]!r}")
        return questions.item(key, bare_media=self._missing)

    def page(self, tab: str) -> Payload:
        """Return the measures of all evaluations."""
        if tab != "result":
            raise no_tab(tab, self.kind)
        held = self._loaded()
        if self._result is None or self._result[0] != held.stamp:
            shown = about_results(self.folder, held.questions.stored)
            self._result = (held.stamp, replace(shown, limits=(self._missing,) if self._missing else ()))
        return self._result[1]

    def picture(self, key: str, part: int, place: int, *, large: bool = False) -> bytes:
        """Return a frame of a sample."""
        sample = self._samples.named(key) if self._samples is not None else None
        if sample is None or self._media is None:
            raise RequestError(f"sample {key[:80]!r} is not at hand")
        return self._decoder.picture(sample, self._media, part, place, large=large)

    def _loaded(self) -> _Loaded:
        with self._lock:
            now = self.stamp()
            if self._held is None or self._held.stamp != now:
                questions = self._questions(_read(self.folder))
                self._held = _Loaded(now, questions, self._listing(questions))
            return self._held

    def _questions(self, stored: Mapping[str, Evaluation]) -> Questions:
        found = decide(stored)
        return Questions(
            stored=stored,
            shown=compared(stored, leading(stored, found), found),
            names=naming.titles(stored),
            sample=(lambda name: None) if self._samples is None else self._samples.named,
            sources={} if self._samples is None else self._samples.sources,
        )

    def _listing(self, questions: Questions) -> Listing:
        """Return the list with the filters and orders of the page."""
        ids = questions.ids
        needs = class_of(told_of(self.folder), ids)
        choices = [*questions.choices(ids), *([needs] if needs else [])]
        return Listing(
            size=len(ids),
            line=lambda row: Line(**questions.row(ids[row])),
            search=lambda said: self._matching(questions, said),
            filters={
                one.name: Column(one.label, one.values, np.array(one.codes, np.int32), is_minor=one.is_minor)
                for one in choices
                if len(one.values) > 1
            },
            sorts={
                label: None if order is None else np.array(order, np.int64)
                for label, order in questions.sorts(ids).items()
            },
        )

    def _matching(self, questions: Questions, said: str) -> Mask:
        """Return the questions that hold the words, or a reply to which does."""
        words = said.casefold()
        rows = [questions.replies[name] for name in questions.shown]
        found = np.array(
            [
                words in one.casefold() or any(words in r[one].reply.casefold() for r in rows if one in r)
                for one in questions.ids
            ],
            np.bool_,
        )
        if self._samples is not None:
            asked, places = self._samples.matching(said), self._samples.rows_by_id
            found |= np.array([one in places and bool(asked[places[one]]) for one in questions.ids], np.bool_)
        return found


def _read(folder: Path) -> dict[str, Evaluation]:
    try:
        stored = results.read(folder)
    except DAMAGE as error:
        raise damaged(folder, error) from None
    if not stored:
        raise RequestError(f"{folder}: no evaluation in results.json: run `reelgym eval` again")
    return stored
