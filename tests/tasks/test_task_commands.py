"""Every task goes through synth, train and eval as any other, without a line of its own in any of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from task_contract import World

from reelgym import tasks
from reelgym.cli import run
from reelgym.tasks.pretext import Pretext

NAMES = [name for name in tasks.names() if isinstance(tasks.get(name), Pretext)]


@pytest.fixture(scope="session")
def folders(world_videos: Path, edited_set: World) -> dict[str, Path]:
    """Where the videos of a task lie: those with cuts for the one that needs them."""
    return {"shot_order": Path(edited_set.videos[0].path).parent, "": world_videos}


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_made_trained_on_and_measured_by_the_same_commands(
    name: str,
    folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    data, out = str(tmp_path / "data"), str(tmp_path / "run")
    size = ["--set", "short_side=28"]
    cut = ["synth", str(folders.get(name, folders[""])), "--out", data, "--task", name, "--per-video", "2", *size]
    assert run([*cut, "--workers", "1"]) == 0, capsys.readouterr().err
    settings = [
        "model=tiny",
        "steps=1",
        "prompts_per_step=2",
        "group_size=2",
        "eval_every=0",
        "max_completion_tokens=4",
    ]
    assert run(["train", "mvp", "--data", data, "--out", out, *settings]) == 0, capsys.readouterr().err
    capsys.readouterr()
    asked = ["eval", data, "--model", "tiny", "--split", "all", "--limit", "2", "--max-tokens", "4", "--json"]
    assert run([*asked, "--out", str(tmp_path / "eval")]) == 0, capsys.readouterr().err
    assert "tagged" in json.loads(capsys.readouterr().out)
