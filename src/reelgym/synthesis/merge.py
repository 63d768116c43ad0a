"""Shards joined into the bytes of the one run that they stand for; streamed, so that size does not matter."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Source, canonical, read_manifest, read_rows, read_sources, write_rows
from reelgym.data.settings import changes
from reelgym.errors import RequestError
from reelgym.synthesis.finish import Finish, source_of
from reelgym.synthesis.journal import Journal, claimed, clean
from reelgym.synthesis.local import Manifest, finished, made
from reelgym.synthesis.shards import parse_shard
from reelgym.synthesis.write import INPUTS, write_inputs

_BY_PATH = itemgetter("path")


def merge(
    shards: Sequence[str | Path], out: str | Path, progress: Callable[[int, int], None] | None = None
) -> Manifest:
    """Join the datasets of `synth --shard 1/N` to `N/N` into the dataset of one run without `--shard`, byte for byte.

    Args:
        shards: The N folders in any order.
        out: The dataset folder.
        progress: Called with (samples written, samples in all).

    Returns:
        What was made; `fresh` is False where it was joined before.

    Raises:
        RequestError: A folder is no shard or is damaged, one is missing or given twice, or their settings differ.
    """
    folder = Path(out)
    parts = _checked([Path(shard) for shard in shards])
    settings = dict(parts[0].manifest["settings"]) | {"shard": None}
    if (done := finished(folder, settings)) is not None:
        return done
    with claimed(folder) as work:
        if (done := finished(folder, settings, work)) is not None:
            return done
        clean(folder)
        quarantine = [line for part in parts for line in part.lines("quarantine.jsonl")]
        sources = sorted((source for part in parts for source in part.sources), key=lambda source: source.identity)
        ended = Finish(
            sources,
            lambda: heapq.merge(*(part.rows() for part in parts), key=source_of),
            settings,
        )
        # Each list is in order of paths, so that equal ones keep the order of one run.
        inputs = heapq.merge(*(part.lines(INPUTS) for part in parts), key=_BY_PATH)
        write_inputs(folder, map(ended.counted, inputs))
        rows = _told(ended.rows(), _total(parts, "samples"), progress)
        joined = _joined(parts, settings) | {"audit": ended.audit}
        whole = write_rows(folder, rows, ended.sources, sorted(quarantine, key=_BY_PATH), joined)
        Journal(work).remove()
    return made(folder, whole, fresh=True)


class _Part:
    """One shard as it is read."""

    def __init__(self, path: Path) -> None:
        self.path, self.manifest = path, read_manifest(path)
        if self.manifest.get("shard") is None:
            raise RequestError(f"{path} is a whole dataset and no shard: give folders made by `reelgym synth --shard`")
        self.number, self.count = parse_shard(self.manifest["shard"])
        self.sources: list[Source] = read_sources(path)

    @property
    def settings(self) -> dict[str, Any]:
        """What all shards of a run share."""
        return {name: value for name, value in self.manifest["settings"].items() if name != "shard"}

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the rows of samples; at the end, compare the content with its digest."""
        whole = hashlib.sha256()
        for row in read_rows(self.path, self.manifest):
            whole.update(canonical(row).encode() + b"\n")
            yield row
        for source in self.sources:
            whole.update(source.digested() + b"\n")
        if f"sha256:{whole.hexdigest()}" != self.manifest["digest"]:
            raise RequestError(f"{self.path} is a damaged dataset (its digest differs): make that shard again")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of one of its JSON files."""
        try:
            text = (self.path / name).read_text(encoding="utf-8")
            return [json.loads(line) for line in text.splitlines()]
        except (OSError, ValueError) as error:
            raise RequestError(f"{self.path / name} is damaged ({error}): make that shard again") from error


def _checked(paths: Sequence[Path]) -> list[_Part]:
    """Return the shards by number, all there, once, and of one run."""
    parts = sorted((_Part(path) for path in paths), key=lambda part: part.number)
    if not parts:
        raise RequestError("no shards given: give the folders of `reelgym synth --shard 1/N` to `N/N`")
    first, names = parts[0], dict[int, Path]()
    for part in parts:
        changed = changes(first.settings | {"shards": first.count}, part.settings | {"shards": part.count})
        if changed:
            raise RequestError(f"{part.path} is of another run than {first.path} ({'; '.join(changed)})")
        if part.number in names:
            both = f"{names[part.number]} and {part.path}"
            raise RequestError(f"shard {part.number}/{part.count} is given twice, {both}: give it once")
        names[part.number] = part.path
    missing = [f"{number}/{first.count}" for number in range(1, first.count + 1) if number not in names]
    if missing:
        raise RequestError(f"shards {', '.join(missing)} are missing: give all {first.count}")
    return parts


def _joined(parts: Sequence[_Part], settings: Mapping[str, Any]) -> dict[str, Any]:
    first = parts[0].manifest
    counts = {name: _total(parts, name) for name in ("duplicates", "not_sampled", "files")}
    kept = {name: first[name] for name in ("tasks", "seed", "media_root")}
    return kept | {"settings": dict(settings), "counts": counts}


def _total(parts: Sequence[_Part], count: str) -> int:
    return sum(int(part.manifest["counts"][count]) for part in parts)


def _told(
    rows: Iterator[dict[str, str]], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[dict[str, str]]:
    for done, row in enumerate(rows, 1):
        yield row
        if progress is not None:
            progress(done, total)
