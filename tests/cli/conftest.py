from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reelgym.cli import run

Result = tuple[int, str, str]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep frames of these tests out of the user's cache."""
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs a command in this process: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> Result:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def puzzles(world_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of rendered videos, at the size that the embedded models take."""
    from reelgym.recipes.proving import PUZZLE
    from reelgym.synthesis import synthesize

    folder = tmp_path_factory.mktemp("made") / "puzzles"
    synthesize([world_videos], folder, config=PUZZLE, fps=2.0, per_video=2, workers=1, split_share=0.5)
    return folder
