"""From a benchmark's files to its questions, by its spec; every row becomes questions or one line of quarantine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reelgym.errors import RequestError
from reelgym.evaluation.sources import FIELD, Row, all_rows, column_of, fill
from reelgym.evaluation.spec import Benchmark, Columns, View
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.intervals import merged
from reelgym.scoring.number import parse_number
from reelgym.scoring.span import Span
from reelgym.scoring.words import parse_words
from reelgym.synthesis.labelled.build import bad_line
from reelgym.synthesis.labelled.record import SPECIAL, BadRecord, lettered, options_of, text_of, untagged

Line = dict[str, str]

IN_QUESTION = "in question"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a benchmark, before its video is looked at.

    Attributes:
        id: Unique in the benchmark, its name in front.
        videos: Where the video may be, below the folder of videos; the first that is there counts.
        then: Videos that are shown after it.
        ending: Whether the video's end is shown in any case.
        text: What is asked, with options and what is said about the answer.
        kind: A key of `tasks.benchmark.KINDS`.
        answer: A letter, a number as text, an order from 1, or None where `spans` are the answer.
        options: Without their letters.
        spans: The evidence, or the answer: intervals in seconds.
        bounds: The parts of the video that are shown, disjoint and in order; none for all.
        facts: What is known of the video; JSON.
        facets: What results are broken down by.
        file: Of the row.
        row: Its number in the file.
    """

    id: str
    videos: tuple[str, ...]
    text: str
    kind: str
    answer: Any
    options: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    bounds: tuple[Span, ...] = ()
    facts: Any = None
    facets: dict[str, str | int | float] = field(default_factory=dict)
    then: tuple[str, ...] = ()
    ending: bool = False
    file: str
    row: int


_LONGEST_SECONDS = 1e7
_LETTERED = ("choice", "grounded")

ASKS = {
    "choice": "Answer with the letter of one option.",
    "number": "Answer with one number.",
    "span": "Answer with its start and end in seconds, like 3.5 - 10.",
    "spans": "Answer with start and end in seconds of up to five parts, like 3.5 - 10; 20 - 25.",
    "order": "Answer with the numbers of all parts in the right order, like 2, 1, 3.",
    "short": "Answer with a number or a few words.",
    "open": "Answer in a few words.",
    "boxes": "Answer with the box of each whole second as JSON, in thousandths of the picture's width and height from "
    'its upper left corner (left, top, right, bottom), like {"3": [100, 200, 300, 400]}.',
    "operations": "Answer with the operations in order.",
    "grounded": "Answer with the letter of one option, then start and end in seconds of its proof, like B 3.5 - 10.",
}
"""What is said about the answer, by kind. Ours: papers word it otherwise, and scores move with it."""


def read_rows(benchmark: Benchmark, folder: Path) -> tuple[list[Question], list[Line], int]:
    """Return the questions of a benchmark's folder, the lines of rows that make none, and the number of rows.

    Raises:
        RequestError: No file of the published layout, no row, or a first row without the columns of the spec.
    """
    found: list[Question] = []
    bad: list[Line] = []
    seen: dict[str, str] = {}
    number, checked = 0, False
    for file, at, row in all_rows(benchmark, folder):
        number += 1
        if isinstance(row, Mapping) and not checked:
            _check_columns(benchmark, file, row)
            checked = True
        try:
            made = _questions(benchmark, row, file, at)
            if not made:
                raise BadRecord(f"is of none of the kinds that {benchmark.name} asks")
            given = made[0].id
            if given in seen:
                raise BadRecord(f"its id {given} is that of {seen[given]} already")
            seen[given] = f"{file} row {at}"
            found += made
        except BadRecord as error:
            bad.append(bad_line(file, at, str(error)))
    if not number:
        raise RequestError(
            f"{folder} holds no row of {benchmark.name}: give the folder of its {benchmark.source.split} split"
        )
    return found, bad, number


def _check_columns(benchmark: Benchmark, file: str, row: Row) -> None:
    """Refuse a file whose first row lacks a column: a changed layout is no matter of single rows."""
    columns = benchmark.columns
    views = benchmark.views
    asked = {view.question or columns.question for view in views} | {part for view in views for part in view.parts}
    videos = [] if all(view.parts for view in views) else columns.video
    templates = [*videos, columns.id, *columns.facets.values(), *asked]
    wanted = {column_of(name) for template in templates for name in FIELD.findall(template)}
    is_span = columns.form == "spans" and columns.spans
    wanted |= {columns.spans} if is_span else {view.answer or columns.answer for view in views}
    wanted |= {name for view in views for name in view.where}
    if columns.options != IN_QUESTION:
        wanted |= {columns.options} if isinstance(columns.options, str) else set(columns.options)
    missing = sorted(name for name in wanted if name and name not in row)
    if missing:
        there = ", ".join(str(name) for name in row if not str(name).startswith("@"))
        raise RequestError(
            f"{file}: {benchmark.name} needs the columns {', '.join(missing)}, the file has {there}: its layout has "
            f"changed, or it is another file"
        )


def _questions(benchmark: Benchmark, row: Row | str, file: str, at: int) -> list[Question]:
    """Return the question of every view of a row."""
    if isinstance(row, str):
        raise BadRecord(row)
    columns = benchmark.columns
    given = fill(columns.id, row) if columns.id else f"{Path(file).stem}-{at}"
    spans = spans_of(row.get(columns.spans)) if columns.spans else ()
    made = []
    for view in benchmark.views:
        if any(text_of(row, name) != value for name, value in view.where.items()):
            continue
        stem, options = _asked(columns, view, row)
        kind = _kind(view, options)
        answer, found = _answer(replace(columns, answer=view.answer or columns.answer), kind, row, options)
        shown = tuple(fill(template, row) for template in view.parts or columns.video)
        facets = _facets(columns, row) | {"kind": kind} | ({"view": view.name, "row": given} if view.name else {})
        if kind == "order":
            facets["places"] = len(answer)
        one = Question(
            id="-".join(filter(None, (benchmark.name, given, view.name))),
            videos=shown[:1] if view.parts else shown,
            then=shown[1:] if view.parts else (),
            ending=view.ending,
            text=asking(stem, options if kind in _LETTERED else (), ASKS[kind] if view.ask is None else view.ask),
            kind=kind,
            answer=answer,
            options=options if kind in _LETTERED else (),
            spans=found or spans,
            bounds=_bounds(view, columns, row, spans),
            facts=row.get(columns.facts) if columns.facts else None,
            facets=facets,
            file=file,
            row=at,
        )
        if held := SPECIAL.search(one.text):
            raise BadRecord(f"its text holds {held[0]}, which models read as a token of their own")
        if kind in ("span", "spans", "grounded") and not one.spans:
            raise BadRecord("has no interval")
        made.append(one)
    return made


def _facets(columns: Columns, row: Row) -> dict[str, str | int | float]:
    filled = {name: fill(template, row) for name, template in columns.facets.items()}
    return {name: columns.renamed.get(name, {}).get(value, value) for name, value in filled.items()}


def asking(stem: str, options: Sequence[str], ask: str) -> str:
    """Return question, lettered options and what is said about the answer."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([stem.strip(), *lines, *filter(None, [ask])])


def _asked(columns: Columns, view: View, row: Row) -> tuple[str, tuple[str, ...]]:
    """Return the question without options, and the options without letters."""
    stem = fill(view.question or columns.question, row)
    if columns.options == IN_QUESTION:
        return lettered(stem)
    if isinstance(columns.options, str):
        options = _listed(row.get(columns.options)) if columns.options else ()
        return _bare(stem, options), options
    return stem, tuple(text for column in columns.options if (text := text_of(row, column).strip()))


def _bare(stem: str, options: Sequence[str]) -> str:
    """Return the question without the options that it repeats at its end."""
    at = stem.find(f"A. {options[0]}") if options else -1
    return stem[:at] if at > 0 and all(option in stem[at:] for option in options) else stem


def _listed(held: Any) -> tuple[str, ...]:
    """Return options without letters; one that is missing between others would shift the letters after it."""
    texts = [held[key] for key in sorted(held, key=str)] if isinstance(held, Mapping) else held
    if isinstance(texts, list):
        while texts and str(texts[-1] if texts[-1] is not None else "").strip() == "":
            texts = texts[:-1]
        if any(text is None or not str(text).strip() for text in texts):
            raise BadRecord("has an empty option before others")
    if not isinstance(texts, (list, str)) and texts is not None:
        raise BadRecord(f"its options {str(texts)[:60]!r} are no list")
    return options_of(texts)


def _kind(view: View, options: Sequence[str]) -> str:
    first, _, other = view.kind.partition(" or ")
    return other if other and not options else first


def _answer(columns: Columns, kind: str, row: Row, options: Sequence[str]) -> tuple[Any, tuple[Span, ...]]:
    """Return the answer and, where it is one, the intervals."""
    if kind in ("choice", "grounded"):
        return _letter(columns, row, options), ()
    if kind == "span":
        return None, spans_of([row.get(columns.answer)])
    if kind in ("spans", "boxes", "operations"):
        return None, ()
    if kind == "order":
        return _places(row.get(columns.answer)), ()
    text = text_of(row, columns.answer).strip()
    if kind in ("short", "open"):
        if parse_words(text) is None:
            raise BadRecord("has no answer" if not text else "its answer has more than 2,000 words")
        return text, ()
    number = parse_number(text)
    if number is None or not math.isfinite(number):
        raise BadRecord(f"its answer {text[:60]!r} is no number")
    return text, ()


def _letter(columns: Columns, row: Row, options: Sequence[str]) -> str:
    text = untagged(text_of(row, columns.answer))
    if not 2 <= len(options) <= len(LETTERS):
        raise BadRecord(f"a choice needs 2 to {len(LETTERS)} options, it has {len(options)}")
    place: int | None = None
    if columns.form == "index":
        place = int(text) if text.isdecimal() else None
    elif columns.form == "text":
        same = [at for at, option in enumerate(options) if " ".join(option.split()) == " ".join(text.split())]
        place = same[0] if len(same) == 1 else parse_choice(text, options) if not same and len(text) > 1 else None
    else:
        place = (
            LETTERS.index(text.upper()) if len(text) == 1 and text.upper() in LETTERS else parse_choice(text, options)
        )
    if place is None or not 0 <= place < len(options):
        raise BadRecord(f"its answer {text[:60]!r} is none of its {len(options)} options")
    return LETTERS[place]


def _places(value: Any) -> list[int]:
    """Return the order from 1 of a list of places from 0."""
    held = _unpacked(value)
    whole = isinstance(held, list) and len(held) > 1 and all(isinstance(place, int) for place in held)
    if not whole or sorted(held) != list(range(len(held))):
        raise BadRecord(f"its answer {str(value)[:60]} is no order of the places from 0")
    return [place + 1 for place in held]


def _unpacked(value: Any) -> Any:
    """Return a list that is written as JSON text as a list; anything else as it is."""
    if not (isinstance(value, str) and value.lstrip().startswith("[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def spans_of(value: Any) -> tuple[Span, ...]:
    """Return intervals from [[start, end], ...], as numbers or as JSON text.

    Raises:
        BadRecord: It is none, or an interval that does not run forward from 0 on.
    """
    held = _unpacked(value)
    found = []
    for one in held if isinstance(held, list) else [held]:
        pair = one if isinstance(one, (list, tuple)) else ()
        if len(pair) != 2 or not all(isinstance(x, (int, float)) and abs(x) < _LONGEST_SECONDS for x in pair):
            raise BadRecord(f"its interval {str(one)[:60]} is no start and end in seconds")
        if not 0 <= pair[0] < pair[1]:
            raise BadRecord(f"its interval from {pair[0]:g} to {pair[1]:g} s needs 0 <= start < end")
        found.append((float(pair[0]), float(pair[1])))
    return tuple(found)


def _bounds(view: View, columns: Columns, row: Row, spans: Sequence[Span]) -> tuple[Span, ...]:
    if view.shows == "evidence":
        if not spans:
            raise BadRecord("has no evidence to show alone")
        return tuple(merged(spans))
    if columns.bounds is None:
        return ()
    start, stop = (text_of(row, column) for column in columns.bounds)
    if not start and not stop:
        return ()
    return spans_of([[parse_number(start), parse_number(stop)]])
