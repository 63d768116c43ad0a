"""Looking at the videos of records in worker processes; what was found is noted, so that it is looked for once."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reelgym.data.dataset import canonical
from reelgym.data.files import replacing
from reelgym.errors import WorkError
from reelgym.synthesis.pool import Pool, cores

MEMORY_BYTES = 4 * 1024**3
"""Address space of one worker, libraries and mapped files included. Ours."""


def look_at(
    jobs: Mapping[str, Mapping[str, Any]],
    work: Path,
    *,
    workers: int | None = None,
    seconds_per_file: float = 300.0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the result of `worker.look` for every job, those done before from their notes.

    Args:
        jobs: By any name: the arguments of `worker.look`, `path` among them.
        work: Folder of the notes; one of a job is of no use once its file has changed.
        workers: Processes; None is one per available core.
        seconds_per_file: A video that takes longer is quarantined.
        progress: Called with (jobs done, jobs in all).

    Raises:
        WorkError: The machine failed, not a video.
    """
    notes = {name: work / f"{hashlib.sha256(_stamp(job).encode()).hexdigest()}.json" for name, job in jobs.items()}
    results = {name: found for name in jobs if (found := noted(notes[name])) is not None}
    left = [name for name in jobs if name not in results]
    tell = progress or (lambda done, total: None)
    tell(len(results), len(jobs))
    with _pool(workers, seconds_per_file) as pool:
        for at, result in pool.run([dict(jobs[name]) for name in left]):
            name, path = left[at], jobs[left[at]]["path"]
            if "failed" in result:
                raise WorkError(result["failed"])
            if "died" in result:  # Perhaps the machine's fault: a resumed run tries again.
                results[name] = {"quarantine": {"path": path, "boundary": "decode", "reason": result["died"]}}
            else:
                results[name] = result
                with replacing(notes[name]) as temporary:
                    temporary.write_text(json.dumps(result), encoding="utf-8")
            tell(len(results), len(jobs))
    return results


def noted(note: Path) -> dict[str, Any] | None:
    """Return what a file of notes holds; None where it is not there or half written."""
    try:
        return dict(json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _pool(workers: int | None, seconds: float) -> Pool:
    command = [sys.executable, "-m", "reelgym.synthesis.labelled.worker", str(MEMORY_BYTES)]
    return Pool(workers or cores(), seconds=seconds, command=command)


def _stamp(job: Mapping[str, Any]) -> str:
    about = os.stat(job["path"])
    return canonical([dict(job), about.st_size, about.st_mtime_ns])
