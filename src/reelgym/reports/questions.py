"""The browser of questions: one row per question, filtered by what became of it, each with all that was replied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from reelgym.reports.gallery import MOST_QUESTIONS, Gallery, order
from reelgym.reports.payload import Book, Choice, Reply
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
class _Held:
    """Everything that a book is made of."""

    stored: Mapping[str, Evaluation]
    shown: Sequence[str]
    names: Mapping[str, str]
    replies: Replies
    shelf: Shelf
    sources: Mapping[str, Source]
    gallery: Gallery


def book(
    stored: Mapping[str, Evaluation],
    shown: Sequence[str],
    shelf: Shelf,
    *,
    names: Mapping[str, str],
    where: str,
    most: int = MOST_QUESTIONS,
) -> Book:
    """Return every question of some evaluations with all replies to it.

    Args:
        stored: By name; probes and floors among them.
        shown: Names of those that the reader compares, the leading one first: they have filters and whole replies.
        shelf: The samples, as far as they are at hand.
        names: What each evaluation is called.
        where: The folder that `reelgym view` shows, for the pictures that are not in the page.
        most: Questions with pictures.
    """
    replies: Replies = {name: results.by_id(one.rows) for name, one in stored.items()}
    ids = list(dict.fromkeys(row.id for name in (*shown, *stored) for row in stored[name].rows))
    asked, ids = len(ids), ids[:MOST_LISTED]
    disagree = [one for one in ids if _agreement(one, shown, replies) == DISAGREE]
    held = _Held(
        stored=stored,
        shown=shown,
        names=names,
        replies=replies,
        shelf=shelf,
        sources={source.identity: source for source in shelf.sources},
        gallery=Gallery(shelf.media),
    )
    held.gallery.fill(order([shelf.samples[one] for one in ids if one in shelf.samples], disagree), most)
    return Book(
        rows=tuple(_row(held, one) for one in ids),
        texts=tuple(_text(held, one) for one in ids),
        items=tuple(_item(held, one) for one in ids),
        choices=tuple(_choices(held, ids)),
        sorts=_sorts(ids, shown, replies),
        frames=held.gallery.frames,
        note=_listed(asked, len(ids)) + (_note(len(ids), held.gallery, where) if shelf.media else shelf.missing),
    )


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


def _row(held: _Held, one: str) -> dict[str, object]:
    """Return what a list shows of a question."""
    shown, sample = held.shown, held.shelf.samples.get(one)
    there = [row for name in shown if (row := held.replies[name].get(one)) is not None]
    right = sum(row.value >= SOLVED for row in there)
    tag, drawn = "not asked", ""
    if len(shown) == 1 and there:
        tag = verdicts.verdict(there[0])
        drawn = verdicts.DRAWN[tag]
    elif there:
        tag = f"{right} of {len(there)} right"
        drawn = "good" if right == len(there) else "bad" if right == 0 else ""
    first = held.replies[shown[0]].get(one) if shown else None
    figure = f"{first.value:.2f}" if first is not None and len(shown) == 1 else ""
    title = _stem(sample) if sample is not None else ""
    note = one if title else ""
    return {"key": one, "title": title or one, "note": note, "tags": [[tag, drawn]], "figure": figure}


def _stem(sample: Sample) -> str:
    """Return the first words of a question."""
    text = " ".join(part.text for message in sample.messages for part in message.parts if isinstance(part, Text))
    line = next((line.strip() for line in text.splitlines() if len(line.strip()) > 2), "")
    return line if len(line) <= TITLE else line[: TITLE - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _text(held: _Held, one: str) -> str:
    """Return what a search looks into, in small letters."""
    parts = [one]
    if (sample := held.shelf.samples.get(one)) is not None:
        parts += [part.text for message in sample.messages for part in message.parts if isinstance(part, Text)]
    parts += [held.replies[name][one].reply[:SEARCHED] for name in held.shown if one in held.replies[name]]
    return "\n".join(parts).casefold()


def _item(held: _Held, one: str) -> str:
    """Return a question as HTML: its prompt with frames, the right answer, what was replied, probes and floors."""
    sample = held.shelf.samples.get(one)

    def told(name: str) -> Reply:
        floor = naming.is_floor(held.stored[name])
        label = held.names[name] + (" (floor)" if floor else "")
        return verdicts.reply(held.replies[name][one], sample, label=label, role="floor" if floor else "plain")

    whole = [told(name) for name in held.shown if one in held.replies[name]]
    rest = [name for name in held.stored if name not in held.shown and one in held.replies[name]]
    rest.sort(key=lambda name: (naming.is_floor(held.stored[name]), held.stored[name].probe is None))
    asides = [told(name) for name in rest]
    if sample is None:
        return bare(one, whole, asides=asides)
    return exhibit(
        sample,
        held.sources.get(sample.source),
        replies=whole,
        asides=asides,
        sealed=False,
        show=held.gallery.show,
        bare_media=_without(held, one),
    )


def _without(held: _Held, one: str) -> str:
    """Return why a question has no pictures; nothing where it has."""
    if one in held.gallery.shown:
        return ""
    if held.shelf.media is None:
        return "The frames are not at hand."
    return held.gallery.missing.get(one, "The frames of this question are not in this page.")


def _choices(held: _Held, ids: Sequence[str]) -> Iterator[Choice]:
    """Yield the filters: verdicts by model, agreement, verdicts under each probe, what became of asking, facets."""
    stored, shown, replies, gallery = held.stored, held.shown, held.replies, held.gallery
    if len(shown) > 1:
        yield _choice("models", "Models", (*AGREE, DISAGREE), [_agreement(one, shown, replies) for one in ids])
    brief = [held.names[name].partition(", ")[0] for name in shown]
    brief = brief if len(set(brief)) == len(brief) else [held.names[name] for name in shown]
    for place, name in enumerate(shown[:MOST_FILTERED]):
        label = "Verdict" if len(shown) == 1 else f"{brief[place]} is"
        yield _choice(f"verdict{place}", label, verdicts.VERDICTS, [_verdict(one, replies[name]) for one in ids])
    for name in list(probes_of(shown[0], stored) if shown else ())[:MOST_FILTERED]:
        label = f"With {naming.spaced(stored[name].probe or '')}"
        yield _choice(f"probe.{name}", label, verdicts.VERDICTS, [_verdict(one, replies[name]) for one in ids])
    outcomes = ["; ".join(sorted({_outcome(one, replies[name]) for name in shown} - {""})) for one in ids]
    yield _choice("asking", "Asking", tuple(sorted(set(outcomes) - {""})), outcomes)
    if 0 < len(gallery.shown) < len(ids):
        framed = ["in this page" if one in gallery.shown else "not" for one in ids]
        yield _choice("frames", "Frames", ("in this page", "not"), framed)
    yield from _facets(ids, [row for name in shown for row in stored[name].rows])


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


def _sorts(ids: Sequence[str], shown: Sequence[str], replies: Replies) -> dict[str, tuple[int, ...] | None]:
    """Return the orders: as asked, by score, and where several are shown by how far apart they are."""
    values = np.array(
        [[row.value if (row := replies[name].get(one)) else np.nan for name in shown] for one in ids], dtype=np.float64
    ).reshape(len(ids), max(1, len(shown)))
    there = ~np.isnan(values)
    counts = np.maximum(there.sum(axis=1), 1)
    mean = np.where(there, values, 0.0).sum(axis=1) / counts
    sorts: dict[str, tuple[int, ...] | None] = {"as asked": None}
    sorts["lowest score first"] = tuple(np.argsort(mean, kind="stable").tolist())
    sorts["highest score first"] = tuple(np.argsort(-mean, kind="stable").tolist())
    if len(shown) > 1:
        apart = np.where(there, np.square(values - mean[:, None]), 0.0).sum(axis=1) / counts
        sorts["furthest apart first"] = tuple(np.argsort(-apart, kind="stable").tolist())
    return sorts
