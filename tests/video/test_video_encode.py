from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video_clips import number_of, numbered

from reelgym.errors import RequestError, WorkError
from reelgym.video import FrameSpec, probe, read, write_mp4


def test_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_mp4(str(tmp_path / name), map(numbered, range(30)), 10)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("encoder", [None, "mpeg4"])
def test_written_frames_come_back_in_order_at_their_times(tmp_path: Path, encoder: str | None) -> None:
    path = str(tmp_path / "a.mp4")
    write_mp4(path, map(numbered, range(25)), 12.5, encoder=encoder)
    video = probe(path)
    assert (video.height, video.width, video.duration_seconds, video.rotation) == (64, 128, 2.0, 0)
    frames = read(video, FrameSpec(fps=12.5))
    assert [number_of(p) for p in frames.pixels] == list(range(25))
    np.testing.assert_allclose(frames.times, np.arange(25) * 0.08, atol=1e-9)
    assert np.abs(frames.pixels[7].astype(int) - numbered(7)).mean() < 6


def test_nothing_is_left_behind_where_a_later_frame_is_wrong(tmp_path: Path) -> None:
    frames = [numbered(0), np.zeros((32, 32, 3), np.uint8)]
    with pytest.raises(RequestError, match=r"all alike, H and W even, not uint8 \(32, 32, 3\)"):
        write_mp4(str(tmp_path / "a.mp4"), frames, 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [np.zeros((33, 32, 3), np.uint8), np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3))])
def test_frames_that_no_encoder_takes_are_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(RequestError, match="uint8 frames"):
        write_mp4(str(tmp_path / "a.mp4"), [bad], 10)


def test_no_frames_and_unknown_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no frames given"):
        write_mp4(str(tmp_path / "a.mp4"), [], 10)
    with pytest.raises(RequestError, match=r"encoder 'theora' does not work.*mpeg4"):
        write_mp4(str(tmp_path / "a.mp4"), [numbered(0)], 10, encoder="theora")


def test_a_folder_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"cannot write .*No such file or directory"):
        write_mp4(str(tmp_path / "absent" / "a.mp4"), [numbered(0)], 10)
