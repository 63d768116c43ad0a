from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(world_videos: Path, tmp_path: Path) -> Path:
    names = sorted(path.name for path in world_videos.glob("*.mp4"))
    held = [
        {"video": name, "question": "What comes first?", "candidates": ["A fall.", "A rise."], "answer": "A rise."}
        for name in names
    ]
    folder = tmp_path / "tvbench"
    folder.mkdir()
    (folder / "action_sequence.json").write_text(json.dumps([*held, {**held[0], "video": "gone.mp4"}]))
    return folder


def test_a_benchmark_is_asked_by_name_beside_its_floors(
    cli: Cli, data: Path, world_videos: Path, tmp_path: Path
) -> None:
    asked = ["eval", "tvbench", "--data", data, "--videos", world_videos, "--model", "tiny", "--frames", 4]
    asked += ["--max-tokens", 4, "--prompt", "direct", "--out", tmp_path / "eval"]
    code, out, err = cli(*asked)
    assert code == 0, err
    for word in ("accuracy", "mean of tasks", "chance", "longest option", "unreadable", "fitted to the answers"):
        assert word in " ".join(out.split())
    assert "left out: action_sequence.json row 5: its video gone.mp4 is not in" in err
    assert "partial, not to be compared: 5 rows of 2525 published, 1 left out" in err
    stored = json.loads((tmp_path / "eval" / "results.json").read_text())["evaluations"]
    assert stored["direct"]["metrics"]["accuracy"]["chance"] == 0.5
    assert stored["direct"]["settings"]["frames"] == 4
    code, _, err = cli("compare", f"{tmp_path / 'eval'}:direct", f"{tmp_path / 'eval'}:floor-longest_option")
    assert code == 2
    assert "partial results are not compared" in err


def test_what_is_missing_is_said_in_one_line(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("eval", "tvbench", "--model", "tiny")
    assert code == 2
    assert "tvbench needs --data, the folder of its rows (FunAILab/TVBench), and --videos" in err
    code, _, err = cli("eval", "tvbanch", "--model", "tiny")
    assert code == 2
    assert "tvbanch" in err and "did you mean 'tvbench'" in err


def test_the_list_shows_access_licence_size_metric_and_whether_it_was_ever_checked(cli: Cli) -> None:
    code, out, _ = cli("list", "benchmarks", "--json")
    assert code == 0
    line = json.loads(out)["video-mme"]
    assert line["source"] == "lmms-lab/Video-MME"
    assert line["checked"] == "schema from the card, never run on the real files"
    assert (line["questions"], line["videos"], line["metric"], line["access"]) == (2700, 900, "accuracy", "open")
    assert cli("list")[0] == 0
