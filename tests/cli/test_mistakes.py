"""Each mistake costs one clear line on stderr and exit code 2, or 1 where the work failed."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


def _refused(cli: Cli, *arguments: object, code: int = 2) -> str:
    found, out, err = cli(*arguments)
    lines = [line for line in err.splitlines() if line.startswith("reelgym: ")]
    assert (found, out, len(lines)) == (code, "", 1), err
    assert err.splitlines()[-1] == lines[0]
    return lines[0].removeprefix("reelgym: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["synth", "nowhere", "--out", "ds"],
            "nowhere: no such file or folder; give video files or folders that hold some",
        ),
        (["synth", ".", "--out", "ds", "--task", "mpv"], "unknown task 'mpv'; did you mean 'mvp'?"),
        (["synth", ".", "--out", "ds", "--fps", "fast"], "--fps=fast is not a number"),
        (
            ["synth", ".", "--out", "ds", "--set", "hiden=2"],
            "unknown setting of task mvp 'hiden'; did you mean 'hidden'?",
        ),
        (["synth", ".", "--out", "ds", "--set", "hidden"], "'hidden' is not KEY=VALUE"),
        (
            ["demo", "--videos", "nowhere"],
            "nowhere: no such file or folder; give video files or folders that hold some",
        ),
        (
            ["inspect", "nowhere"],
            "nowhere is not a dataset: there is no such folder; make one with `reelgym synth VIDEOS",
        ),
        (["train", "mpv"], "unknown recipe 'mpv'; did you mean 'mvp'? Known: "),
        (["train", "mvp", "num_generations=8"], "unknown setting 'num_generations' of recipe 'mvp'; did you mean"),
        (["train", "mvp", "lr"], "'lr' is not KEY=VALUE: write settings as in lr=1e-4"),
        (["train", "mvp", "lr=fast"], "config.lr=fast is not a number"),
        (["train", "mvp", "--data", "nowhere"], "nowhere is not a dataset: there is no such folder"),
        (["train", "nowhere/config.json"], "nowhere/config.json cannot be read: No such file or directory"),
        (
            ["eval", "nowhere", "--model", "tiny"],
            "nowhere is not a dataset or a table of questions: there is no such path; unknown benchmark 'nowhere'",
        ),
        (["eval", "nowhere", "--model", "tiny", "--probes", "blnd"], "unknown probe 'blnd'; did you mean 'blind'?"),
        (["report", "nowhere"], "nowhere does not exist: give a dataset, run, evaluation, demo or lab folder"),
        (["report", "."], ". holds none of dataset.json, config.json, results.json"),
        (["list", "taks"], "unknown kind 'taks'; did you mean 'tasks'?"),
    ],
)
def test_a_wrong_name_or_path_is_one_line(
    arguments: list[str], line: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "any.mp4").write_bytes(b"text")
    assert _refused(cli, *arguments).startswith(line)


def test_an_empty_folder_is_one_line(cli: Cli, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _refused(cli, "synth", empty, "--out", tmp_path / "ds").startswith(f"{empty}: holds no files")


def test_files_that_are_no_videos_are_counted_and_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    line = _refused(cli, "synth", tmp_path, "--out", tmp_path / "ds", code=1)
    assert line.startswith("none of 1 files gave a sample; the first: ")
    assert "text.mp4: open: not a video" in line


def test_a_dataset_of_another_format_version_says_what_to_do(cli: Cli, puzzles: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(puzzles, tmp_path / "copy")
    manifest = json.loads((copy / "dataset.json").read_text())
    for version, remedy in ((99, "update reelgym"), (0, "make the dataset again")):
        (copy / "dataset.json").write_text(json.dumps(manifest | {"format_version": version}))
        assert _refused(cli, "inspect", copy) == f"{copy} has dataset format {version}, this reelgym reads 1: {remedy}"


def test_the_wrong_kind_of_folder_names_the_right_command(cli: Cli, puzzles: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    assert "it is a training run; `reelgym report` reads those" in _refused(cli, "inspect", tmp_path)
    (tmp_path / "metrics.jsonl").rename(tmp_path / "results.json")
    assert "it is an evaluation; `reelgym report` reads those" in _refused(cli, "inspect", tmp_path)
    assert "is a dataset: choose another folder" in _refused(cli, "train", "mvp", "--data", puzzles, "--out", puzzles)


def test_a_checkpoint_that_does_not_fit_is_one_line(cli: Cli, puzzles: Path, tmp_path: Path) -> None:
    for name, content in (
        ("empty", None),
        ("other", {"model_type": "llama"}),
        ("broken", {"model_type": "qwen2_5_vl"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        if content is not None:
            (folder / "config.json").write_text(json.dumps(content))
        assert str(folder) in _refused(cli, "eval", puzzles, "--model", folder, "--split", "all")
    assert _refused(cli, "eval", puzzles, "--model", "nope").startswith("no model 'nope': give tiny, tiny-qwen3")


def test_a_full_disk_is_one_line_and_the_works_failure(
    cli: Cli, tmp_path: Path, world_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reelgym import synthesis

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "ds"))

    monkeypatch.setattr(synthesis, "synthesize", full)
    line = _refused(cli, "synth", world_videos, "--out", tmp_path / "ds", code=1)
    kept = "make room and repeat the command; what was finished is kept"
    assert line == f"the disk is full ({tmp_path / 'ds'}): {kept}"


def test_a_folder_that_may_not_be_written_is_one_line(cli: Cli, tmp_path: Path, world_videos: Path) -> None:
    (tmp_path / "file").write_text("")
    line = _refused(cli, "synth", world_videos, "--out", tmp_path / "file" / "ds")
    assert "Not a directory" in line


def test_wrong_usage_is_exit_code_2(cli: Cli) -> None:
    for arguments in (["synth"], ["nope"], ["eval", "ds"], ["train", "mvp", "--nope"]):
        code, _, err = cli(*arguments)
        assert code == 2
        assert "Usage: reelgym" in err


def test_a_fault_of_ours_is_not_dressed_up_as_a_mistake(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from reelgym import registry

    def broken(*_: object, **__: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(registry, "catalogue", broken)
    with pytest.raises(KeyError):
        cli("list")
