"""synth and merge from the command line: mixtures, shards, budgets, the estimate, and one line for each mistake."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reelgym.commands.synth import task_settings
from reelgym.synthesis.journal import claimed

Cli = Callable[..., tuple[int, str, str]]
SMALL = (
    "--fps",
    2,
    "--set",
    "short_side=28",
    "--set",
    "mvp.frames=8",
    "--set",
    "mvp.margin=0",
    "--per-video",
    2,
    "--workers",
    1,
)


def test_shards_are_cut_and_merged_into_one_dataset(cli: Cli, world_videos: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        code, out, err = cli("synth", world_videos, "--out", tmp_path / f"{number}", *SMALL, "--shard", f"{number}/2")
        assert code == 0, err
    code, out, _ = cli("merge", tmp_path / "2", tmp_path / "1", "--out", tmp_path / "all")
    assert code == 0 and f"next: reelgym inspect {tmp_path / 'all'}" in out
    code, out, err = cli("merge", tmp_path / "2", tmp_path / "1", "--out", tmp_path / "all", "--json")
    merged = json.loads(out)
    assert (code, merged["counts"]["sources"], merged["counts"]["files"]) == (0, 4, 4)
    code, out, err = cli("merge", tmp_path / "1", "--out", tmp_path / "part")
    assert (code, err) == (2, "reelgym: shards 2/2 are missing: give all 2\n")


def test_synth_tells_speed_yield_and_cost(cli: Cli, world_videos: Path, tmp_path: Path) -> None:
    code, out, err = cli("synth", world_videos, "--out", tmp_path / "ds", *SMALL, "--limit", 3)
    assert code == 0, err
    assert "video-s/s, " in err and " samples, 0 quarantined" in err
    for line in ("video cut", "bytes read", "per kept sample", "peak memory of a worker"):
        assert line in out
    code, out, err = cli("synth", world_videos, "--out", tmp_path / "other", *SMALL, "--json")
    spent = json.loads(out)["run"]
    assert spent["cut"] == 4 and spent["peak_bytes"] > 2**20 and spent["bytes_read_per_sample"] > 0


def test_a_dry_run_estimates_and_writes_nothing(
    cli: Cli, world_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("synth", world_videos, "--dry-run", *SMALL, "--json")
    found = json.loads(out)
    assert code == 0 and (found["files"], found["timed"]["files"]) == (4, 4), err
    assert found["samples"] == [8.0, 8.0, 8.0]
    code, out, err = cli("synth", world_videos, "--dry-run", *SMALL)
    assert "from 4 of 4 files (0 gave no sample)" in out and "h of video" in out
    assert list(tmp_path.iterdir()) == []


def test_settings_of_a_mixture_go_to_the_tasks_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import make_dataclass

    from reelgym import tasks
    from reelgym.tasks.mvp import MVP

    class Second(MVP):
        Config = make_dataclass("Config", [("frames", int, 4), ("pieces", int, 2)])

    real = tasks.get
    monkeypatch.setattr(tasks, "get", lambda name: Second() if name == "second" else real(name))
    found = task_settings("mvp=3,second", ["second.frames=6", "frames=12", "pieces=3", "hidden=2"])
    assert found == {"mvp": {"frames": 12, "hidden": 2}, "second": {"frames": 6, "pieces": 3}}
    assert task_settings("mvp", ["mvp.frames=12", "hidden=2"]) == {"frames": 12, "hidden": 2}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--task", "mvp,mvp"], "task 'mvp' is named twice in 'mvp,mvp': name each once, with one weight"),
        (["--task", "mvp=x"], "task 'mvp=x': the weight is a number above 0, as in mvp=3,jigsaw=1"),
        (["--shard", "3/2"], "shard='3/2': give I/N with I from 1 to N, as in 2/8"),
        (["--sample", "2"], "sample=2.0 is outside (0, 1]: give the share of the files to open"),
        (["--max-hours", "0"], "max_hours=0.0: give hours of video above 0"),
        (["--engine", "spark"], "engine='spark': local or ray"),
    ],
)
def test_a_wrong_choice_is_one_line(
    arguments: list[str], line: str, cli: Cli, world_videos: Path, tmp_path: Path
) -> None:
    assert cli("synth", world_videos, "--out", tmp_path / "ds", *arguments) == (2, "", f"reelgym: {line}\n")


def test_no_out_is_one_line(cli: Cli, world_videos: Path) -> None:
    code, out, err = cli("synth", world_videos)
    assert (code, out) == (2, "") and err.startswith("reelgym: synth needs --out DATASET")


def test_a_second_run_into_one_folder_is_one_line(cli: Cli, world_videos: Path, tmp_path: Path) -> None:
    with claimed(tmp_path / "ds"):
        code, out, err = cli("synth", world_videos, "--out", tmp_path / "ds")
    assert (code, out) == (2, "") and len(err.splitlines()) == 1
    assert f"{tmp_path / 'ds'} is being written by process " in err


def test_a_disk_that_fills_up_is_one_line_and_exit_code_1(
    cli: Cli, world_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    code, out, err = cli("synth", world_videos, "--out", tmp_path / "ds", *SMALL)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "(No space left on device): make room or choose another folder, then repeat" in err
