"""The worker: what it answers to one line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from reelgym.errors import WorkError
from reelgym.synthesis import worker


def answers(*jobs: dict[str, object]) -> list[dict[str, object]]:
    results = io.StringIO()
    worker.serve(io.StringIO("".join(json.dumps(job) + "\n" for job in jobs)), results)
    return [json.loads(line) for line in results.getvalue().splitlines()]


def test_a_file_that_cannot_be_used_is_a_result_and_the_next_job_is_done(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    path = str(tmp_path / "empty.mp4")
    first, second = answers({"do": "probe", "path": path}, {"do": "probe", "path": path})
    assert (
        first == second == {"quarantine": {"path": path, "boundary": "open", "reason": "the file is empty (0 bytes)"}}
    )


def test_what_no_file_is_to_blame_for_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str) -> None:
        raise WorkError("no room")

    assert answers({"do": "cut", "video": VIDEO, "task": "mpv", "config": {}, "fps": 1}) == [
        {"refused": "unknown task 'mpv'; did you mean 'mvp'? Known: mvp"}
    ]
    monkeypatch.setattr(worker, "probe", full)
    assert answers({"do": "probe", "path": "x"}) == [{"failed": "no room"}]


VIDEO = {
    "path": "x",
    "identity": "full:x",
    "size_bytes": 1,
    "duration_seconds": 1.0,
    "height": 28,
    "width": 28,
    "frame_rate": 1.0,
    "rotation": 0,
    "codec": "h264",
    "start_seconds": 0.0,
}
