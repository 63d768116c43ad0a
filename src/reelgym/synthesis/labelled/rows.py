"""Files of records to rows: CSV, TSV, JSON, JSON lines, Parquet and lines of text, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.errors import RequestError

LINE = "line"
"""The one column of a text file."""

_LONGEST_FIELD = 16 * 1024**2
FORMS = ("csv", "tsv", "json", "jsonl", "ndjson", "parquet", "txt")
"""Extensions that are read; all but parquet also with `.gz` after them."""

Numbered = tuple[int, "dict[str, Any] | str"]


def rows(path: Path) -> Iterator[Numbered]:
    """Yield (number, row) of a file, from 1 on; where a row cannot be read, (number, reason).

    A number is the line of JSON lines and of text, else the place among the records. Empty lines are no rows.

    Raises:
        RequestError: There is no such file, its extension is unknown, or it cannot be read as what that says.
    """
    if not path.is_file():
        raise RequestError(f"{path}: no such file; give a file of records ({', '.join(FORMS)})")
    suffixes = [suffix.lower().lstrip(".") for suffix in path.suffixes]
    form = suffixes[-1] if suffixes else ""
    if form == "gz":
        form = suffixes[-2] if len(suffixes) > 1 else ""
    if form not in FORMS:
        raise RequestError(f"{path}: files that end in .{form} are not read; give one of {', '.join(FORMS)}")
    try:
        yield from _parquet(path) if form == "parquet" else _text(path, form)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pa.ArrowException, ValueError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"{path} cannot be read as {form} ({reason}): mend it or give another file") from error


def _text(path: Path, form: str) -> Iterator[Numbered]:
    with _opened(path) as file:
        if form in ("csv", "tsv"):
            yield from _table(file, "," if form == "csv" else "\t")
        elif form == "json":
            yield from _list(json.load(file), path)
        else:
            yield from _lines(file, form)


def _opened(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _table(file: IO[str], delimiter: str) -> Iterator[Numbered]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header = next(reader, [])
    if len(set(header)) != len(header):
        raise ValueError("two columns have the same name")
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number + 1, f"cannot be read ({error}), nor can what follows"
            return
        if not cells:
            continue
        number += 1
        if len(cells) != len(header):
            yield number, f"has {len(cells)} columns, the header {len(header)}"
        else:
            yield number, dict(zip(header, cells, strict=True))


def _list(value: Any, path: Path) -> Iterator[Numbered]:
    if not isinstance(value, list):
        raise RequestError(f"{path} holds no list of records: give a JSON list, or JSON lines as .jsonl")
    yield from ((number, _row(item)) for number, item in enumerate(value, 1))


def _lines(file: IO[str], form: str) -> Iterator[Numbered]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        if form == "txt":
            yield number, {LINE: line.strip()}
            continue
        try:
            yield number, _row(json.loads(line))
        except (ValueError, RecursionError) as error:
            yield number, f"is no JSON ({error})"


def _row(value: Any) -> dict[str, Any] | str:
    return value if isinstance(value, dict) else f"is a {type(value).__name__}, not a record with named fields"


def _parquet(path: Path) -> Iterator[Numbered]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                number += 1
                yield number, row
