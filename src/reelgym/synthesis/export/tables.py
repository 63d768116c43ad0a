"""Files of rows as peers read them: Parquet, JSON lines and JSON lists, streamed and never seen half."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.data.files import replacing

_GROUP = 1000


def write_parquet(path: Path, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> int:
    """Write rows as Parquet and return how many they were."""
    count = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
        while group := list(islice(rows, _GROUP)):
            file.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
        if not count:
            file.write_table(schema.empty_table())
    return count


def write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as JSON lines and return how many they were."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_list(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as one JSON list, a row per line, and return how many they were."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("[")
        for row in rows:
            file.write((",\n" if count else "\n") + json.dumps(row, ensure_ascii=False))
            count += 1
        file.write("\n]\n")
    return count
