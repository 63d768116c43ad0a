"""From a benchmark and its videos to a dataset folder: it is scored, viewed and trained on like any other."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Dataset, Source, canonical, read_dataset, write_dataset
from reelgym.data.files import make_folder
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.settings import refuse_changes
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation.rows import Line, Question, read_rows
from reelgym.evaluation.spec import Benchmark
from reelgym.synthesis.labelled.build import bad_line
from reelgym.synthesis.labelled.files import Videos
from reelgym.synthesis.labelled.looking import look_at
from reelgym.synthesis.labelled.samples import MULTIPLE, Looked, medium_of, source_of
from reelgym.tasks.benchmark import BenchmarkQuestion

WORK = ".looked"
"""Hidden folder inside an unfinished dataset: what every video looked at so far gave."""

Placed = list[tuple[Question, tuple[str, ...]]]
"""Questions with the paths of the videos that they show, one after the other."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How videos are shown: at most `frames`, at most `fps` per second, each of at most `max_pixels`."""

    frames: int
    fps: float
    max_pixels: int

    def __post_init__(self) -> None:
        """Refuse what shows nothing."""
        if self.frames < 2 or not 0 < self.fps <= 1000 or self.max_pixels < MULTIPLE**2:
            raise RequestError(
                f"frames={self.frames}, fps={self.fps:g}, max_pixels={self.max_pixels}: a clip has at least 2 frames, "
                f"at a rate in (0, 1000], of at least {MULTIPLE**2} pixels"
            )

    @staticmethod
    def of(benchmark: Benchmark, *, frames: int | None = None, fps: float | None = None) -> Shown:
        """Return the spec's own way, with what is given in its place."""
        return Shown(frames=frames or benchmark.frames, fps=fps or benchmark.fps, max_pixels=benchmark.max_pixels)


def build(
    benchmark: Benchmark,
    folder: Path,
    videos: Path,
    out: Path,
    *,
    shown: Shown | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Return the benchmark's questions as a dataset in `out`; a finished one made alike is read again.

    Every row is its samples or one line of quarantine with file, number and reason. The manifest's counts say how many
    rows there were and how many the published set has.

    Args:
        benchmark: The spec.
        folder: Of its rows, in the published layout.
        videos: Folder that the rows' videos lie in.
        out: The dataset folder.
        shown: How videos are shown; None is the spec's own way.
        workers: Processes that look at videos; None is one per core.
        progress: Called with (videos looked at, videos in all).

    Raises:
        RequestError: The rows cannot be read, or another dataset lies in `out`.
        WorkError: No row gave a sample.
    """
    how = shown or Shown.of(benchmark)
    questions, bad, rows = read_rows(benchmark, folder)
    settings = {
        "benchmark": benchmark.name,
        "version": benchmark.version,
        "shown": vars(how),
        "rows": hashlib.sha256(canonical([[asdict(one) for one in questions], bad]).encode()).hexdigest()[:16],
    }
    if (out / "dataset.json").exists():
        return _finished(out, settings)
    placed, lost = _placed(questions, Videos(videos))
    work = make_folder(out / WORK)
    jobs = {_key(path, one): _job(path, one, how) for one, paths in placed for path in paths}
    looked = look_at(jobs, work, workers=workers, progress=progress)
    samples, sources, unseen = _samples(placed, looked, how, videos)
    quarantine = bad + lost + unseen
    if not samples:
        first = f"{quarantine[0]['path']}: {quarantine[0]['reason']}" if quarantine else "there are none"
        raise WorkError(f"none of {rows} rows of {benchmark.name} gave a question; the first: {first}")
    manifest = {
        "tasks": {BenchmarkQuestion.name: {"version": BenchmarkQuestion.version, "config": {}}},
        "seed": 0,
        "settings": settings,
        "media_root": str(videos.resolve()),
        "counts": {"rows": rows, "rows_published": benchmark.questions},
    }
    write_dataset(out, samples, sources, quarantine, manifest)
    shutil.rmtree(work, ignore_errors=True)
    return read_dataset(out)


def partial(benchmark: Benchmark, dataset: Dataset) -> str:
    """Return why the dataset is not the published set; nothing where all its rows are there and none was left out."""
    rows, out = int(dataset.manifest["counts"]["rows"]), len(dataset.quarantine)
    reasons = [f"{rows} rows of {benchmark.questions} published"] if rows != (benchmark.questions or rows) else []
    return ", ".join([*reasons, *([f"{out} left out"] if out > benchmark.broken else [])])


def _placed(questions: Sequence[Question], videos: Videos) -> tuple[Placed, list[Line]]:
    """Return each question with the path of its video, and a line for every question that has none."""
    placed: Placed = []
    lost: list[Line] = []
    for one in questions:
        tried = [videos.find(name) for name in one.videos]
        first = next((found for found in tried if found[0] is not None), tried[-1])
        found = [first, *map(videos.find, one.then)]
        paths = tuple(path for path, _ in found if path is not None)
        if len(paths) < len(found):
            lost.append(bad_line(one.file, one.row, next(reason for path, reason in found if path is None), "open"))
        else:
            placed.append((one, paths))
    return placed, lost


def _key(path: str, one: Question) -> str:
    return canonical([path, one.bounds, len(one.then), one.ending])


def _job(path: str, one: Question, how: Shown) -> dict[str, Any]:
    """Return how one video is looked at; several share the frames of a clip."""
    parts: dict[str, Any] = {"spans": [list(span) for span in one.bounds]} if one.bounds else {}
    parts |= {"ending": True} if one.ending else {}
    return {"path": path, "frames": max(2, how.frames // (1 + len(one.then))), "fps": how.fps, **parts}


def _samples(
    placed: Placed, looked: Mapping[str, Mapping[str, Any]], how: Shown, videos: Path
) -> tuple[list[Sample], list[Source], list[Line]]:
    samples: list[Sample] = []
    sources: dict[str, Source] = {}
    unseen: list[Line] = []
    for one, paths in placed:
        results = [looked[_key(path, one)] for path in paths]
        if line := next((result["quarantine"] for result in results if "quarantine" in result), None):
            unseen.append(bad_line(one.file, one.row, f"{line['path']}: {line['reason']}", line["boundary"]))
            continue
        seen = [Looked.of(result) for result in results]
        samples.append(sample_of(one, seen[0], how, seen[1:]))
        for path, shown in zip(paths, seen, strict=True):
            sources.setdefault(shown.video.identity, source_of(path, shown, "test", videos))
    return samples, [sources[identity] for identity in sorted(sources)], unseen


def sample_of(one: Question, seen: Looked, how: Shown, then: Sequence[Looked] = ()) -> Sample:
    """Return the sample of a question; intervals are told on the clock of the video, also where a part is shown.

    Args:
        one: The question.
        seen: Its video.
        how: How videos are shown.
        then: The videos that are shown after it.
    """
    video = seen.video
    clips = [medium_of(shown, how.max_pixels) for shown in (seen, *then)]
    evidence: dict[str, Any] = {"kind": one.kind, "duration_seconds": video.duration_seconds}
    evidence |= {"options": list(one.options)} if one.options else {}
    evidence |= {"facts": one.facts} if one.facts else {}
    evidence |= {"spans": [list(span) for span in one.spans]} if one.spans else {}
    return Sample(
        id=one.id,
        task=BenchmarkQuestion.name,
        split="test",
        messages=(Message("user", (*clips, Text(f"\n{one.text}"))),),
        answer=one.answer,
        evidence=evidence,
        facets=one.facets,
        provenance={"source": video.identity, "file": one.file, "row": one.row},
    )


def _finished(out: Path, settings: Mapping[str, Any]) -> Dataset:
    found = read_dataset(out)
    before = found.manifest.get("settings", {})
    refuse_changes(out, {name: before.get(name) for name in settings}, settings, "was made")
    shutil.rmtree(out / WORK, ignore_errors=True)
    return found
