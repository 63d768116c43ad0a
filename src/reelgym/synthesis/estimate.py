"""What a run would take, from a timed sample of its files; nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelgym.synthesis.listing import Entry, list_inputs
from reelgym.synthesis.local import choose
from reelgym.synthesis.pool import MEMORY_BYTES, Pool, cores
from reelgym.synthesis.run import cut_job, raise_fault
from reelgym.synthesis.settings import resolve
from reelgym.synthesis.shards import parse_shard

_RESAMPLES = 200


def estimate(
    inputs: Sequence[str | Path],
    *,
    workers: int | None = None,
    seconds_per_file: float = 300.0,
    memory_bytes: int = MEMORY_BYTES,
    timed_files: int = 8,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Return what `synthesize` with the same arguments would take, as JSON values.

    The first files in the order of the hash are read and cut by one worker. Hours and time follow from their ratio to
    the files' bytes, samples and disk from their mean per file. Every figure is [low, likely, high]: 90 percent of
    resamplings of the timed files, narrower where they are much of the whole. That n workers are n times as fast is
    assumed; a disk or network that cannot feed them is not seen.

    Args:
        inputs: Files and folders.
        workers: Processes of the run; None is one per available core.
        seconds_per_file: As for `synthesize`, and `memory_bytes` likewise.
        memory_bytes: See `seconds_per_file`.
        timed_files: How many files are timed at most.
        progress: Called with (files timed, files to time).
        settings: The others of `synthesize`: task, config, fps, per_video, seed, split_share, split, sample, max_hours,
            limit, shard.

    Returns:
        files, bytes, timed {files, seconds, video_seconds, quarantined}, workers, and hours, samples, disk_bytes and
        seconds as [low, likely, high].

    Raises:
        RequestError: As `synthesize`.
    """
    resolved = resolve(**settings)
    listing = list_inputs(inputs, resolved["seed"])
    resolved["identity"] = listing.scheme()
    chosen = choose(listing, resolved)
    timed = sorted(chosen, key=lambda entry: (entry.draw, entry.path))[:timed_files]
    with Pool(1, seconds=seconds_per_file, memory_bytes=memory_bytes) as pool:
        # Starting a process is no part of the work on a file.
        list(pool.run([{"do": "identify", "path": "", "scheme": "full"}]))
        rows = []
        for done, entry in enumerate(timed, 1):
            rows.append(_timed(pool, entry, resolved))
            (progress or (lambda *_: None))(done, len(timed))
    count = workers or cores()
    table = np.array([[row[name] for name in _MEASURED] for row in rows], np.float64)
    whole = _scaled(table, files=len(chosen), total=sum(max(entry.stamp[0], 0) for entry in chosen), settings=resolved)
    whole["seconds"] = [value / count for value in whole["seconds"]]
    return {
        "files": len(chosen),
        "bytes": sum(max(entry.stamp[0], 0) for entry in chosen),
        "workers": count,
        "timed": {"files": len(rows), "quarantined": sum(row["quarantined"] for row in rows)}
        | {name: float(table[:, _MEASURED.index(name)].sum()) for name in ("seconds", "video_seconds", "samples")},
        **whole,
    }


_MEASURED = ("size", "seconds", "video_seconds", "samples", "disk_bytes")


def _timed(pool: Pool, entry: Entry, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one file took and gave."""
    begun = time.monotonic()
    ((_, found),) = pool.run([{"do": "identify", "path": entry.path, "scheme": settings["identity"]}])
    result: dict[str, Any] = {}
    if "identity" in found:
        ((_, result),) = pool.run([cut_job(settings, entry, found["identity"])])
        raise_fault(result)
    samples = result.get("samples", [])
    return {
        "size": max(entry.stamp[0], 0),
        "seconds": time.monotonic() - begun,
        "video_seconds": result.get("video", {}).get("duration_seconds", 0.0),
        "samples": len(samples),
        "disk_bytes": _disk_bytes(samples),
        "quarantined": not samples,
    }


def _disk_bytes(rows: Sequence[Mapping[str, str]]) -> int:
    """Return what rows take in a Parquet file, compressed as in a dataset; many together take less."""
    if not rows:
        return 0
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer, compression="zstd")
    return int(buffer.getvalue().size)


def _scaled(
    table: NDArray[np.float64], *, files: int, total: int, settings: Mapping[str, Any]
) -> dict[str, list[float]]:
    """Return [low, likely, high] of the whole from (n, 5) figures of the timed files, in the units of `_MEASURED`."""
    draws = np.random.default_rng(0).integers(0, len(table), (_RESAMPLES, len(table)))
    found = np.array([_whole(table[draw], files, total, settings) for draw in draws])
    likely = np.array(_whole(table, files, total, settings))
    # What is not timed is what is not known.
    share = (1 - len(table) / files) ** 0.5
    low, high = (likely + (np.quantile(found, q, axis=0) - likely) * share for q in (0.05, 0.95))
    names = ("hours", "seconds", "samples", "disk_bytes")
    return {name: [float(low[n]), float(likely[n]), float(high[n])] for n, name in enumerate(names)}


def _whole(table: NDArray[np.float64], files: int, total: int, settings: Mapping[str, Any]) -> list[float]:
    """Return hours, seconds of one worker, samples and bytes of the dataset for all files, within the budgets."""
    size, seconds, video_seconds, samples, disk_bytes = table.sum(0)
    by_bytes, by_file = total / max(size, 1), files / len(table)
    whole = [video_seconds / 3600 * by_bytes, seconds * by_bytes, samples * by_file, disk_bytes * by_file]
    shares = [1.0]
    if settings["max_hours"] is not None and whole[0] > 0:
        shares.append(settings["max_hours"] / whole[0])
    if settings["limit"] is not None and whole[2] > 0:
        shares.append(settings["limit"] / whole[2])
    part = min(shares) / parse_shard(settings["shard"] or "1/1")[1]
    return [value * part for value in whole]
