from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reelgym.video import FrameSpec, Store, probe, write_mp4

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with three entries of one video and a copy of a remote file."""
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    write_mp4(str(tmp_path / "a.mp4"), (np.full((32, 32, 3), 10 * k, np.uint8) for k in range(10)), 5)
    video = probe(str(tmp_path / "a.mp4"))
    store = Store(tmp_path / "cache" / "frames")
    for k in range(3):
        store.frames(video.identity, video.path, FrameSpec(times=(k / 5,)))
    (tmp_path / "cache" / "fetched").mkdir()
    (tmp_path / "cache" / "fetched" / "x.copy").write_bytes(b"0" * 5000)
    return tmp_path / "cache" / "frames"


def test_the_store_is_shown_as_a_table_and_as_json(cli: Cli, kept: Path) -> None:
    code, out, _ = cli("store", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["entries"], found["videos"], found["frames"], found["unreadable"]) == (3, 1, 3, 0)
    assert found["folder"] == str(kept) and found["copies_bytes"] == 5000
    assert found["encodings"] == {"raw": found["size_bytes"]}
    code, out, _ = cli("store")
    assert code == 0 and "3 (1 videos, 3 frames)" in out and "5.0 kB" in out


def test_pruning_keeps_what_fits_and_all_keeps_nothing(cli: Cli, kept: Path) -> None:
    size = json.loads(cli("store", "--json")[1])["size_bytes"]
    assert json.loads(cli("store", "prune", "--json")[1])["freed"]["entries"] == 0
    found = json.loads(cli("store", "prune", "--limit", str(size - 1), "--json")[1])
    assert found["freed"]["entries"] == 1 and found["now"]["entries"] == 2
    code, out, _ = cli("store", "prune", "--all")
    assert code == 0 and out.startswith("2 entries went")
    after = json.loads(cli("store", "--json")[1])
    assert (after["entries"], after["size_bytes"], after["copies_bytes"], after["oldest"]) == (0, 0, 0, None)


def test_another_folder_and_one_that_is_not_there(cli: Cli, kept: Path, tmp_path: Path) -> None:
    assert json.loads(cli("store", "--folder", kept, "--json")[1])["entries"] == 3
    absent = tmp_path / "absent"
    assert json.loads(cli("store", "--folder", absent, "--json")[1])["entries"] == 0
    assert json.loads(cli("store", "prune", "--all", "--folder", absent, "--json")[1])["freed"]["entries"] == 0
    assert not absent.exists()


def test_wrong_requests_are_one_line(cli: Cli, kept: Path, tmp_path: Path) -> None:
    code, _, err = cli("store", "prune", "--limit", "1GB", "--all")
    assert (code, err) == (2, "reelgym: store prune takes --limit SIZE or --all, not both\n")
    code, _, err = cli("store", "prune", "--limit", "much")
    assert code == 2 and "size 'much': give a number of bytes" in err
    (tmp_path / "file").write_text("x")
    code, _, err = cli("store", "--folder", tmp_path / "file")
    assert code == 1 and "cannot make the frame store" in err


def test_one_word_names_the_store_in_every_command(cli: Cli, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    write_mp4(str(tmp_path / "a.mp4"), noise.repeat(8, 1).repeat(8, 2), 5)
    ours, other, puzzles = tmp_path / "ours", tmp_path / "other", tmp_path / "puzzles"
    easy = ("--set", "frames=8", "--set", "hidden=2", "--set", "distractors=1", "--fps", "5", "--workers", "1")

    def entries(folder: Path) -> int:
        return int(json.loads(cli("store", "--store", folder, "--json")[1])["entries"])

    code, _, err = cli("synth", tmp_path / "a.mp4", "--out", puzzles, *easy, "--store", ours, "--store-limit", "1GB")
    assert code == 0, err
    filled = entries(ours)
    assert filled > 1
    assert cli("inspect", puzzles, "--store", ours)[0] == 0
    assert entries(ours) == filled  # Everything asked for was there.
    assert cli("inspect", puzzles, "--store", other, "--store-limit", "1")[0] == 0
    assert entries(other) == 1  # Only the newest stays where nothing fits.


def test_a_limit_without_a_store_is_one_line(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("synth", tmp_path, "--out", tmp_path / "out", "--store-limit", "1GB")
    assert (code, err) == (2, "reelgym: --store-limit bounds the store that is filled: name it with --store DIR\n")
