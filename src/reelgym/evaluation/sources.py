"""Where a benchmark's rows come from: files in the published layout, the hub, or code that makes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from reelgym.errors import RequestError
from reelgym.evaluation import controls
from reelgym.evaluation.puzzles import puzzle_columns
from reelgym.evaluation.spec import Benchmark
from reelgym.evaluation.tracks import track_columns
from reelgym.synthesis.labelled.record import BadRecord, text_of
from reelgym.synthesis.labelled.rows import rows as rows_of
from reelgym.world.files import load_facts

Row = Mapping[str, Any]

HUB = "hub"
"""The folder that stands for the Hugging Face hub."""

PADDING = "N/A"
"""What stands in columns of members that a row does not have."""

FIELD = re.compile(r"\{([^{}]+)\}")
"""A named column in a template."""

_FILE = ":file"


def all_rows(benchmark: Benchmark, folder: Path) -> Iterator[tuple[str, int, Row | str]]:
    """Yield (file, number, row) of a benchmark; where a row cannot be read, its reason.

    Raises:
        RequestError: No file of the published layout, one that cannot be read, or a hub out of reach.
    """
    source = benchmark.source
    if str(folder) == HUB:
        yield from _from_hub(benchmark)
        return
    if source.plugin:
        yield from PLUGINS[source.plugin](folder)
        return
    joined = {column: _Joined(folder, about) for column, about in source.joined.items()}
    paths = files_of(benchmark, folder)
    is_told_apart = len({path.name for path in paths}) == len(paths)
    for path in paths:
        name = path.name if is_told_apart else path.relative_to(folder).as_posix()
        about = {"@file": path.stem, "@dir": path.parent.name}
        about["@folder"] = source.folders.get(path.stem, path.stem)
        for at, row in _keyed(path) if source.keyed else rows_of(path):
            if isinstance(row, str):
                yield name, at, row
                continue
            for one in _exploded({**about, **_gathered(row, source.gathered)}, source.inside):
                yield name, at, one if isinstance(one, str) else _added(_with_joined(one, joined), source.adds)


def _from_hub(benchmark: Benchmark) -> Iterator[tuple[str, int, Row | str]]:
    """Yield the rows that the hub holds; `HF_HUB_OFFLINE` is honoured, and no code of theirs is run."""
    source = benchmark.source
    by_file = source.joined or source.plugin or source.keyed
    if by_file or re.search(r"\{@[fd]", repr([benchmark.columns, benchmark.views])):
        raise RequestError(f"{benchmark.name} is several files: download {source.hub}, and give its folder as --data")
    try:
        from datasets import load_dataset
    except ImportError:
        raise RequestError("--data hub needs datasets: pip install 'reelgym[train]'") from None
    try:
        held = load_dataset(source.hub, source.config or None, split=source.split)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"{source.hub} cannot be read from the hub ({reason}): give its folder as --data") from None
    for at, row in enumerate(held, 1):
        for one in _exploded(_gathered(row, source.gathered), source.inside):
            yield source.hub, at, one if isinstance(one, str) else _added(one, source.adds)


def files_of(benchmark: Benchmark, folder: Path) -> list[Path]:
    """Return the files of the first pattern that matches any.

    Raises:
        RequestError: None does, or there is no such folder.
    """
    if not folder.is_dir():
        raise RequestError(
            f"--data {folder}: no such folder; give the one that {benchmark.source.hub} was downloaded to"
        )
    for pattern in benchmark.source.files:
        if found := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return found
    raise RequestError(
        f"{folder} holds no file of {benchmark.name} ({' or '.join(benchmark.source.files)}): give the folder that "
        f"{benchmark.source.hub} was downloaded to"
    )


def _keyed(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(f"{path} cannot be read as JSON ({error}): mend it or give another file") from None
    if not isinstance(held, dict):
        raise RequestError(f"{path} holds no object from ids to rows: it is another file, or its layout has changed")
    for at, (key, row) in enumerate(held.items(), 1):
        yield at, {"@key": key, **row} if isinstance(row, dict) else f"{key} is no record"


def _added(row: dict[str, Any], name: str) -> dict[str, Any] | str:
    try:
        return row | ADDED[name](row) if name else row
    except BadRecord as error:
        return str(error)


def _gathered(row: Row, gathered: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the row with lists made of columns that hold one member each, where it has no such list itself."""
    lists = {
        name: [text for column in columns if (text := text_of(row, column)) not in ("", PADDING)]
        for name, columns in gathered.items()
        if name not in row
    }
    return {**row, **lists}


def _exploded(row: dict[str, Any], inside: str) -> Iterator[dict[str, Any] | str]:
    if not inside:
        yield row
        return
    held = row.get(inside)
    if isinstance(held, Mapping):
        held = [{"@key": key, **one} if isinstance(one, Mapping) else one for key, one in held.items()]
    if not isinstance(held, list) or not held:
        yield f"holds no questions in {inside!r}"
        return
    outer = {key: value for key, value in row.items() if key != inside}
    for one in held:
        yield {**outer, **one} if isinstance(one, Mapping) else f"a question in {inside!r} is no record"


class _Joined:
    """A column that stands in another file: `FILE:PATH`, PATH a chain of templates parted by dots."""

    def __init__(self, folder: Path, about: str) -> None:
        name, _, path = about.partition(":")
        self.path, self.file = path.split("."), folder / name
        if not self.file.is_file():
            raise RequestError(f"{self.file} is missing: it belongs to the published files, beside the rows")
        try:
            self.held = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RequestError(f"{self.file} cannot be read as JSON ({error})") from None

    def of(self, row: Row) -> Any:
        value = self.held
        for step in self.path:
            value = value.get(fill(step, row)) if isinstance(value, Mapping) else None
        return value


def _with_joined(row: dict[str, Any], joined: Mapping[str, _Joined]) -> dict[str, Any]:
    return row | {column: source.of(row) for column, source in joined.items()}


def column_of(name: str) -> str:
    """Return the column that a name in braces starts from."""
    return name.removesuffix(_FILE).partition(".")[0]


def fill(template: str, row: Row) -> str:
    """Return a template with the row's values in place of the names in braces.

    `{a.b}` is the field b of the column a where no column is called so; `{a:file}` is the last part of a path.

    Raises:
        BadRecord: A named column is empty.

    >>> fill("{dataset}/{scene}", {"dataset": "arkit", "scene": 7})
    'arkit/7'
    """

    def value(found: re.Match[str]) -> str:
        name = found[1].removesuffix(_FILE)
        outer, _, inner = name.partition(".")
        within = row.get(outer)
        inside, key = (within, inner) if inner and name not in row and isinstance(within, Mapping) else (row, name)
        held = inside.get(key)
        if isinstance(held, (list, tuple)):
            return ", ".join(map(str, held))
        text = text_of(inside, key)
        if not text:
            raise BadRecord(f"has no {name}")
        return PurePosixPath(text).name if found[1] != name else text

    return FIELD.sub(value, template)


def _world(folder: Path) -> Iterator[tuple[str, int, Row | str]]:
    """Yield the questions about every rendered video of a folder; one whose facts are not its own is a bad row."""
    for path in sorted(folder.glob("*.mp4")):
        try:
            facts = load_facts(path)
        except RequestError as error:
            yield path.name, 1, str(error)
            continue
        known = {"scene": facts.kind, "seed": facts.seed, "events": [asdict(event) for event in facts.events]}
        for at, asked in enumerate(facts.questions(), 1):
            about = {"question": asked.text, "options": list(asked.options), "answer": asked.answer, "asks": asked.kind}
            yield path.name, at, {"video": path.name, "id": f"{path.stem}-{at}", "facts": known, **about, **known}


def _controls(folder: Path, *, leaky: bool) -> Iterator[tuple[str, int, Row | str]]:
    """Yield the questions of known weakness about every rendered video of a folder."""
    for path in sorted(folder.glob("*.mp4")):
        try:
            facts = load_facts(path)
        except RequestError as error:
            yield path.name, 1, str(error)
            continue
        for at, row in enumerate(controls.rows(facts, leaky=leaky), 1):
            yield path.name, at, {"video": path.name, "id": f"{path.stem}-{at}", "scene": facts.kind, **row}


ADDED: dict[str, Callable[[Row], dict[str, Any]]] = {"puzzle": puzzle_columns, "track": track_columns}
"""Code that adds columns to a row, by name."""

PLUGINS: dict[str, Callable[[Path], Iterator[tuple[str, int, Row | str]]]] = {
    "world": _world,
    "world-order": partial(_controls, leaky=False),
    "world-leaky": partial(_controls, leaky=True),
}
"""Code that makes rows of something that is no table, by name."""
