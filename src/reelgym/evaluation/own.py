"""One's own questions as an evaluation: a table of questions and a folder of videos, made into a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reelgym.data.dataset import Dataset, read_dataset
from reelgym.errors import RequestError
from reelgym.synthesis.labelled import import_records
from reelgym.synthesis.labelled.rows import rows

COLUMNS = ("video", "question", "options", "answer", "start", "end", "facet", "kind", "id")
"""Columns that are read; others are passed over."""

SHOWN = 5
"""Rows that could not be used and are told one by one. Ours."""


def build(file: Path, videos: Path, out: Path, *, frames: int = 0, progress: Any = None) -> Dataset:
    """Return the questions of a table as a dataset in `out`, all on the test side; a finished one made alike is read.

    Args:
        file: CSV, TSV, JSON, JSON lines or Parquet with the columns `video` and `question`, and `answer` or `start` and
            `end` (the stretch that is asked for; beside an answer, where its evidence lies). `options` are a list,
            JSON, lines, or split at |; `facet` is what results are broken down by.
        videos: Folder that the names of videos start from.
        out: The dataset folder.
        frames: Of a clip at most; 0 for 16.
        progress: Called with (videos looked at, videos in all).

    Raises:
        RequestError: A column is missing, or the folder holds questions of another file.
        WorkError: No row gave a question; the first is named with its reason.
    """
    first = next((row for _, row in rows(file) if not isinstance(row, str)), None)
    if first is None:
        raise RequestError(f"{file} holds no question: give a table with the columns video and question")
    known = [name for name in COLUMNS if name in first]
    missing = [name for name in ("video", "question") if name not in known]
    if "answer" not in known and not {"start", "end"} <= set(known):
        missing.append("answer (or start and end)")
    if missing:
        raise RequestError(
            f"{file} has no column {', '.join(missing)}; it has {', '.join(map(str, first))}, and {', '.join(COLUMNS)} "
            "are read"
        )
    columns = ",".join(f"{name}={name}" for name in known)
    import_records(file, out, videos=videos, columns=columns, frames=frames or 16, split="test", progress=progress)
    return read_dataset(out)


def partial(dataset: Dataset) -> str:
    """Return what is missing where rows were left out, the first of them with its reason; else nothing."""
    bad = list(dataset.quarantine)
    if not bad:
        return ""
    whole = int(dataset.manifest["counts"]["rows"])
    return f"{len(bad)} of {whole} rows left out ({bad[0]['path']}: {bad[0]['reason']})"


def complaints(dataset: Dataset) -> list[str]:
    """Return a line for each of the first rows that were left out, and one for the rest."""
    bad = list(dataset.quarantine)
    lines = [f"left out: {line['path']}: {line['reason']}" for line in bad[:SHOWN]]
    return lines + ([f"and {len(bad) - SHOWN} more: {dataset.path / 'quarantine.jsonl'}"] if len(bad) > SHOWN else [])
