"""Cuts that are known because the video was joined from scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from world_scenes import at, scene

from reelgym.video import FrameSpec, read, write_mp4
from reelgym.video.packets import Packets, packets
from reelgym.video.shots import changes, exact_cuts, sampled_cuts

FPS = 8
LENGTHS = (4.0, 5.5, 3.0, 6.0)
CUTS = [4.0, 9.5, 12.5]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shots") / "film.mp4"
    parts = [scene(n, seconds=seconds, fps=FPS, side=96) for n, seconds in enumerate(LENGTHS)]
    write_mp4(str(path), np.concatenate(parts), FPS)
    return path


def test_packets_tell_times_sizes_and_keys_without_decoding(film: Path) -> None:
    found = packets(str(film))
    assert len(found.times) == sum(LENGTHS) * FPS and found.keys[0]
    assert np.allclose(np.diff(found.times), 1 / FPS, atol=1e-4) and found.times[0] == 0
    assert found.sizes[found.keys].mean() > found.sizes[~found.keys].mean()


def test_decoding_everything_finds_every_cut_to_the_frame(film: Path) -> None:
    assert exact_cuts(str(film)) == pytest.approx(CUTS, abs=1e-3)


def test_one_frame_a_second_finds_the_cuts_and_packets_place_them(film: Path) -> None:
    frames = read(str(film), FrameSpec(fps=1.0, short_side=64))
    coarse = sampled_cuts(frames, Packets.none())
    assert coarse == pytest.approx([4.0, 10.0, 13.0], abs=1e-3)  # The later sample: at most one second late.
    assert sampled_cuts(frames, packets(str(film))) == pytest.approx(CUTS, abs=1e-3)


def test_one_scene_and_too_few_frames_have_no_cut() -> None:
    pixels = scene(5, seconds=12.0, fps=1, side=64)
    assert sampled_cuts(at(pixels, 1.0), Packets.none()) == []
    assert sampled_cuts(at(pixels[:1], 1.0), Packets.none()) == []


def test_a_change_lies_between_nothing_and_everything() -> None:
    grey, red = np.full((1, 32, 32, 3), 90, np.uint8), np.zeros((1, 32, 32, 3), np.uint8)
    red[..., :16, 0] = 255
    same, other = changes(np.concatenate([grey, grey, red]))
    assert same == pytest.approx(0.0, abs=1e-6) and 0.6 < other <= 1.0


def test_the_cuts_of_a_real_montage_are_found(shared_videos: Path) -> None:
    path = shared_videos / "montage_5min_720p_h264.mp4"
    stop = 60.0
    lines = path.with_name("montage_5min_720p_h264_cuts.csv").read_text().splitlines()[1:]
    known = [start for line in lines if 0 < (start := float(line.split(",")[3])) < stop]
    frames = read(str(path), FrameSpec(fps=1.0, stop_seconds=stop, short_side=64))
    found = sampled_cuts(frames, packets(str(path)))
    hits = [min(abs(cut - real) for cut in found) <= 1.0 for real in known]
    assert sum(hits) >= 0.9 * len(known) and len(found) <= len(known) + 2
