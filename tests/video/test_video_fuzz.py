"""Damaged copies of real clips go through the worker with its limits: a result or one quarantine line, and it lives."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from reelgym.synthesis.pool import Pool
from reelgym.video import write_mp4

SECONDS_PER_FILE = 60.0
LARGEST_BYTES = 1_000_000  # Short clips: what is tested is the handling of damage, and there is plenty of it.
TASK = {"mvp": {"config": {"short_side": 28}, "fps": "auto", "count": 1}}


def _originals(folder: Path, shared: Path | None) -> list[Path]:
    """Return the real clips at hand that are small, of all containers, or rendered ones where there are none."""
    found = [path for path in sorted(shared.iterdir()) if path.stat().st_size < LARGEST_BYTES] if shared else []
    videos = [path for path in found if path.suffix not in (".md", ".csv")]
    if not videos:
        rng = np.random.default_rng(0)
        scenes = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(5)]
        write_mp4(str(folder / "made.mp4"), (scenes[k // 8] for k in range(40)), 5, key_every=10)
        videos = [folder / "made.mp4"]
    return videos


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with some flipped (anywhere, or in the headers at either end), a piece lost, or the end cut."""
    kind = int(rng.integers(4))
    changed = bytearray(data)
    if kind == 3:
        return data[: int(rng.integers(1, len(data)))]
    if kind == 2:
        start = int(rng.integers(len(data)))
        return data[:start] + data[start + int(rng.integers(1, 5000)) :]
    count = int(rng.integers(1, 200))
    places = rng.integers(0, len(data), count)
    if kind == 1:
        places = np.concatenate([rng.integers(0, min(4096, len(data)), 8), -rng.integers(1, min(4096, len(data)), 8)])
    for place in places:
        changed[place] ^= int(rng.integers(1, 256))
    return bytes(changed)


def _check(folder: Path, shared: Path | None, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    originals = _originals(folder, shared)
    jobs = []
    for number in range(count):
        original = originals[number % len(originals)]
        path = folder / f"{number:03d}{original.suffix}"
        path.write_bytes(damaged(original.read_bytes(), rng))
        stamp = [path.stat().st_size, path.stat().st_mtime_ns]
        job = {"do": "cut", "path": str(path), "identity": "full:unknown", "stamp": stamp, "tasks": TASK}
        jobs.append(job | {"split": "train", "seed": 0, "store": None})
    outcomes = {"read": 0, "quarantined": 0}
    with Pool(1, seconds=SECONDS_PER_FILE) as pool:
        for number, result in pool.run(jobs):
            # A worker that crashed or took too long gives `died`; one that broke on a file gives neither of these.
            assert "died" not in result, (seed, number, jobs[number]["path"], result)
            if "quarantine" in result:
                line = result["quarantine"]
                assert line["boundary"] in ("open", "probe", "decode", "task") and line["reason"], line
                assert "\n" not in line["reason"]
            else:
                assert result["way"] in ("plan", "through") and result["video"]["duration_seconds"] > 0
            outcomes["quarantined" if "quarantine" in result else "read"] += 1
    assert outcomes["read"] + outcomes["quarantined"] == count
    assert outcomes["read"] > count // 10, outcomes


@pytest.fixture
def at_hand(request: pytest.FixtureRequest) -> Path | None:
    """The folder of real clips, None where it is absent."""
    try:
        folder: Path = request.getfixturevalue("shared_videos")
    except pytest.skip.Exception:
        return None
    return folder


def test_forty_damaged_clips_end_in_a_result_or_a_reason(tmp_path: Path, at_hand: Path | None) -> None:
    _check(tmp_path, at_hand, 40, seed=0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif("REELGYM_SOAK" not in os.environ, reason="300 files; `make soak` runs it")
def test_three_hundred_damaged_clips_end_in_a_result_or_a_reason(tmp_path: Path, at_hand: Path | None) -> None:
    _check(tmp_path, at_hand, 300, seed=int(os.environ["REELGYM_SOAK"]))
