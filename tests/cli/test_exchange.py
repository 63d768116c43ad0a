"""The commands import and export."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def labels(world_videos: Path, tmp_path: Path) -> Path:
    file = tmp_path / "qa.csv"
    names = sorted(path.name for path in world_videos.glob("*.mp4"))
    file.write_text("clip,q,a\n" + "".join(f"{name},How many move?,3\n" for name in names) + "gone.mp4,Why?,x\n")
    return file


def test_records_become_a_dataset_that_inspect_and_export_take(
    cli: Cli, labels: Path, world_videos: Path, tmp_path: Path
) -> None:
    made = ["import", labels, "--map", "clip=video,q=question,a=answer", "--videos", world_videos]
    made += ["--out", tmp_path / "qa", "--workers", 1, "--frames", 4, "--max-pixels", 3136]
    code, out, err = cli(*made)
    assert code == 0, err
    assert re.search(r"quarantined +1\b", out) and "read as: table" in out
    assert cli(*made)[2].endswith("was finished before; nothing to do\n")

    code, out, _ = cli("inspect", tmp_path / "qa", "--json")
    assert code == 0
    assert json.loads(out)["facets"]["kind"] == {"number": 4}

    code, out, _ = cli("export", tmp_path / "qa", "--format", "verl", "--dry-run", "--json")
    assert code == 0
    planned = json.loads(out)
    assert planned["frames_shown"] == 16
    low, mean, high = planned["seconds"]
    assert 0 < low <= mean <= high
    code, out, err = cli("export", tmp_path / "qa", "--format", "verl", "--out", tmp_path / "verl", "--quality", 90)
    assert code == 0, err
    assert "bytes in all, about" in out and "dB PSNR" in out
    # Nothing that is not the same again is written.
    assert "seconds" not in json.loads((tmp_path / "verl" / "export.json").read_text())["plan"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["export", "ds", "--format", "vrl", "--out", "x"], "unknown export format 'vrl'; did you mean 'verl'?"),
        (["export", "ds", "--format", "verl"], "no --out: name the folder to write, or ask with --dry-run"),
        (["export", "ds", "--format", "verl", "--out", "x"], "ds is not a dataset: there is no such folder"),
        (["import", "qa.csv", "--videos", ".", "--out", "x"], "qa.csv: no such file; give a file of records"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], line: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert line in err


@pytest.mark.parametrize("command", ["import", "export"])
def test_both_have_help_with_an_example(command: str, cli: Cli) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"Example: reelgym {command}" in out


def test_formats_say_which_were_run_and_which_were_only_read(cli: Cli, repository: Path) -> None:
    code, out, _ = cli("list", "formats", "--json")
    found = json.loads(out)
    assert code == 0
    read = sorted(name for name, line in found.items() if "schema only" in line)
    assert read == ["llamafactory", "ms-swift"]
    assert all((repository / "docs" / "peers" / f"{name}.txt").is_file() for name in set(found) - set(read))
