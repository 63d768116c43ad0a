from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reelgym.models import tiny


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of both families with random weights, as a user brings them; read only."""
    root = tmp_path_factory.mktemp("models")
    for family in tiny.FAMILIES:
        tiny.build(family, seed=1).save(root / family)
    return {family: root / family for family in tiny.FAMILIES}


@pytest.fixture(params=["qwen2_5_vl", "qwen3_vl"])
def folder(request: pytest.FixtureRequest, saved: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of one of them, to be spoiled."""
    return Path(shutil.copytree(saved[request.param], tmp_path / request.param))
