"""Small clips, and an engine inside this process: what is tested here is the bookkeeping, not the decoder."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthesis_runs import SETTINGS, Inline, scene

from reelgym.synthesis import local


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in this process."""
    monkeypatch.setattr(local, "_engine", lambda *_: Inline())


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight files: five videos, a copy, one too short and a text."""
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(5):
        scene(folder / f"{'deep/' if seed % 2 else ''}{seed}.mp4", seed, 12 + 2 * seed)
    (folder / "copy of 0.mp4").write_bytes((folder / "0.mp4").read_bytes())
    scene(folder / "short.mp4", 7, seconds=2)
    (folder / "text.mp4").write_text("not a video")
    return folder


@pytest.fixture(scope="session")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of `clips`, made by one worker process without an interruption."""
    folder = tmp_path_factory.mktemp("whole") / "ds"
    local.synthesize([clips], folder, workers=1, **SETTINGS)
    return folder
