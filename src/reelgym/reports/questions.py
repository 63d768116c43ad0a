"""The browser of questions: one row per question, filtered by what became of it, each with all that was replied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reelgym.data.dataset import Source
from reelgym.data.messages import Text
from reelgym.data.sample import Sample
from reelgym.evaluation import results
from reelgym.evaluation.probed import probes_of
from reelgym.evaluation.results import Evaluation, Row
from reelgym.reports import naming, verdicts
from reelgym.reports.build import words
from reelgym.reports.folders import Shelf
from reelgym.reports.gallery import Gallery, order
from reelgym.reports.payload import Book, Choice, Reply
from reelgym.reports.puzzles import Pictures
from reelgym.reports.viewer.columns import Coder, Column
from reelgym.reports.viewer.exhibit import bare, exhibit
from reelgym.synthesis.audit import SOLVED

MOST_FILTERED = 6
"""Models, and probes of the first, that have a filter of their own."""

MOST_LISTED = 5000
"""Questions in one page at most: more make it slow to open. Ours."""

TITLE, SEARCHED = 110, 1500
"""Letters of a row's title, and of each reply that a search looks into."""

AGREE, DISAGREE = ("all right", "none right"), "they disagree"

Replies = Mapping[str, Mapping[str, Row]]
"""By evaluation, then by question."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Some evaluations by question, for a page that holds all of them and for a server that is asked for one.

    Attributes:
        stored: By name; probes and floors among them.
        shown: Names of those that the reader compares, the leading one first: they have filters and whole replies.
        names: What each evaluation is called.
        sample: From an id to the sample, where it is at hand.
        sources: Videos by identity.
    """

    stored: Mapping[str, Evaluation]
    shown: Sequence[str]
    names: Mapping[str, str]
    sample: Callable[[str], Sample | None]
    sources: Mapping[str, Source]

    @cached_property
    def replies(self) -> Replies:
        """Rows by evaluation and id."""
        return {name: results.by_id(one.rows) for name, one in self.stored.items()}

    @cached_property
    def ids(self) -> list[str]:
        """Every question, those of the leading evaluation first."""
        return list(dict.fromkeys(row.id for name in (*self.shown, *self.stored) for row in self.stored[name].rows))

    def row(self, one: str) -> dict[str, Any]:
        """Return what a list shows of a question."""
        there = [row for name in self.shown if (row := self.replies[name].get(one)) is not None]
        right = sum(row.value >= SOLVED for row in there)
        tag, drawn = "not asked", ""
        if len(self.shown) == 1 and there:
            tag = verdicts.verdict(there[0])
            drawn = verdicts.DRAWN[tag]
        elif there:
            tag = f"{right} of {len(there)} right"
            drawn = "good" if right == len(there) else "bad" if right == 0 else ""
        first = self.replies[self.shown[0]].get(one) if self.shown else None
        figure = f"{first.value:.2f}" if first is not None and len(self.shown) == 1 else ""
        sample = self.sample(one)
        title = _stem(sample) if sample is not None else ""
        note = one if title else ""
        return {"key": one, "title": title or one, "note": note, "tags": ((tag, drawn),), "figure": figure}

    def text(self, one: str) -> str:
        """Return what a search looks into, in small letters."""
        parts = [one]
        if (sample := self.sample(one)) is not None:
            parts += [part.text for message in sample.messages for part in message.parts if isinstance(part, Text)]
        parts += [self.replies[name][one].reply[:SEARCHED] for name in self.shown if one in self.replies[name]]
        return "\n".join(parts).casefold()

    def item(self, one: str, *, show: Pictures | None = None, bare_media: str = "") -> str:
        """Return a question as HTML: its prompt with frames, the right answer, what was replied, probes and floors.

        Args:
            one: Its id.
            show: From a part to its frames, where they are not fetched by address.
            bare_media: Why no frames are shown; empty where they are.
        """
        sample = self.sample(one)

        def told(name: str) -> Reply:
            floor = naming.is_floor(self.stored[name])
            label = self.names[name] + (" (floor)" if floor else "")
            return verdicts.reply(self.replies[name][one], sample, label=label, role="floor" if floor else "plain")

        whole = [told(name) for name in self.shown if one in self.replies[name]]
        rest = [name for name in self.stored if name not in self.shown and one in self.replies[name]]
        rest.sort(key=lambda name: (naming.is_floor(self.stored[name]), self.stored[name].probe is None))
        asides = [told(name) for name in rest]
        if sample is None:
            return bare(one, whole, note=bare_media, asides=asides)
        how: dict[str, Any] = {"sealed": False, "show": show, "bare_media": bare_media}
        return exhibit(sample, self.sources.get(sample.source), replies=whole, asides=asides, **how)

    def choices(self, ids: Sequence[str]) -> Iterator[Choice]:
        """Yield filters: verdicts by model, agreement, verdicts under each probe, what became of asking, facets."""
        stored, shown, replies = self.stored, self.shown, self.replies
        if len(shown) > 1:
            yield _choice("models", "Models", (*AGREE, DISAGREE), [_agreement(one, shown, replies) for one in ids])
        brief = [self.names[name].partition(", ")[0] for name in shown]
        brief = brief if len(set(brief)) == len(brief) else [self.names[name] for name in shown]
        for place, name in enumerate(shown[:MOST_FILTERED]):
            label = "Verdict" if len(shown) == 1 else f"{brief[place]} is"
            yield _choice(f"verdict{place}", label, verdicts.VERDICTS, [_verdict(one, replies[name]) for one in ids])
        for name in list(probes_of(shown[0], stored) if shown else ())[:MOST_FILTERED]:
            label = f"With {naming.spaced(stored[name].probe or '')}"
            yield _choice(f"probe.{name}", label, verdicts.VERDICTS, [_verdict(one, replies[name]) for one in ids])
        outcomes = ["; ".join(sorted({_outcome(one, replies[name]) for name in shown} - {""})) for one in ids]
        yield _choice("asking", "Asking", tuple(sorted(set(outcomes) - {""})), outcomes)
        yield from _facets(ids, [row for name in shown for row in stored[name].rows])

    def sorts(self, ids: Sequence[str]) -> dict[str, tuple[int, ...] | None]:
        """Return the orders: as asked, by score, and where several are shown by how far apart they are."""
        rows = [[self.replies[name].get(one) for name in self.shown] for one in ids]
        values = np.array([[np.nan if row is None else row.value for row in there] for there in rows], np.float64)
        values = values.reshape(len(ids), max(1, len(self.shown)))
        there = ~np.isnan(values)
        counts = np.maximum(there.sum(axis=1), 1)
        mean = np.where(there, values, 0.0).sum(axis=1) / counts
        sorts: dict[str, tuple[int, ...] | None] = {"as asked": None}
        sorts["lowest score first"] = tuple(np.argsort(mean, kind="stable").tolist())
        sorts["highest score first"] = tuple(np.argsort(-mean, kind="stable").tolist())
        if len(self.shown) > 1:
            apart = np.where(there, np.square(values - mean[:, None]), 0.0).sum(axis=1) / counts
            sorts["furthest apart first"] = tuple(np.argsort(-apart, kind="stable").tolist())
        return sorts


def book(questions: Questions, shelf: Shelf, *, where: str) -> Book:
    """Return every question with all replies to it.

    Args:
        questions: Of some evaluations.
        shelf: Their samples, as far as they are at hand.
        where: The folder that `reelgym view` shows, for the pictures that are not in the page.
    """
    asked, ids = len(questions.ids), questions.ids[:MOST_LISTED]
    disagree = [one for one in ids if _agreement(one, questions.shown, questions.replies) == DISAGREE]
    gallery = Gallery(shelf.media)
    gallery.fill(order([shelf.samples[one] for one in ids if one in shelf.samples], disagree))
    choices = list(questions.choices(ids))
    if 0 < len(gallery.shown) < len(ids):
        framed = ["in this page" if one in gallery.shown else "not" for one in ids]
        choices.append(_choice("frames", "Frames", ("in this page", "not"), framed))
    return Book(
        rows=tuple(questions.row(one) for one in ids),
        texts=tuple(questions.text(one) for one in ids),
        items=tuple(_item(questions, one, shelf, gallery) for one in ids),
        choices=tuple(choices),
        sorts=questions.sorts(ids),
        frames=gallery.frames,
        note=_listed(asked, len(ids)) + (_note(len(ids), gallery, where) if shelf.media else shelf.missing),
    )


def of_shelf(
    stored: Mapping[str, Evaluation], shown: Sequence[str], shelf: Shelf, names: Mapping[str, str]
) -> Questions:
    """Return evaluations by question with the samples of a shelf."""
    sources = {source.identity: source for source in shelf.sources}
    return Questions(stored=stored, shown=shown, names=names, sample=shelf.samples.get, sources=sources)


def _item(questions: Questions, one: str, shelf: Shelf, gallery: Gallery) -> str:
    """Return a question with its pictures, or why it has none."""
    if one not in shelf.samples:
        return questions.item(one)
    return questions.item(one, show=gallery.show, bare_media=_without(one, shelf, gallery))


def _listed(asked: int, count: int) -> str:
    return "" if asked == count else f"The first {count:,} of {asked:,} questions are in this page. "


def _note(count: int, gallery: Gallery, where: str) -> str:
    """Return how many questions have pictures."""
    shown = len(gallery.shown)
    if shown == count:
        return f"{count:,} questions, each with up to 8 small frames of a clip."
    rest = f"; `reelgym view {where}` shows those of all, and large" if where else ""
    lost = f" {len(gallery.missing):,} could not be read." if gallery.missing else ""
    return (
        f"{count:,} questions, {shown:,} of them with frames (up to 8 small ones of a clip; first those on which "
        f"models disagree, then whole videos by a fixed draw), which keeps the page small{rest}.{lost}"
    )


def _stem(sample: Sample) -> str:
    """Return the first words of a question."""
    text = " ".join(part.text for message in sample.messages for part in message.parts if isinstance(part, Text))
    line = next((line.strip() for line in text.splitlines() if len(line.strip()) > 2), "")
    return line if len(line) <= TITLE else line[: TITLE - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _without(one: str, shelf: Shelf, gallery: Gallery) -> str:
    """Return why a question has no pictures; nothing where it has."""
    if one in gallery.shown:
        return ""
    if shelf.media is None:
        return "The frames are not at hand."
    return gallery.missing.get(one, "The frames of this question are not in this page.")


def _facets(ids: Sequence[str], rows: Sequence[Row]) -> Iterator[Choice]:
    place = {one: at for at, one in enumerate(ids)}
    facets: dict[str, Coder] = {}
    told = {row.id: row.facets for row in rows if row.id in place}
    for one in sorted(told, key=place.__getitem__):
        for facet, value in told[one].items():
            facets.setdefault(facet, Coder()).add(place[one], value)
    for facet, coder in sorted(facets.items()):
        column: Column = coder.column(words(facet), len(ids))
        if 1 < len(column.values) <= len(ids) // 2 + 1:
            codes = tuple(column.codes.tolist())
            yield Choice(name=f"facet.{facet}", label=column.label, values=column.values, codes=codes, is_minor=True)


def _choice(name: str, label: str, values: Sequence[str], given: Sequence[str]) -> Choice:
    there = tuple(value for value in values if value in set(given))
    codes = tuple(there.index(value) if value in there else -1 for value in given)
    return Choice(name=name, label=label, values=there, codes=codes)


def _verdict(one: str, rows: Mapping[str, Row]) -> str:
    return verdicts.verdict(rows[one]) if one in rows else ""


def _outcome(one: str, rows: Mapping[str, Row]) -> str:
    return verdicts.OUTCOMES.get(rows[one].outcome, "") if one in rows else "not asked"


def _agreement(one: str, shown: Sequence[str], replies: Replies) -> str:
    """Return whether those who were asked a question are all right, all not, or disagree."""
    there = [row.value >= SOLVED for name in shown if (row := replies[name].get(one)) is not None]
    if not there:
        return ""
    return AGREE[0] if all(there) else DISAGREE if any(there) else AGREE[1]
