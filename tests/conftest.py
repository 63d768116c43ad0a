"""What every test may use: real clips where they are at hand, rendered ones everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports torch: numbers repeat, and workers do not fight for the cores.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

# How long an example takes says more about the machine than about the code.
settings.register_profile("reelgym", deadline=None)
settings.load_profile("reelgym")

REPOSITORY = Path(__file__).resolve().parents[1]


def _shared(name: str) -> Path:
    given = os.environ.get("REELGYM_SHARED")
    root = Path(given) if given else REPOSITORY.parent / "shared" / "data"
    folder = root / name
    if not folder.is_dir():
        pytest.skip(f"real clips are not at hand: {folder} does not exist; set REELGYM_SHARED to the folder of {name}/")
    return folder


@pytest.fixture(scope="session")
def shared_videos() -> Path:
    """The folder of real clips; skips where it is absent. Read only."""
    return _shared("videos")


@pytest.fixture(scope="session")
def shared_odd() -> Path:
    """The folder of odd and broken files; skips where it is absent. Read only."""
    return _shared("videos_odd")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def world_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four short rendered videos."""
    from reelgym import world

    folder = tmp_path_factory.mktemp("world")
    world.make(folder, count=4, seconds=(10.0, 12.0), side=56, kinds=["moving"])
    return folder
