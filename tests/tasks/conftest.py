"""Rendered videos for the contract that every task keeps."""

from __future__ import annotations

import pytest
from task_contract import World

from reelgym import world


@pytest.fixture(scope="session")
def world_set(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two videos of every kind of scene at the world's default settings."""
    folder = tmp_path_factory.mktemp("world_set")
    made = world.make(folder / "videos", count=8)
    return World({video.path: video.facts for video in made}, folder / "frames")
