"""From a file of labelled records and a folder of videos to a dataset; resumable, with nothing dropped in silence."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Source, canonical, read_manifest, write_dataset
from reelgym.data.files import make_folder, replacing
from reelgym.data.sample import Sample, Split
from reelgym.data.settings import refuse_changes
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis.labelled.files import Videos
from reelgym.synthesis.labelled.looking import look_at, noted
from reelgym.synthesis.labelled.record import BadRecord, Draft, Reader, reader_of
from reelgym.synthesis.labelled.rows import Numbered, rows
from reelgym.synthesis.labelled.samples import Looked, sample_of, source_of
from reelgym.synthesis.labelled.table import table_of
from reelgym.tasks.labelled import Labelled

WORK = ".import"
"""Hidden folder inside an unfinished dataset: the settings, and what every video looked at so far gave."""

Progress = Callable[[int, int], None]
Line = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What `import_records` made.

    Attributes:
        path: The dataset folder.
        counts: rows, samples, train, test, sources, quarantined; `duplicates` are samples equal to an earlier one.
        digest: Of the content.
        fresh: False where the finished dataset lay there already.
        manifest: All of `dataset.json`; `settings.reader` says how the records were read.
    """

    path: Path
    counts: dict[str, int]
    digest: str
    fresh: bool
    manifest: dict[str, Any]


def import_records(
    file: str | Path,
    out: str | Path,
    *,
    videos: str | Path,
    columns: str = "",
    reader: str = "auto",
    frames: int = 16,
    fps: float = 2.0,
    max_pixels: int = 128 * 28 * 28,
    split_share: float = 0.2,
    split: Split | None = None,
    workers: int | None = None,
    seconds_per_file: float = 300.0,
    progress: Progress | None = None,
) -> Imported:
    """Make a dataset of the task `labelled` from records; repeat the call to resume it.

    Every row becomes its samples (one, or one per question of a conversation) or one line of quarantine with its
    number and reason. Samples stand in the order of the rows. A sample's id hashes the content of its video and its
    question, so rows may be added, moved or removed and the ids of the others stay.

    Args:
        file: CSV, TSV, JSON, JSON lines, Parquet or text.
        out: The dataset folder.
        videos: Folder of the videos that records name; names outside of it are refused.
        columns: What columns mean, `COLUMN=FIELD,...`; empty where the records are of a known format.
        reader: Name of that format, or `auto` to know it by its columns.
        frames: Frames of a clip at most; 16 is Video-R1's and VideoP2R's number in training.
        fps: Frames per second of a clip at most.
        max_pixels: Largest area of a frame; 128 x 28 x 28 is theirs too.
        split_share: Share of the videos held out as `test`, by the same rule as `synthesize`.
        split: Puts all videos on one side instead.
        workers: Processes; None is one per available core.
        seconds_per_file: A video that takes longer is quarantined.
        progress: Called with (videos looked at, videos in all).

    Raises:
        RequestError: Wrong settings, an unreadable file, columns that are not there, or another dataset in `out`.
        WorkError: No record gave a sample.
    """
    path, folder, root = Path(file), Path(out), Path(videos)
    _check(frames=frames, fps=fps, max_pixels=max_pixels, split_share=split_share, split=split)
    numbered = list(rows(path))
    made = _reader(numbered, path, columns, reader)
    settings = {"reader": made.name, "columns": columns, "frames": frames, "fps": fps, "max_pixels": max_pixels}
    settings |= {"split_share": split_share, "split": split, "records": _fingerprint(path)}
    if (folder / "dataset.json").exists():
        return _finished(folder, settings)
    found = Videos(root)
    drafts, quarantine = _drafts(numbered, made, path.name)
    placed, lost = found.placed(drafts, path.name)
    work = _begin(folder, settings)
    jobs = {at: _job(drafts[at][1], place, frames, fps) for at, place in placed.items()}
    named = {at: canonical(job) for at, job in jobs.items()}
    looks = {named[at]: jobs[at] for at in sorted(jobs, key=named.__getitem__)}
    looked = look_at(looks, work, workers=workers, seconds_per_file=seconds_per_file, progress=progress)
    build = _Build(path.name, max_pixels, split_share, split)
    for at, (row, draft) in enumerate(drafts):
        if at in placed:
            build.add(row, draft, placed[at], looked[named[at]])
    quarantine = sorted([*quarantine, *lost, *build.quarantine], key=lambda line: int(line["row"]))
    if not build.samples:
        first = f"row {quarantine[0]['row']}: {quarantine[0]['reason']}" if quarantine else "it has no rows"
        raise WorkError(f"none of {len(numbered)} rows of {path} gave a sample; the first: {first}")
    manifest = {
        "tasks": {Labelled.name: {"version": Labelled.version, "config": {}}},
        "seed": 0,
        "settings": settings,
        "media_root": str(root.resolve()),
        "counts": {"rows": len(numbered), "duplicates": build.duplicates},
    }
    whole = write_dataset(folder, build.samples, build.sources(root), quarantine, manifest)
    shutil.rmtree(work, ignore_errors=True)
    return _report(folder, whole, fresh=True)


class _Build:
    """Collects samples, and the lines of those that cannot be."""

    def __init__(self, file: str, max_pixels: int, share: float, split: Split | None) -> None:
        self.file, self.max_pixels, self.share, self.split = file, max_pixels, share, split
        self.samples: list[Sample] = []
        self.quarantine: list[Line] = []
        self._used: dict[str, tuple[str, Looked, Split]] = {}
        self._asked: Counter[str] = Counter()

    @property
    def duplicates(self) -> int:
        return self._asked.total() - len(self._asked)

    def add(self, row: int, draft: Draft, path: str, result: Mapping[str, Any]) -> None:
        if "quarantine" in result:
            line = result["quarantine"]
            reason = f"{line['path']}: {line['reason']}"
            self.quarantine.append(bad_line(self.file, row, reason, line["boundary"]))
            return
        looked = Looked.of(result)
        identity = looked.video.identity
        side = self.split or _side(identity, self.share)
        try:
            sample = sample_of(draft, looked, side, (self.file, row), (self.max_pixels, self._asked))
        except BadRecord as error:
            self.quarantine.append(bad_line(self.file, row, str(error)))
            return
        # Of files of equal content the first by name stands for all.
        if identity not in self._used or path < self._used[identity][0]:
            self._used[identity] = (path, looked, side)
        self.samples.append(sample)

    def sources(self, root: Path) -> list[Source]:
        return [source_of(path, looked, side, root) for _, (path, looked, side) in sorted(self._used.items())]


def bad_line(file: str, row: int, reason: str, boundary: str = "record") -> Line:
    """Return one line of quarantine; `path` names file and row, for those who know nothing of rows."""
    return {"path": f"{file} row {row}", "row": str(row), "boundary": boundary, "reason": reason}


def _check(*, frames: int, fps: float, max_pixels: int, split_share: float, split: str | None) -> None:
    if frames < 2 or not 0 < fps <= 1000:
        raise RequestError(f"frames={frames}, fps={fps}: a clip has at least 2 frames, at a rate in (0, 1000]")
    if max_pixels < 28 * 28:
        raise RequestError(f"max_pixels={max_pixels}: a frame has at least {28 * 28}")
    if not 0 <= split_share <= 1 or split not in (None, "train", "test"):
        raise RequestError(
            f"split_share={split_share}, split={split!r}: give a share in [0, 1], and train, test or None"
        )


def _reader(numbered: Sequence[Numbered], path: Path, columns: str, name: str) -> Reader:
    first = next((row for _, row in numbered if not isinstance(row, str)), None)
    if first is None:
        reason = f": row {numbered[0][0]} {numbered[0][1]}" if numbered else ""
        raise RequestError(f"{path} holds no record{reason}; give a file with at least one")
    if columns:
        if name not in ("auto", "table"):
            raise RequestError(f"--map describes a table, --format says {name}: give one of them")
        return table_of(columns, first)
    if name == "table":
        raise RequestError("a table needs --map COLUMN=FIELD,...: say what its columns mean")
    return reader_of(name, first)


def _drafts(numbered: Iterable[Numbered], reader: Reader, file: str) -> tuple[list[tuple[int, Draft]], list[Line]]:
    """Return (row, draft) of every good question, and a line for every bad one."""
    drafts: list[tuple[int, Draft]] = []
    bad: list[Line] = []
    for number, row in numbered:
        try:
            if isinstance(row, str):
                raise BadRecord(row)
            found = reader.drafts(row)
        except BadRecord as error:
            bad.append(bad_line(file, number, str(error)))
            continue
        for place, draft in enumerate(found, 1):
            try:
                drafts.append((number, draft.checked()))
            except BadRecord as error:
                which = f"question {place}: " if len(found) > 1 else ""
                bad.append(bad_line(file, number, f"{which}{error}"))
    return drafts, bad


def _job(draft: Draft, path: str, frames: int, fps: float) -> dict[str, Any]:
    """Return how a file is looked at: records may call one both a picture and a video."""
    still = {"still": True} if draft.medium == "image" else {}
    return {"path": path, "frames": frames, "fps": fps} | still


def _side(identity: str, share: float) -> Split:
    """Return the split of a source by the rule of `synthesize`: labels and puzzles of one video lie on one side."""
    drawn = int(hashlib.sha256(f"split {identity}".encode()).hexdigest()[:13], 16) / 16**13
    return "test" if drawn < share else "train"


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _begin(folder: Path, settings: dict[str, Any]) -> Path:
    """Return the work folder, made or taken up again; notes of other frames or rates are of no use."""
    work = make_folder(folder / WORK)
    settled = work / "settings.json"
    kept = {name: settings[name] for name in ("frames", "fps")}
    before = noted(settled)
    if before is not None and before != kept:
        raise RequestError(f"{folder} was begun with {canonical(before)}, now {canonical(kept)}: choose another --out")
    with replacing(settled) as temporary:
        temporary.write_text(json.dumps(kept), encoding="utf-8")
    return work


def _finished(folder: Path, settings: Mapping[str, Any]) -> Imported:
    whole = read_manifest(folder)
    refuse_changes(folder, whole.get("settings", {}), settings, "was made")
    shutil.rmtree(folder / WORK, ignore_errors=True)
    return _report(folder, whole, fresh=False)


def _report(folder: Path, whole: dict[str, Any], *, fresh: bool) -> Imported:
    return Imported(path=folder, counts=whole["counts"], digest=whole["digest"], fresh=fresh, manifest=whole)
