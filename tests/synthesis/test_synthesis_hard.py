"""Odd names, odd folders, two runs at once, a full disk, a worker that goes wrong: defined, and told in one line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthesis_runs import SETTINGS, became, files_of, scene

from reelgym.data.dataset import read_dataset
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis import local, synthesize, worker
from reelgym.synthesis.journal import claimed
from reelgym.synthesis.pool import Pool, cores
from reelgym.video import Frames, FrameSpec
from reelgym.video.fingerprint import fingerprint

NAMES = (
    "with space.mp4",
    "with\nnewline.mp4",
    "with\ttab, \"quotes\" 'and' \\backslash.mp4",
    "-dash.mp4",
    "%41 percent # ? & *.mp4",
    "\u0627\u0644\u0641\u064a\u062f\u064a\u0648.mp4",
    "e\u0301 and \u00e9 \U0001f3ac \u202eright to left.mp4",
    ".hidden.mp4",
)


@pytest.mark.usefixtures("inline")
def test_any_name_is_data(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in\nput \u00fc"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        scene(folder / name, 20 + number)
    broken = os.fsencode(folder) + b"/\xff\xfe.mp4"
    shutil.copy(clips / "0.mp4", broken)
    made = synthesize([folder], tmp_path / "ds", **SETTINGS)
    found = read_dataset(made.path)
    assert sorted(source.path for source in found.sources) == sorted(NAMES)
    assert [line["reason"] for line in found.quarantine] == ["its name is not valid UTF-8; rename it"]
    assert os.fsencode(found.quarantine[0]["path"]) == broken
    assert sorted(became(made.path).values()) == ["quarantined", *["used"] * len(NAMES)]


@pytest.mark.usefixtures("inline")
def test_loops_of_links_end_and_change_nothing(clips: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(clips, folder)
    (folder / "deep" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "self.mp4").symlink_to("self.mp4")
    (folder / "gone.mp4").symlink_to("nowhere.mp4")
    assert synthesize([folder], tmp_path / "ds", **SETTINGS).digest == read_dataset(whole).digest
    with pytest.raises(RequestError, match=r"self\.mp4: no such file or folder"):
        synthesize([folder / "self.mp4"], tmp_path / "self")


@pytest.mark.usefixtures("inline")
def test_a_folder_without_permission_is_a_quarantine_line_and_named_directly_an_error(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def guarded(path: Any = ".") -> Any:  # Permissions do not bind the superuser, who may run the tests.
        if str(path) == str(clips / "deep"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    made = synthesize([clips], tmp_path / "ds", **SETTINGS)
    (line,) = [line for line in read_dataset(made.path).quarantine if line["path"] == str(clips / "deep")]
    assert line["boundary"] == "open" and line["reason"].startswith("Permission denied")
    assert made.counts["sources"] == 3
    with pytest.raises(RequestError, match=r"deep: cannot be searched \(Permission denied\)"):
        synthesize([clips / "deep"], tmp_path / "other")


@pytest.mark.usefixtures("inline")
def test_a_file_that_goes_or_changes_meanwhile_costs_one_line(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(clips, folder)
    real = worker.perform

    def meddling(job: dict[str, Any]) -> dict[str, Any]:
        if job["do"] == "cut" and job["path"].endswith("1.mp4"):
            shutil.copy(folder / "2.mp4", job["path"])
        if job["path"].endswith("3.mp4"):
            Path(job["path"]).unlink(missing_ok=True)
        return real(job)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "perform", meddling)
        made = synthesize([folder], tmp_path / "ds", **SETTINGS)
    reasons = {Path(line["path"]).name: line["reason"] for line in read_dataset(made.path).quarantine}
    assert reasons["1.mp4"].startswith("changed: its content is not the one identified before")
    assert "No such file" in reasons["3.mp4"] and made.counts["sources"] == 3


@pytest.mark.usefixtures("inline")
def test_two_runs_into_one_folder_are_refused_and_a_dead_ones_lock_is_not(
    clips: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "ds"
    busy = rf"ds is being written by process {os.getpid()} on {socket.gethostname()}: wait, or choose another --out"
    with claimed(out), pytest.raises(RequestError, match=busy):
        synthesize([clips], out, **SETTINGS)
    # Without locks in the file system, the note says who is at it.
    with monkeypatch.context() as patch:

        def no_locks(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        patch.setattr(fcntl, "flock", no_locks)
        lock = out / ".synth" / "lock"
        lock.write_text(json.dumps({"pid": os.getppid(), "host": socket.gethostname()}))
        with pytest.raises(RequestError, match=f"is being written by process {os.getppid()}"):
            synthesize([clips], out, **SETTINGS)
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        lock.write_text(json.dumps({"pid": dead.pid, "host": socket.gethostname()}))
        synthesize([clips], out, **SETTINGS)
    assert files_of(out) == files_of(whole)


@pytest.mark.usefixtures("inline")
def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(
    clips: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "ds", Path.write_text
    for name, after in (("settings.json", 0), (".json", 4), ("dataset.json", 0)):
        room = [after]

        def full(self: Path, *words: Any, name: str = name, room: list[int] = room, **more: Any) -> int:
            if name in self.name:
                room[0] -= 1
                if room[0] < 0:
                    real(self, "{", **more)  # half of it still fits
                    raise OSError(errno.ENOSPC, "No space left on device", str(self))
            return real(self, *words, **more)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", full)
            with pytest.raises(WorkError, match=r"cannot write .* \(No space left on device\): make room"):
                synthesize([clips], out, **SETTINGS)
    made = synthesize([clips], out, **SETTINGS)
    assert made.tally is not None and made.tally.resumed == 7 and made.tally.cut == 0
    assert files_of(out) == files_of(whole)


@pytest.mark.usefixtures("inline")
@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount a small file system")
def test_a_disk_that_is_really_full_says_so_and_after_room_is_made_all_is_as_ever(
    clips: Path, whole: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    small = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(disk)], capture_output=True)
    if small.returncode:
        pytest.skip(f"mounting is not allowed here: {small.stderr.decode().strip()}")
    try:
        with pytest.raises(WorkError, match="No space left on device"):
            synthesize([clips], disk / "ds", **SETTINGS)
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        synthesize([clips], disk / "ds", **SETTINGS)
        assert files_of(disk / "ds") == files_of(whole)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_worker_that_wants_too_much_memory_is_told_no() -> None:
    code = "from reelgym.synthesis import worker; worker._limit_memory(3 * 2**30); bytearray(4 * 2**30)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert found.stderr.splitlines()[-1] == "MemoryError"


def test_a_worker_whose_memory_is_too_small_to_start_costs_lines_and_no_hang(clips: Path) -> None:
    with Pool(1, seconds=30, memory_bytes=64 * 2**20) as pool:
        found = dict(pool.run([{"do": "identify", "path": str(clips / "0.mp4")}] * 2))
    assert all(result["died"].startswith("the worker process died") for result in found.values())


def test_a_worker_ends_with_its_parent_even_while_nobody_closes_its_pipe(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, subprocess, sys; from pathlib import Path\n"
        "command = [sys.executable, '-m', 'reelgym.synthesis.worker', '0', str(os.getpid())]\n"
        "process = subprocess.Popen(command)\n"
        f"Path({str(note)!r}).write_text(str(process.pid))\n"
        "sys.stdin.readline()\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    reader, writer = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", code], env=env, stdin=reader)
    while not note.exists() or not note.read_text():
        time.sleep(0.05)
    place = Path(f"/proc/{int(note.read_text())}/stat")
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 90

    def is_alive() -> bool:
        try:
            return place.read_text().rpartition(")")[2].split()[0] != "Z"  # Nobody may be there to bury it.
        except OSError:
            return False

    while is_alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive()
    os.close(writer)
    os.close(reader)


def test_any_number_of_workers_gives_the_same_bytes(clips: Path, whole: Path, tmp_path: Path) -> None:
    for workers in (2, 3):
        synthesize([clips], tmp_path / f"{workers}", workers=workers, **SETTINGS)
        assert files_of(tmp_path / f"{workers}") == files_of(whole)
    assert cores() >= 1


class Plenty:
    """An engine that answers at once with large samples: what is measured is what the parent holds."""

    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    fingerprint = fingerprint(Frames(pixels, np.zeros(1), FrameSpec(fps=1))).to_json()

    def run(self, jobs: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, job in enumerate(jobs):
            yield number, self.answer(job)

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        identity = "full:" + Path(job["path"]).stem
        if job["do"] != "cut":
            return {"identity": identity}
        names = ("messages", "answer", "evidence", "facets", "provenance")
        text = json.dumps("x" * 5000)
        row = {"id": "", "task": "mvp", "split": "train"} | dict.fromkeys(names, "{}") | {"messages": text}
        row["provenance"] = json.dumps({"source": identity})
        video = {"path": job["path"], "identity": identity, "size_bytes": 0, "duration_seconds": 9.0, "height": 28}
        video |= {"width": 28, "frame_rate": 25.0, "codec": "h264", "warnings": []}
        rows = [row | {"id": f"{identity} {index}"} for index in range(64)]
        return {"video": video, "samples": rows, "warnings": [], "fingerprint": self.fingerprint, "structure": {}}

    def __enter__(self) -> Plenty:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def peaks_of_runs(folder: Path) -> list[int]:
    """Return the most bytes that Python held in runs over 1, 40 and 120 files; for a process of its own."""
    local._engine = lambda *_: Plenty()  # type: ignore[assignment,return-value]
    peaks = []
    for count in (1, 40, 120):  # The first run imports what the others use.
        videos = folder / f"videos {count}"
        videos.mkdir()
        for number in range(count):
            (videos / f"{number}.mp4").write_bytes(b"")
        tracemalloc.start()
        made = synthesize([videos], folder / f"ds {count}", **SETTINGS)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert made.counts["samples"] == 64 * count
    return peaks


def test_the_memory_of_a_run_does_not_grow_with_its_samples(tmp_path: Path) -> None:
    # What threads of other tests allocate meanwhile would be counted too.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        peaks = alone.submit(peaks_of_runs, tmp_path).result()
    # 80 more files bring 26 MB of samples; two thousand rows are held at most, and little of each file.
    assert peaks[2] - peaks[1] < 5 * 2**20
