"""Data of recipes know the dataset folders they come from, so that reports find the frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelgym.data.dataset import read_dataset
from reelgym.recipes import inputs, mvp


def test_rendered_data_and_data_of_a_folder_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    made = inputs.Later(mvp._world, "train", 2, 1, 0)
    (folder,) = made.folders
    assert [sample.id for sample in read_dataset(folder).samples] == [sample.id for sample in made.items]
    assert inputs.dataset(folder).folders == (folder,)
