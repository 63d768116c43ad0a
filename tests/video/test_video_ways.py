from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from video_clips import number_of, write_timed

from reelgym.errors import RequestError
from reelgym.video import FrameSpec, decode, read, read_many
from reelgym.video.timeline import examine

TICKS = [k * 100 for k in range(40)]  # 4 s, a key frame every 10
OPTIONS = {"g": "10", "bf": "2", "sc_threshold": "0"}


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return str(write_timed(tmp_path / "a.mkv", TICKS, options=OPTIONS))


def test_a_sound_file_is_read_by_plan(clip: str) -> None:
    frames = read(clip, FrameSpec(fps=2))
    assert (frames.way, frames.warnings) == ("plan", ())


def test_a_file_without_times_is_read_in_order_and_says_why(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.h264", TICKS, container="h264"))
    frames = read(path, FrameSpec(fps=5))
    assert frames.way == "through" and decode.IRREGULAR in frames.warnings


def test_a_plan_that_fails_falls_back_and_says_so(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = read(clip, FrameSpec(fps=3))
    monkeypatch.setattr(decode, "_decode_planned", lambda *_: False)
    frames = read(clip, FrameSpec(fps=3))
    assert frames.way == "through" and frames.warnings == (decode.UNPLANNED,)
    np.testing.assert_array_equal(frames.pixels, planned.pixels)


def test_snapped_instants_show_the_last_key_frame_with_its_own_time(clip: str) -> None:
    frames = read(clip, FrameSpec(times=(0.0, 0.9, 1.0, 2.55, 3.93), snapped=True))
    assert [number_of(p) for p in frames.pixels] == [0, 0, 10, 20, 30]
    assert frames.times.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]
    assert frames.way == "keyframes"
    # 3.93 s is 0.93 s after the key frame of 3 s.
    assert frames.warnings == ("times are snapped to key frames, up to 0.93 s before the instant asked for",)


def test_snapping_decodes_the_key_frames_alone_and_their_pixels_are_exact(
    clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = read(clip, FrameSpec(times=(0.0, 1.0, 2.0, 3.0)))
    fed: list[int] = []
    plain = decode.Source.decode
    timeline = examine(clip)
    monkeypatch.setattr(decode, "examine", lambda *_: timeline)
    monkeypatch.setattr(decode.Source, "decode", lambda s, p: fed.append(p is not None) or plain(s, p))
    snapped = read(clip, FrameSpec(fps=1, snapped=True))
    np.testing.assert_array_equal(snapped.pixels, exact.pixels)
    assert sum(fed) == 4


def test_snapped_times_are_the_same_in_order(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = FrameSpec(fps=3, snapped=True)
    planned = read(clip, spec)
    monkeypatch.setattr(decode, "_decode_planned", lambda *_: False)
    through = read(clip, spec)
    assert through.way == "through"
    np.testing.assert_array_equal(through.times, planned.times)
    np.testing.assert_array_equal(through.pixels, planned.pixels)


def test_exact_and_snapped_specs_go_in_one_call(clip: str) -> None:
    specs = [FrameSpec(fps=2, snapped=True), FrameSpec(fps=2)]
    both = read_many(clip, specs)
    assert [frames.spec for frames in both] == specs
    assert [frames.way for frames in both] == ["keyframes", "plan"]
    assert specs[0].key() != specs[1].key() and FrameSpec.from_json(specs[0].to_json()) == specs[0]


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_pixel(clip: str, threads: int) -> None:
    spec = FrameSpec(times=(0.3, 0.4, 1.95, 3.3))
    one, more = read(clip, spec), read(clip, spec, threads=threads)
    np.testing.assert_array_equal(one.pixels, more.pixels)
    assert more.way == "plan"


def test_an_unknown_reader_and_an_absent_one_are_named(clip: str) -> None:
    with pytest.raises(RequestError, match=r"unknown reader 'pyva'; did you mean 'pyav'\? Known: pyav, torchcodec"):
        read(clip, FrameSpec(fps=1, reader="pyva"))
    with pytest.raises(RequestError, match="has no key-frame mode"):
        read(clip, FrameSpec(fps=1, reader="torchcodec", snapped=True))
    if importlib.util.find_spec("torchcodec") is None:
        with pytest.raises(RequestError, match=r"cannot be loaded .*; install torchcodec or take pyav"):
            read(clip, FrameSpec(fps=1, reader="torchcodec"))


def test_torchcodec_shows_the_frames_of_the_same_instants(clip: str) -> None:
    pytest.importorskip("torchcodec")
    spec = FrameSpec(fps=3)
    ours, theirs = read(clip, spec), read(clip, FrameSpec(fps=3, reader="torchcodec"))
    np.testing.assert_array_equal(ours.times, theirs.times)
    assert [number_of(p) for p in theirs.pixels] == [number_of(p) for p in ours.pixels]


def test_many_instants_of_one_picture_cost_one_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [0, 4000, 8000]))
    made: list[int] = []
    plain = decode.Converter.__call__
    monkeypatch.setattr(decode.Converter, "__call__", lambda s, f: made.append(1) or plain(s, f))
    frames = read(path, FrameSpec(fps=10))
    assert len(frames) > 80 and len(made) == 3
    assert [number_of(p) for p in frames.pixels[[0, 39, 40, 80]]] == [0, 0, 1, 2]
