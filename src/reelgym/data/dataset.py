"""Dataset folders: samples, their sources and what was left out, with a digest of the content.

Layout: `dataset.json` (format version, tasks with settings, seed, counts, digest), `sources.parquet`,
`samples-*.parquet`, `quarantine.jsonl`. Every file is written under a temporary name and renamed, `dataset.json` last:
a folder without it is no dataset yet.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.data import messages
from reelgym.data.files import make_folder, replacing
from reelgym.data.media import Media
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.video import Store
from reelgym.video.places import joined

FORMAT_VERSION = 1
"""Raised when a reader of the former version would misread a folder."""

_ROWS = 20_000
_GROUP = 1_000
_JSON_COLUMNS = ("messages", "answer", "evidence", "facets", "provenance")
_SAMPLE_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "task", "split", *_JSON_COLUMNS)])


@dataclass(frozen=True, kw_only=True)
class Source:
    """A video that a dataset was made from.

    `path` is relative to the dataset's media root, with forward slashes. Times in seconds, sizes in pixels as shown.
    `warnings` say what is damaged in the file. `structure` (JSON of a `video.structure.Structure`) and `fingerprint`
    say what was found in it; both are empty where nobody looked, and no part of the digest. `way` is how it was decoded
    (`Frames.way`), no part of the digest either.
    """

    identity: str
    path: str
    split: str
    size_bytes: int
    duration_seconds: float
    height: int
    width: int
    frame_rate: float
    codec: str
    warnings: tuple[str, ...] = ()
    structure: str = ""
    fingerprint: str = ""
    way: str = "plan"

    def digested(self) -> bytes:
        """Return what goes into the content digest: everything but the path and what was found."""
        left_out = ("path", "structure", "fingerprint", "way")
        return canonical({k: v for k, v in asdict(self).items() if k not in left_out}).encode()


_SOURCE_SCHEMA = pa.schema(
    [
        ("identity", pa.string()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("size_bytes", pa.int64()),
        ("duration_seconds", pa.float64()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("frame_rate", pa.float64()),
        ("codec", pa.string()),
        ("warnings", pa.list_(pa.string())),
        ("structure", pa.string()),
        ("fingerprint", pa.string()),
        ("way", pa.string()),
    ]
)


@dataclass(frozen=True)
class Dataset:
    """A dataset as read: everything but the pixels."""

    path: Path
    samples: tuple[Sample, ...]
    sources: tuple[Source, ...]
    manifest: dict[str, Any]
    quarantine: tuple[dict[str, str], ...]

    @property
    def digest(self) -> str:
        """Content digest: equal for equal content, wherever the videos lie."""
        return str(self.manifest["digest"])

    def split(self, name: str) -> tuple[Sample, ...]:
        """Return the samples of one split, `train` or `test`."""
        return tuple(sample for sample in self.samples if sample.split == name)

    def media(self, store: Store, media_root: str | Path | None = None) -> Media:
        """Return what turns the samples' images and clips into pixels.

        Args:
            store: Where decoded frames are kept.
            media_root: The folder or prefix the sources lie in; None is where they lay when the dataset was made.
        """
        root = str(media_root if media_root is not None else self.manifest.get("media_root", "."))
        paths = {source.identity: joined(root, source.path) for source in self.sources}
        return Media(store, paths, {source.identity: source.size_bytes for source in self.sources})


def write_dataset(
    path: str | Path,
    samples: Sequence[Sample],
    sources: Sequence[Source],
    quarantine: Sequence[Mapping[str, str]] = (),
    manifest: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a dataset folder and return its manifest.

    Args:
        path: The folder; made where it is not there. Other files in it stay.
        samples: In the order they are read again.
        sources: Every video named by a sample.
        quarantine: {path, boundary, reason} of what was left out.
        manifest: More keys for `dataset.json`: tasks, seed, media_root and whatever else was decided.

    Raises:
        RequestError: The folder holds a dataset already.
    """
    rows = (sample_to_row(sample) for sample in samples)
    return write_rows(path, rows, sources, quarantine, manifest)


def write_rows(
    path: str | Path,
    rows: Iterable[Mapping[str, str]],
    sources: Sequence[Source],
    quarantine: Sequence[Mapping[str, str]] = (),
    manifest: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a dataset folder from rows of `sample_to_row`, taken once and never held all at a time.

    Arguments, result and errors are those of `write_dataset`, whose bytes it gives. What raises while rows are taken
    leaves no dataset behind.
    """
    folder = Path(path)
    if (folder / "dataset.json").exists():
        raise RequestError(f"{folder} holds a dataset already: choose another folder, or remove it first")
    make_folder(folder)
    whole, splits = hashlib.sha256(), Counter[str]()
    files = _write_samples(folder, _counted(rows, whole, splits))
    _digest_sources(whole, sources)
    _write_table(folder / "sources.parquet", [asdict(source) for source in sources], _SOURCE_SCHEMA)
    with replacing(folder / "quarantine.jsonl") as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(line), sort_keys=True) + "\n" for line in quarantine)
    counts = {"samples": splits.total(), "train": splits["train"], "test": splits["test"]}
    counts |= {"sources": len(sources), "quarantined": len(quarantine)}
    described = dict(manifest or {}) | {
        "format": "reelgym-dataset",
        "format_version": FORMAT_VERSION,
        "counts": dict((manifest or {}).get("counts", {})) | counts,
        "digest": f"sha256:{whole.hexdigest()}",
        "files": files,
    }
    with replacing(folder / "dataset.json") as temporary:
        temporary.write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return described


def read_dataset(path: str | Path) -> Dataset:
    """Return the dataset in a folder, checked for its version and for damage.

    Raises:
        RequestError: The folder is no dataset, has another format version, or is damaged; one line says which file.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    try:
        files = manifest["files"].items()
        rows = [row for name, count in files for row in _read_table(folder / Path(name).name, count)]
        samples = tuple(sample_from_row(row) for row in rows)
        sources = tuple(read_sources(folder))
        lines = (folder / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()
        quarantine = tuple(json.loads(line) for line in lines)
        whole = digest(rows, sources)
    except _DAMAGE as error:
        raise _damaged(folder, error) from error
    if whole != manifest.get("digest"):
        raise RequestError(
            f"{folder} is a damaged dataset (digest {whole}, dataset.json says {manifest.get('digest')}): make it again"
        )
    return Dataset(folder, samples, sources, manifest, quarantine)


def read_rows(path: str | Path, manifest: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the rows of samples of a dataset folder in order, never all held at a time; the digest is not checked.

    Raises:
        RequestError: A file is missing or damaged.
    """
    folder = Path(path)
    try:
        for name, count in manifest["files"].items():
            with pq.ParquetFile(folder / Path(name).name) as file:
                if file.metadata.num_rows != count:
                    raise ValueError(f"{name} has {file.metadata.num_rows} rows, not {count}")
                for batch in file.iter_batches(batch_size=_GROUP):
                    yield from batch.to_pylist()
    except _DAMAGE as error:
        raise _damaged(folder, error) from error


def read_sources(path: str | Path) -> list[Source]:
    """Return the sources of a dataset folder, in order.

    Raises:
        RequestError: The file is missing or damaged.
    """
    try:
        rows = _read_table(Path(path) / "sources.parquet")
        return [Source(**row | {"warnings": tuple(row["warnings"])}) for row in rows]
    except _DAMAGE as error:
        raise _damaged(Path(path), error) from error


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Return `dataset.json` of a folder.

    Raises:
        RequestError: It is not a dataset folder of this format version.
    """
    folder = Path(path)
    try:
        manifest = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{folder} is not a dataset: {_kind(folder)}") from error
    except ValueError as error:
        raise RequestError(f"{folder}/dataset.json is damaged ({error}): make the dataset again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != "reelgym-dataset":
        raise RequestError(f"{folder}/dataset.json was not written by reelgym: give a folder made by `reelgym synth`")
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        remedy = "update reelgym" if newer else "make the dataset again"
        raise RequestError(f"{folder} has dataset format {version}, this reelgym reads {FORMAT_VERSION}: {remedy}")
    return manifest


def sample_to_row(sample: Sample) -> dict[str, str]:
    """Return a sample as the strings of its table row, JSON canonical; `sample_from_row` undoes it."""
    values = {name: getattr(sample, name) for name in _JSON_COLUMNS} | {"messages": messages.to_json(sample.messages)}
    return {"id": sample.id, "task": sample.task, "split": sample.split} | {n: canonical(v) for n, v in values.items()}


def sample_from_row(row: Mapping[str, Any]) -> Sample:
    """Return the sample written by `sample_to_row`."""
    values = {name: json.loads(row[name]) for name in _JSON_COLUMNS}
    values["messages"] = messages.from_json(values["messages"])
    return Sample(id=row["id"], task=row["task"], split=row["split"], **values)


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(rows: Iterable[Mapping[str, Any]], sources: Iterable[Source]) -> str:
    """Return `sha256:` of the canonical rows of samples and sources, paths left out."""
    whole = hashlib.sha256()
    for row in rows:
        whole.update(canonical(row).encode() + b"\n")
    _digest_sources(whole, sources)
    return f"sha256:{whole.hexdigest()}"


def _digest_sources(whole: hashlib._Hash, sources: Iterable[Source]) -> None:
    for source in sources:
        whole.update(source.digested() + b"\n")


def _counted(
    rows: Iterable[Mapping[str, str]], whole: hashlib._Hash, splits: Counter[str]
) -> Iterator[Mapping[str, str]]:
    """Pass rows on, hashed and counted by split."""
    for row in rows:
        whole.update(canonical(row).encode() + b"\n")
        splits[row["split"]] += 1
        yield row


def _write_samples(folder: Path, rows: Iterator[Mapping[str, str]]) -> dict[str, int]:
    """Write the files of samples and return how many rows each has; at least one file, perhaps of none."""
    files: dict[str, int] = {}
    group = list(islice(rows, _GROUP))
    while group or not files:
        name = f"samples-{len(files):05d}.parquet"
        with (
            replacing(folder / name) as temporary,
            pq.ParquetWriter(temporary, _SAMPLE_SCHEMA, compression="zstd") as file,
        ):
            files[name] = 0
            while True:
                file.write_table(pa.Table.from_pylist([dict(row) for row in group], schema=_SAMPLE_SCHEMA))
                files[name] += len(group)
                group = list(islice(rows, _GROUP))
                if not group or files[name] >= _ROWS:
                    break
    return files


_DAMAGE = (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError)


def _damaged(folder: Path, error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RequestError(f"{folder} is a damaged dataset ({reason}): make it again with `reelgym synth`")


def _kind(folder: Path) -> str:
    """Return what a folder that is no dataset seems to be, and what to do."""
    if not folder.exists():
        return "there is no such folder; make one with `reelgym synth VIDEOS --out FOLDER`"
    if (folder / "metrics.jsonl").exists():
        return "it is a training run; `reelgym report` reads those"
    if (folder / "results.json").exists():
        return "it is an evaluation; `reelgym report` reads those"
    return "it has no dataset.json; make one with `reelgym synth VIDEOS --out FOLDER`"


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _read_table(path: Path, count: int | None = None) -> list[dict[str, Any]]:
    table = pq.read_table(path, memory_map=False)
    if count is not None and table.num_rows != count:
        raise ValueError(f"{path.name} has {table.num_rows} rows, not {count}")
    return list(table.to_pylist())


assert [field.name for field in fields(Source)] == _SOURCE_SCHEMA.names
