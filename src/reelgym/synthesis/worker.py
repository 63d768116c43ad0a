"""What happens to one file: identified, probed, decoded, cut into samples. Also a process that does so over pipes.

Jobs and results are JSON values, so an engine needs neither pickle nor an importable `__main__`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from reelgym import tasks
from reelgym.data.dataset import sample_to_row
from reelgym.data.sample import Sample, Split
from reelgym.errors import MediaError, RequestError, WorkError
from reelgym.synthesis.audit import Decoded, marked
from reelgym.synthesis.structure import recall, remember, survey, survey_specs, told
from reelgym.tasks.base import Task
from reelgym.video import Frames, FrameSpec, Store, Video, auto_fps, identify, probe
from reelgym.video.decode import read_many
from reelgym.video.places import stamp as stamp_of
from reelgym.video.probing import scheme_of_identity, vouch
from reelgym.video.structure import Structure

Job = dict[str, Any]


def perform(job: Job) -> dict[str, Any]:
    """Return the result of one job; a file that cannot be used is a result too, under `quarantine`.

    Jobs: {do: identify, path, scheme} gives {identity}; {do: probe, path, scheme} gives {identity, seconds}; {do: cut,
    path, identity, stamp, tasks: {name: {config, fps, count}}, split, seed, store: null or [folder, most bytes]} gives
    {video, samples: [row, ...], warnings: [...], way, structure, fingerprint} with rows of `sample_to_row` and the way
    of decoding (`Frames.way`).
    `again` marks what another attempt may mend, such as a lack of memory.
    """
    path = job["path"]
    try:
        if job["do"] == "identify":
            return {"identity": identify(path, job.get("scheme", "full"))}
        if job["do"] == "probe":
            video = probe(path, scheme=job.get("scheme", "full"))
            return {"identity": video.identity, "seconds": video.duration_seconds}
        return _cut_unchanged(job)
    except MediaError as error:
        return {"quarantine": {"path": error.path, "boundary": error.boundary, "reason": error.reason}}
    except MemoryError:
        return _again(path, "needs more memory than a worker may take; raise the limit or cut it into shorter ones")


def cut(video: Video, job: Job) -> dict[str, Any]:
    """Return the sample rows of one video and what is damaged in it; fills the store on the way if one is named.

    All tasks share one decoding pass. A task that finds nothing in this video leaves a warning where others do.

    Raises:
        MediaError: The video cannot be decoded, or no task found anything in it.
    """
    named = {name: one for name, one in job["tasks"].items() if one["count"]}
    made = {name: tasks.configure(name, one["config"]) for name, one in named.items()}
    rates = {name: _rate(one["fps"], video, made[name]) for name, one in named.items()}
    wanted = {name: made[name].spec(rates[name]) for name in named}
    store = None if job["store"] is None else Store(*job["store"], encoding="raw")
    extra = [] if store is None else [made[name].shown(video, rates[name]) for name in named]
    surveyed = survey_specs(video.duration_seconds, max(rates.values()))
    known = None if store is None else recall(store, video.identity, surveyed)
    looked = [*wanted.values(), *(surveyed if known is None else ())]
    frames = _decoded(video, list(dict.fromkeys(looked)), store, extra)
    found = known or survey(video, *(frames[spec] for spec in surveyed))
    if store is not None and known is None:
        remember(store, video.identity, surveyed, found)
    samples: list[Sample] = []
    failures: list[MediaError] = []
    for name, task in made.items():
        try:
            fresh = _generated(task, video, frames[wanted[name]], job, named[name]["count"])
            samples += _told(task, video, fresh, frames[wanted[name]], job, found)
        except MediaError as error:
            failures.append(error)
    if failures and not samples:
        raise failures[0]
    warnings = [warning for spec in wanted.values() for warning in frames[spec].warnings]
    warnings += [f"no sample ({error.boundary}): {error.reason}" for error in failures]
    return {
        "video": asdict(video),
        **found,
        "samples": [sample_to_row(sample) for sample in samples],
        "warnings": list(dict.fromkeys(warnings)),
        "way": "+".join(sorted({frames[spec].way for spec in wanted.values()})),
    }


def serve(jobs: IO[str], results: IO[str]) -> None:
    """Answer every line of `jobs` with one line of `results`, until the pipe closes.

    What is wrong with the request ({refused}) or the machine ({failed}) is no fault of the file. `spent` says what the
    job cost: bytes read, where the system counts them, and the largest resident memory of this process so far.
    """
    for line in jobs:
        before = _bytes_read()
        try:
            result = perform(json.loads(line))
        except RequestError as error:
            result = {"refused": str(error)}
        except WorkError as error:
            result = {"failed": str(error)}
        result["spent"] = {"bytes_read": _bytes_read() - before, "peak_bytes": _peak_bytes()}
        results.write(json.dumps(result) + "\n")
        results.flush()


def _cut_unchanged(job: Job) -> dict[str, Any]:
    """Return the result of `cut` if the file is the one that was identified, before and after."""
    if _has_changed(job):
        return _again(job["path"], "changed: its content is not the one identified before; repeat the command")
    try:
        vouch(job["path"], job["identity"], tuple(job["stamp"]))
        result = cut(probe(job["path"], identity=job["identity"]), job)
    except MediaError:
        if not _has_changed(job):
            raise
        result = {}
    if not result or _has_changed(job):
        return _again(job["path"], "changed while it was read; repeat the command when it is complete")
    return result


def _has_changed(job: Job) -> bool:
    """Say whether a file has other content than identified; it is read again only if size or time of change differ."""
    if stamp_of(job["path"]) == tuple(job["stamp"]):
        return False
    try:
        return bool(identify(job["path"], scheme_of_identity(job["identity"])) != job["identity"])
    except MediaError:
        return True


def _again(path: str, reason: str) -> dict[str, Any]:
    return {"quarantine": {"path": path, "boundary": "decode", "reason": reason}, "again": True}


def _rate(fps: float | str, video: Video, task: Task) -> float:
    return auto_fps(video.duration_seconds, task.wanted_frames()) if fps == "auto" else float(fps)


def _decoded(
    video: Video, specs: list[FrameSpec], store: Store | None, extra: list[FrameSpec]
) -> dict[FrameSpec, Frames]:
    """Return the frames of the specs; `extra` ones, which nobody looks at here, are put into the store if absent."""
    if store is None:
        return dict(zip(specs, read_many(video, specs), strict=True))
    whole = list(dict.fromkeys([*specs, *(spec for spec in extra if not store.holds(video.identity, spec))]))
    return dict(zip(whole, store.frames_many(video.identity, video.path, whole), strict=True))


def _generated(task: Task, video: Video, frames: Frames, job: Mapping[str, Any], count: int) -> list[Sample]:
    split: Split = job["split"]
    return list(task.generate(video, frames, seed=job["seed"], split=split, count=count))


def _told(
    task: Task, video: Video, samples: list[Sample], frames: Frames, job: Mapping[str, Any], found: Mapping[str, Any]
) -> list[Sample]:
    """Return the samples with what they run into and what shortcuts score on them, without those to avoid.

    Raises:
        MediaError: None is left.
    """
    avoid = task.avoids if job.get("avoid") is None else job["avoid"]
    kept = list(told(samples, Structure.from_json(found["structure"]), avoid))
    if samples and not kept:
        reason = f"every sample of it runs into what is avoided: {', '.join(sorted(avoid))}"
        raise MediaError(video.path, "task", reason)
    return [marked(sample, Decoded(frames)) for sample in kept] if job.get("audit") else kept


def _bytes_read() -> int:
    """Return how many bytes this process has read from files so far, cached ones too; 0 where that is not counted."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().partition(":")[2])
    return 0


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _limit_memory(limit_bytes: int) -> None:
    """Make an allocation beyond the limit fail here, instead of ending some other process of the machine."""
    with contextlib.suppress(OSError, ValueError):  # Not every system has it.
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


def _end_with_parent(parent: int) -> None:
    """End this process when its parent was killed: a file that hangs must not run on with nobody waiting."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _memory_bytes, _parent = map(int, sys.argv[1:])
    if _memory_bytes:
        _limit_memory(_memory_bytes)
    _end_with_parent(_parent)
    # What a library prints must not reach the pipe of results.
    _results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, _results)
