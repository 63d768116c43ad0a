"""The worker: what it answers to one line."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import pytest

from reelgym import tasks
from reelgym.errors import WorkError
from reelgym.synthesis import structure, worker
from reelgym.synthesis.listing import stamp_of
from reelgym.video import Frames, Video, identify
from reelgym.video import structure as structures


def answers(*jobs: dict[str, object]) -> list[dict[str, object]]:
    results = io.StringIO()
    worker.serve(io.StringIO("".join(json.dumps(job) + "\n" for job in jobs)), results)
    found = [json.loads(line) for line in results.getvalue().splitlines()]
    assert all(set(result.pop("spent")) == {"bytes_read", "peak_bytes"} for result in found)
    return found


def cut_job(path: Path, tasks: dict[str, object] | None = None, stamp: list[int] | None = None) -> dict[str, object]:
    one = {"config": SETTINGS, "fps": 4.0, "count": 2}
    job = {"do": "cut", "path": str(path), "identity": identify(str(path)), "tasks": tasks or {"mvp": one}}
    return job | {"stamp": stamp or list(stamp_of(str(path))), "split": "train", "seed": 0, "store": None}


def quarantined(result: dict[str, object]) -> tuple[str, str]:
    line = result["quarantine"]
    assert isinstance(line, dict)
    return line["boundary"], line["reason"]


def test_a_file_that_cannot_be_used_is_a_result_and_the_next_job_is_done(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    path = str(tmp_path / "empty.mp4")
    first, second = answers({"do": "probe", "path": path}, {"do": "probe", "path": path})
    assert (
        first == second == {"quarantine": {"path": path, "boundary": "open", "reason": "the file is empty (0 bytes)"}}
    )


def test_structure_kept_beside_the_frames_spares_the_pass_and_changes_no_byte(
    world_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surveys: list[str] = []

    def counted(video: Video, *frames: Frames) -> dict[str, object]:
        surveys.append(video.path)
        return structure.survey(video, *frames)

    monkeypatch.setattr(worker, "survey", counted)
    plain = cut_job(sorted(world_videos.glob("*.mp4"))[0]) | {"audit": True}
    stored = plain | {"store": [str(tmp_path / "store"), None]}
    cold, filled, again = answers(plain, stored, stored)
    assert cold == filled == again and len(surveys) == 2
    (note,) = (tmp_path / "store").rglob("*.note")
    whole = note.read_bytes()
    note.write_bytes(whole[:-40] + b"\0" * 8 + whole[-32:])
    assert answers(stored) == [cold] and len(surveys) == 3 and note.read_bytes() == whole
    monkeypatch.setattr(structures, "VERSION", structures.VERSION + 1)
    assert len(answers(stored)) == 1 and len(surveys) == 4


def test_what_no_file_is_to_blame_for_is_told_apart(world_videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, **_: object) -> None:
        raise WorkError("no room")

    def huge(path: str, **_: object) -> None:
        raise MemoryError

    path = sorted(world_videos.glob("*.mp4"))[0]
    one = {"config": {}, "fps": 1.0, "count": 1}
    assert answers(cut_job(path, {"mpv": one})) == [{"refused": "unknown task 'mpv'; did you mean 'mvp'? " + KNOWN}]
    monkeypatch.setattr(worker, "probe", full)
    assert answers({"do": "probe", "path": "x"}) == [{"failed": "no room"}]
    monkeypatch.setattr(worker, "probe", huge)
    (result,) = answers({"do": "probe", "path": "x"})
    assert result["again"] and quarantined(result)[1].startswith("needs more memory than a worker may take")


def test_a_file_that_changes_while_it_is_read_is_quarantined_and_asked_again(
    world_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = sorted(world_videos.glob("*.mp4"))[:2]
    path = Path(shutil.copy(one, tmp_path / "one.mp4"))
    job = cut_job(path)
    os.utime(path)  # A touched file is the same file.
    (result,) = answers(job)
    assert "samples" in result and "again" not in result
    real = worker.cut

    def meanwhile(video: Video, asked: dict[str, object]) -> dict[str, object]:
        shutil.copy(two, path)
        return real(video, asked)

    monkeypatch.setattr(worker, "cut", meanwhile)
    (result,) = answers(job)
    assert result["again"] and quarantined(result) == (
        "decode",
        "changed while it was read; repeat the command when it is complete",
    )
    (result,) = answers(job)
    assert quarantined(result)[1].startswith("changed: its content is not the one identified before")
    path.unlink()
    (result,) = answers(job)
    assert quarantined(result)[1].startswith("changed")


def test_a_task_without_a_sample_is_a_warning_beside_others_and_a_quarantine_alone(world_videos: Path) -> None:
    path = sorted(world_videos.glob("*.mp4"))[0]
    poor = {"config": SETTINGS, "fps": 0.1, "count": 1}
    (result,) = answers(cut_job(path, {"mvp": poor}))
    assert quarantined(result)[0] == "task"
    assert "again" not in result


SETTINGS = {"frames": 6, "hidden": 2, "distractors": 2, "margin": 0, "min_before": 1, "min_after": 1, "short_side": 28}
KNOWN = f"Known: {', '.join(tasks.names())}"
