"""Any table with named columns, and a map that says what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reelgym.errors import RequestError, unknown
from reelgym.scoring.choice import LETTERS
from reelgym.scoring.number import parse_number
from reelgym.synthesis.labelled.record import BadRecord, Draft, Reader, Row, options_of, text_of, untagged
from reelgym.tasks.labelled import KINDS

FIELDS = {
    "video": "the video file, relative to --videos; its extension may be missing",
    "question": "what is asked; for a span, what happens in it",
    "answer": "a letter or the text of an option, a number, or text",
    "answer_index": "the place of the right option, from 0",
    "option": "one option; several columns may be, in the order of the map",
    "options": "all options: a list, JSON, lines, or split at |",
    "start": "the start in seconds of the span that is asked for; beside an answer, of its evidence",
    "end": "its end in seconds",
    "kind": f"the kind of answer: {', '.join(KINDS)}; guessed where it is not mapped",
    "observation": "what is seen, for SFT",
    "think": "how one reasons, for SFT",
    "id": "the record's own id",
    "facet": "what results are broken down by",
    "origin": "the data set it is from",
}
"""What a column can mean."""


class Table(Reader):
    """Any CSV, TSV, JSON, JSON lines or Parquet file, its columns named by --map COLUMN=FIELD,..."""

    name: ClassVar[str] = "table"

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        """Take {column: field}."""
        self.columns = dict(columns or {})

    def fits(self, row: Row) -> bool:
        """A table is never guessed."""
        return False

    def drafts(self, row: Row) -> Sequence[Draft]:
        """See `Reader.drafts`."""
        known: dict[str, Any] = {field: row.get(column) for column, field in self.columns.items() if field != "option"}
        single = [text_of(row, column) for column, field in self.columns.items() if field == "option"]
        options = options_of(known.get("options")) or options_of([option for option in single if option])
        timed = bool("start" in known and "end" in known and text_of(known, "start") and text_of(known, "end"))
        stated = text_of(known, "answer") or text_of(known, "answer_index")
        answered = bool(stated) and text_of(known, "kind").lower() != "span"
        spanned = timed and not answered
        answer = _answer(known, options) if not spanned else (_seconds(known, "start"), _seconds(known, "end"))
        kind = text_of(known, "kind").lower() or ("span" if spanned else _guess(str(answer), options))
        if kind not in KINDS:
            raise BadRecord(f"kind {kind!r} is none of {', '.join(KINDS)}")
        if (kind == "span") != spanned:
            raise BadRecord("a span needs start and end, and only a span has them")
        return [
            Draft(
                video=text_of(known, "video"),
                question=text_of(known, "question"),
                kind=kind,
                answer=answer,
                options=options if kind == "choice" else (),
                observation=untagged(text_of(known, "observation")),
                think=untagged(text_of(known, "think")),
                given_id=text_of(known, "id"),
                origin=text_of(known, "origin"),
                facet=text_of(known, "facet"),
                evidence=(_seconds(known, "start"), _seconds(known, "end")) if timed and answered else None,
            )
        ]


def table_of(mapping: str, first: Row) -> Table:
    """Return the reader for a map such as `clip=video,q=question,a=answer`, checked against the first row.

    Raises:
        RequestError: A column that is not there, a field that does not exist or is named twice, or one that is missing.
    """
    columns: dict[str, str] = {}
    for pair in filter(None, (piece.strip() for piece in mapping.split(","))):
        column, equals, field = (part.strip() for part in pair.rpartition("="))
        if not equals or not column:
            raise RequestError(f"--map {pair!r}: give COLUMN=FIELD, with a FIELD of {', '.join(FIELDS)}")
        if field not in FIELDS:
            raise unknown("field", field, FIELDS)
        if column not in first:
            raise unknown("column", column, map(str, first))
        if column in columns or (field != "option" and field in columns.values()):
            raise RequestError(f"--map {mapping!r}: {column}={field} is named twice; name each column and field once")
        columns[column] = field
    given = set(columns.values())
    wanted = "an answer: answer, answer_index, or start and end"
    answered = bool({"answer", "answer_index"} & given) or {"start", "end"} <= given
    missing = [name for name in ("video", "question") if name not in given] + ([] if answered else [wanted])
    if missing:
        raise RequestError(
            f"--map names no column for {', '.join(missing)}; the columns are {', '.join(map(str, first))}"
        )
    return Table(columns)


def _answer(known: Row, options: Sequence[str]) -> str:
    place = text_of(known, "answer_index")
    if not place:
        return text_of(known, "answer")
    number = parse_number(place)
    if number is None or number != int(number) or not 0 <= number < len(options):
        raise BadRecord(f"answer_index {place!r} is no place among its {len(options)} options, counted from 0")
    return LETTERS[int(number)]


def _guess(answer: str, options: Sequence[str]) -> str:
    if options:
        return "choice"
    return "text" if parse_number(answer) is None else "number"


def _seconds(known: Row, field: str) -> float:
    number = parse_number(text_of(known, field))
    if number is None:
        raise BadRecord(f"its {field} {text_of(known, field)[:40]!r} is no number of seconds")
    return number
