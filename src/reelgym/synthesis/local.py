"""The local engine: inputs to a dataset folder, in worker processes, resumable; their number does not change a byte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from reelgym import tasks
from reelgym.data.dataset import Source, read_manifest, sample_from_row, write_dataset
from reelgym.data.files import make_folder, replacing
from reelgym.data.sample import Sample, Split
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis.pool import Pool
from reelgym.video import Video, find_videos

WORK = ".synth"
"""Hidden folder inside an unfinished dataset: the settings, and the result of every source done so far."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `synthesize` made.

    Attributes:
        path: The dataset folder.
        counts: samples, train, test, sources, quarantined, duplicates, files.
        digest: Of the content.
        fresh: False where the finished dataset lay there already.
        manifest: All of `dataset.json`.
    """

    path: Path
    counts: dict[str, int]
    digest: str
    fresh: bool
    manifest: dict[str, Any]


def synthesize(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    task: str = "mvp",
    config: Any = None,
    fps: float | Literal["auto"] | None = None,
    per_video: int = 4,
    seed: int = 0,
    workers: int | None = None,
    split_share: float = 0.2,
    split: Split | None = None,
    seconds_per_file: float = 300.0,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Make a dataset from video files and folders; repeat the call to resume it.

    Samples are ordered by the identity of their source, so the bytes depend on the files' content and the settings
    and neither on the number of workers nor on the order of inputs. Files of equal content count once.

    Args:
        inputs: Files and folders.
        out: The dataset folder.
        task: Name of the task.
        config: The task's `Config`, or a mapping of its settings; None means the defaults.
        fps: Frames per second, `auto` to choose by each video's length, None for the task's own setting.
        per_video: Samples per video at most.
        seed: Of everything drawn.
        workers: Processes; None is one per available core.
        split_share: Share of the sources held out as `test`, chosen by the hash of their content.
        split: Puts all sources on one side instead.
        seconds_per_file: A file that takes longer is quarantined.
        store: Folder of a frame store to fill in the same decoding pass with the frames that the prompts name.
        progress: Called with (steps done, steps in all); every file takes two, a look and a cut.

    Returns:
        What was made; `fresh` is False where it was finished before.

    Raises:
        RequestError: Wrong settings, no video in the inputs, or the folder was begun with other settings (listed).
        WorkError: No file gave a sample.
    """
    folder = Path(out)
    paths = find_videos([str(item) for item in inputs])
    settings = _settings(task, config, fps, per_video=per_video, seed=seed, split_share=split_share, split=split)
    root = _root(paths)
    settings["inputs"] = _fingerprint(paths, root)
    if (folder / "dataset.json").exists():
        return _finished(folder, settings)
    work = _begin(folder, settings)
    with Pool(workers or _cores(), seconds=seconds_per_file) as pool:
        tell = progress or (lambda done, total: None)
        videos, quarantine, duplicates = _probe(pool, paths, tell)
        splits = {video.identity: _side(video.identity, split_share, split) for video in videos}
        shared = _job(settings) | {"store": None if store is None else str(store)}
        jobs = [{"do": "cut", "video": asdict(video), "split": splits[video.identity]} | shared for video in videos]
        results = _cut(pool, jobs, work, lambda done: tell(2 * len(paths) - len(jobs) + done, 2 * len(paths)))
    samples: list[Sample] = []
    sources: list[Source] = []
    for video, result in zip(videos, results, strict=True):
        if "quarantine" in result:
            quarantine.append(result["quarantine"] | {"path": video.path})
            continue
        samples += [sample_from_row(row) for row in result["samples"]]
        sources.append(_source(video, root, splits[video.identity], result["warnings"]))
    quarantine.sort(key=lambda line: line["path"])
    if not samples:
        first = ": ".join(quarantine[0][name] for name in ("path", "boundary", "reason"))
        raise WorkError(f"none of {len(paths)} files gave a sample; the first: {first}")
    manifest = _manifest(settings, root, {"duplicates": duplicates, "files": len(paths)})
    whole = write_dataset(folder, samples, sources, quarantine, manifest)
    shutil.rmtree(work)
    return _report(folder, whole, fresh=True)


def _settings(task: str, config: Any, fps: float | str | None, **others: Any) -> dict[str, Any]:
    """Return all that decides the content, checked, as JSON values."""
    if isinstance(config, Mapping) or config is None:
        made = tasks.configure(task, config)
    else:
        made = type(tasks.get(task))(config)
    rate = fps if fps is not None else getattr(made.config, "fps", 1.0)
    if rate != "auto":
        if not isinstance(rate, int | float) or not 0 < rate <= 1000:
            raise RequestError(f"fps={rate!r}: give frames per second in (0, 1000], or auto")
        rate = float(rate)
    if others["per_video"] < 1:
        raise RequestError(f"per_video={others['per_video']}: ask for at least 1 sample per video")
    if not 0 <= others["split_share"] <= 1:
        raise RequestError(f"split_share={others['split_share']} is outside [0, 1]: give the share held out as test")
    if others["split"] not in (None, "train", "test"):
        raise RequestError(f"split={others['split']!r}: train, test or None")
    settings: dict[str, Any] = asdict(made.config)
    if rate != "auto" and "fps" in settings:
        settings["fps"] = rate
    plain = {"task": task, "task_version": made.version, "config": settings, "fps": rate} | others
    return dict(json.loads(json.dumps(plain)))


def _job(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("task", "config", "fps", "per_video", "seed")}


def _begin(folder: Path, settings: dict[str, Any]) -> Path:
    """Return the work folder, made or taken up again."""
    work = make_folder(folder / WORK)
    noted = work / "settings.json"
    if noted.exists():
        before = json.loads(noted.read_text(encoding="utf-8"))
        # Files may come and go before the dataset is finished: results are kept by content.
        _refuse_changes(folder, before | {"inputs": None}, settings | {"inputs": None}, "was begun")
    with replacing(noted) as temporary:
        temporary.write_text(json.dumps(settings, sort_keys=True), encoding="utf-8")
    return work


def _finished(folder: Path, settings: dict[str, Any]) -> Manifest:
    whole = read_manifest(folder)
    _refuse_changes(folder, whole.get("settings", {}), settings, "was made")
    shutil.rmtree(folder / WORK, ignore_errors=True)
    return _report(folder, whole, fresh=False)


def _refuse_changes(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], when: str) -> None:
    old, new = _flat(before), _flat(now)
    changed = [
        f"{key}: {old.get(key)!r} then, {new.get(key)!r} now"
        for key in sorted(old | new)
        if old.get(key) != new.get(key)
    ]
    if changed:
        raise RequestError(f"{folder} {when} with other settings ({'; '.join(changed)}): choose another --out")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _probe(pool: Pool, paths: Sequence[str], tell: Progress) -> tuple[list[Video], list[dict[str, str]], int]:
    """Return the videos by identity (of equal files the first by name), quarantine lines, and how many were equal."""
    results: dict[int, dict[str, Any]] = {}
    for number, result in pool.run([{"do": "probe", "path": path} for path in paths]):
        results[number] = _settled(result, paths[number], "probe")
        tell(len(results), 2 * len(paths))
    by_identity: dict[str, Video] = {}
    quarantine = []
    for number, path in enumerate(paths):
        if "quarantine" in results[number]:
            quarantine.append(results[number]["quarantine"])
        else:
            video = replace(Video(**results[number]["video"]), path=path)
            by_identity.setdefault(video.identity, video)
    duplicates = len(paths) - len(quarantine) - len(by_identity)
    return [by_identity[identity] for identity in sorted(by_identity)], quarantine, duplicates


def _cut(pool: Pool, jobs: Sequence[dict[str, Any]], work: Path, tell: Callable[[int], None]) -> list[dict[str, Any]]:
    """Return the results of all jobs in order, those done before from the journal."""
    notes = [work / f"{hashlib.sha256(job['video']['identity'].encode()).hexdigest()}.json" for job in jobs]
    results = {number: found for number, note in enumerate(notes) if (found := _noted(note)) is not None}
    left = [number for number in range(len(jobs)) if number not in results]
    tell(len(results))
    for at, result in pool.run([jobs[number] for number in left]):
        number = left[at]
        results[number] = _settled(result, jobs[number]["video"]["path"], "decode")
        if "died" not in result:  # perhaps the machine's fault: a resumed run tries again
            with replacing(notes[number]) as temporary:
                temporary.write_text(json.dumps(results[number]), encoding="utf-8")
        tell(len(results))
    return [results[number] for number in range(len(jobs))]


def _noted(note: Path) -> dict[str, Any] | None:
    """Return a result noted by an earlier run; None where there is none or a power cut spoilt it."""
    try:
        return dict(json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _settled(result: dict[str, Any], path: str, boundary: str) -> dict[str, Any]:
    """Return a result in which a dead worker is a quarantine line; what no file is to blame for is raised."""
    if "refused" in result:
        raise RequestError(result["refused"])
    if "failed" in result:
        raise WorkError(result["failed"])
    if "died" in result:
        return {"quarantine": {"path": path, "boundary": boundary, "reason": result["died"]}}
    return result


def _side(identity: str, share: float, forced: Split | None) -> Split:
    """Return the split of a source: by the hash of its content, so that no copy can lie on the other side."""
    if forced is not None:
        return forced
    drawn = int(hashlib.sha256(f"split {identity}".encode()).hexdigest()[:13], 16) / 16**13
    return "test" if drawn < share else "train"


def _root(paths: Sequence[str]) -> Path:
    return Path(os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]))


def _relative(path: str, root: Path) -> str:
    return Path(os.path.relpath(os.path.abspath(path), root)).as_posix()


def _fingerprint(paths: Sequence[str], root: Path) -> str:
    """Return the count and a hash of names and sizes of the inputs: whether a finished dataset is still of these."""
    listed = sorted((_relative(path, root), os.path.getsize(path)) for path in paths)
    return f"{len(paths)} files, {hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]}"


def _source(video: Video, root: Path, split: str, warnings: Sequence[str]) -> Source:
    return Source(
        identity=video.identity,
        path=_relative(video.path, root),
        split=split,
        size_bytes=video.size_bytes,
        duration_seconds=video.duration_seconds,
        height=video.height,
        width=video.width,
        frame_rate=video.frame_rate,
        codec=video.codec,
        warnings=tuple(dict.fromkeys([*video.warnings, *warnings])),
    )


def _manifest(settings: Mapping[str, Any], root: Path, counts: dict[str, int]) -> dict[str, Any]:
    named = {settings["task"]: {"version": settings["task_version"], "config": settings["config"]}}
    return {
        "tasks": named,
        "seed": settings["seed"],
        "settings": dict(settings),
        "media_root": str(root),
        "counts": counts,
    }


def _report(folder: Path, whole: dict[str, Any], *, fresh: bool) -> Manifest:
    return Manifest(path=folder, counts=whole["counts"], digest=whole["digest"], fresh=fresh, manifest=whole)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
