"""The same samples from a folder, from tars of its files, and from a web server."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from synthesis_runs import served

from reelgym.data.dataset import read_dataset
from reelgym.data.messages import Clip, Image
from reelgym.synthesis import synthesize
from reelgym.video import Store, write_mp4

SETTINGS = {"config": {"short_side": 28}, "fps": 2.0, "per_video": 1, "workers": 1}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of scenes that differ."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(2):
        rng = np.random.default_rng(number)
        scenes = rng.integers(0, 256, (30, 4, 4, 3), np.uint8).repeat(16, 1).repeat(16, 2)
        write_mp4(str(folder / f"{number}.mp4"), (scenes[k // 2] for k in range(60)), 4)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))


def test_tars_give_the_bytes_of_the_folder_and_their_frames_are_shown(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for number in range(2):
        with tarfile.open(tmp_path / "shards" / f"{number}.tar", "w") as archive:
            archive.add(clips / f"{number}.mp4", f"deep/{number}.mp4")
    plain = synthesize([clips], tmp_path / "plain", **SETTINGS)
    packed = synthesize([tmp_path / "shards"], tmp_path / "packed", **SETTINGS)
    assert packed.digest == plain.digest
    found = read_dataset(tmp_path / "packed")
    assert sorted(source.path for source in found.sources) == ["0.tar/deep/0.mp4", "1.tar/deep/1.mp4"]
    assert {source.way for source in found.sources} == {"plan"}
    _is_shown(tmp_path / "packed", tmp_path / "store")


@pytest.fixture
def web(clips: Path) -> Iterator[str]:
    with served(clips) as address:
        yield f"{address}/"


def test_a_web_server_gives_as_many_samples_under_quick_identities(web: str, clips: Path, tmp_path: Path) -> None:
    plain = synthesize([clips], tmp_path / "plain", **SETTINGS)
    remote = synthesize([web], tmp_path / "remote", **SETTINGS)
    assert {**remote.counts, "train": 0, "test": 0} == {**plain.counts, "train": 0, "test": 0}
    assert remote.manifest["settings"]["identity"] == "quick"
    assert all(source.identity.startswith("quick:") for source in read_dataset(tmp_path / "remote").sources)
    assert remote.manifest["media_root"] == web.rstrip("/")
    _is_shown(tmp_path / "remote", tmp_path / "store")
    forced = synthesize([web], tmp_path / "full", identity="full", **SETTINGS)
    assert forced.digest == plain.digest


def _is_shown(dataset: Path, store: Path) -> None:
    """Check that every image and clip of a dataset can be turned into pixels."""
    found = read_dataset(dataset)
    media = found.media(Store(store))
    parts = [part for sample in found.samples for message in sample.messages for part in message.parts]
    shown = [media(part) for part in parts if isinstance(part, Image | Clip)]
    assert shown and all(pixels.ndim == 4 and min(pixels.shape) > 0 for pixels in shown)
