"""Rendered videos for the contract that every task keeps."""

from __future__ import annotations

import pytest
from task_contract import World, cross_cut

from reelgym import world


@pytest.fixture(scope="session")
def world_set(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two videos of every kind of scene at the world's default settings."""
    folder = tmp_path_factory.mktemp("world_set")
    made = world.make(folder / "videos", count=8)
    return World({video.path: video.facts for video in made}, folder / "frames")


@pytest.fixture(scope="session")
def edited_set(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Videos that cut to and fro between two scenes."""
    return cross_cut(tmp_path_factory.mktemp("cuts"), videos=6)
