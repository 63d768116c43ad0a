from __future__ import annotations

import bisect
import itertools
import os
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video_clips import HEIGHT, WIDTH, number_of, numbered, write_timed

from reelgym.errors import MediaError, RequestError
from reelgym.video import Frames, FrameSpec, decode, jobs, probe, read, read_many, source, write_mp4
from reelgym.video.timeline import _end as end_of
from reelgym.video.timeline import examine

UNEVEN = [0, 40, 50, 300, 310, 1000, 1001, 1900, 2500, 2510, 2520, 2530, 4000, 4100, 4150, 6000, 6040, 6080]
STRUCTURES = {
    "intra": {"g": "1"},
    "ip": {"g": "6", "bf": "0"},
    "b": {"g": "8", "bf": "3"},
    "open": {"g": "6", "bf": "3", "x264-params": "open-gop=1:b-adapt=0:b-pyramid=2"},
    "one": {"g": "250", "bf": "2"},
}


def _expected(ticks_ms: list[int], instants: list[float]) -> list[int]:
    """Oracle: the number of the last frame whose time is not after each instant."""
    zero = ticks_ms[0]
    return [bisect.bisect_right([t - zero for t in ticks_ms], t * 1000 + 1e-6) - 1 for t in instants]


def _check(frames: Frames, ticks_ms: list[int], numbers: list[int]) -> None:
    assert [number_of(p) for p in frames.pixels] == numbers
    np.testing.assert_allclose(frames.times, [(ticks_ms[n] - ticks_ms[0]) / 1000 for n in numbers], atol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("fps", [0.5, 1.0, 7.3, 30.0])
def test_each_instant_shows_the_last_frame_not_after_it(tmp_path: Path, structure: str, fps: float) -> None:
    path = write_timed(tmp_path / "a.mkv", UNEVEN, options=STRUCTURES[structure])
    video = probe(str(path))
    assert video.warnings == ()
    frames = read(video, FrameSpec(fps=fps))
    instants = [k / fps for k in itertools.takewhile(lambda k: k / fps < video.duration_seconds, itertools.count())]
    _check(frames, UNEVEN, _expected(UNEVEN, instants))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=40),
    st.sampled_from(sorted(STRUCTURES)),
    st.floats(0.3, 20),
    st.integers(0, 5000),
)
def test_any_uneven_file_is_sampled_to_the_frame(
    tmp_path: Path, steps: list[int], structure: str, fps: float, offset: int
) -> None:
    ticks = list(itertools.accumulate(steps, initial=offset))
    path = write_timed(tmp_path / "a.mkv", ticks, options=STRUCTURES[structure])
    span = (ticks[-1] - ticks[0]) / 1000
    frames = read(str(path), FrameSpec(fps=fps, stop_seconds=span + 0.001))
    _check(frames, ticks, _expected(ticks, [k / fps for k in range(len(frames))]))
    assert (len(frames) - 1) / fps <= span + 0.001 <= len(frames) / fps + 1e-3


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_plan_gives_the_pixels_of_decoding_everything(
    tmp_path: Path, structure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [k * 37 for k in range(120)], options=STRUCTURES[structure]))
    specs = [FrameSpec(fps=1.7), FrameSpec(times=(0.5, 2.22, 2.3, 4.0))]
    monkeypatch.setattr(decode, "_decode_through", lambda *_: pytest.fail("the plan fell back"))
    planned = read_many(path, specs)
    monkeypatch.undo()
    monkeypatch.setattr(decode, "_decode_planned", lambda *_: False)
    for a, b in zip(planned, read_many(path, specs), strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        np.testing.assert_array_equal(a.times, b.times)


def test_the_plan_skips_whole_groups_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [k * 100 for k in range(100)], options={"g": "10", "bf": "0"}))
    fed: list[int] = []
    plain = source.Source.decode

    def counted(self: source.Source, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        fed.append(packet is not None)
        return plain(self, packet)

    monkeypatch.setattr(source.Source, "decode", counted)
    frames = read(path, FrameSpec(times=(3.2, 8.0)))
    assert [number_of(p) for p in frames.pixels] == [32, 80]
    # Looking for the first picture takes a few packets; then 30, 31, 32 and 80.
    assert sum(fed) <= 4 + 4


def test_spans_start_at_the_key_frame_or_one_earlier_for_pictures_shown_before_it(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [k * 40 for k in range(8)], options={"g": "4", "bf": "0"}))
    timeline = examine(path)
    ticks: list[int | None] = [0, 40, 80, 120, 240, 160, 200, 280]  # file order: the key frame 240 precedes 160, 200
    changed = type(timeline)(**{**vars(timeline), "ticks": ticks, "keys": [0, 4]})
    assert decode.spans(changed, {1}) == [(0, 2)]
    assert decode.spans(changed, {7}) == [(4, 8)]
    assert decode.spans(changed, {5}) == [(0, 6)]
    assert decode.spans(changed, {1, 7}) == [(0, 2), (4, 8)]
    assert decode.spans(changed, {1, 5, 7}) == [(0, 8)]


def test_times_count_from_the_first_frame_and_the_offset_is_kept(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.mkv", [10_000, 10_500, 11_200])
    video = probe(str(path))
    assert video.start_seconds == 10.0
    frames = read(video, FrameSpec(fps=2))
    _check(frames, [0, 500, 1200], [0, 1, 1])


def test_a_gap_repeats_the_last_frame_with_its_own_time(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.mkv", [0, 500, 5000, 5500])
    assert read(str(path), FrameSpec(fps=1)).times.tolist() == [0, 0.5, 0.5, 0.5, 0.5, 5.0]


def test_a_span_is_half_open_on_the_grid_of_the_whole_video(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.mkv", [k * 100 for k in range(60)])
    frames = read(str(path), FrameSpec(fps=2, start_seconds=1.2, stop_seconds=3.0))
    assert frames.times.tolist() == [1.5, 2.0, 2.5]
    empty = read(str(path), FrameSpec(fps=1, start_seconds=1.2, stop_seconds=1.4, short_side=32))
    assert empty.pixels.shape == (0, 32, 64, 3)


def test_times_outside_the_video_are_errors_that_name_them(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [0, 100, 200]))
    with pytest.raises(MediaError, match=r"no frame at 7.0 s: it shows 1 of the 2 frames asked for"):
        read(path, FrameSpec(times=(0.1, 7.0)))
    with pytest.raises(RequestError, match="negative time"):
        read(path, FrameSpec(times=(-0.1,)))


def test_several_specs_in_one_pass_equal_separate_reads(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.mkv", UNEVEN))
    specs = [
        FrameSpec(fps=2, short_side=32),
        FrameSpec(times=(4.1, 0.3)),
        FrameSpec(fps=2, size=(40, 50), filter="bicubic"),
    ]
    for spec, frames in zip(specs, read_many(path, specs), strict=True):
        alone = read(path, spec)
        np.testing.assert_array_equal(frames.pixels, alone.pixels)
        np.testing.assert_array_equal(frames.times, alone.times)
        assert frames.spec == spec


@pytest.mark.parametrize("resize", ["area", "bilinear", "bicubic", "lanczos"])
def test_sizes_are_exact_and_every_filter_keeps_the_picture(tmp_path: Path, resize: str) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [0, 100]))
    frames = read(path, FrameSpec(fps=10, size=(28, 56), filter=resize))  # type: ignore[arg-type]
    assert frames.pixels.shape == (2, 28, 56, 3) and [number_of(p) for p in frames.pixels] == [0, 1]


def test_area_halves_by_averaging_four_pixels(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [0, 100]))
    whole, half = (
        f.pixels[0].astype(float) for f in read_many(path, [FrameSpec(fps=1), FrameSpec(fps=1, short_side=32)])
    )
    mean = whole.reshape(32, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(mean - half).mean() < 1.5


FLIPS = ((False, False), (True, False), (False, True), (True, True))


@pytest.mark.parametrize(("turn", "flips"), list(itertools.product((0, 90, 180, 270), FLIPS)))
def test_the_display_matrix_is_undone_in_pixels_and_size(tmp_path: Path, turn: int, flips: tuple[bool, bool]) -> None:
    path = write_timed(tmp_path / "a.mp4", [0, 40], container="mp4", rotation=(turn, *flips))
    plain = write_timed(tmp_path / "b.mp4", [0, 40], container="mp4")
    coded = read(str(plain), FrameSpec(fps=25)).pixels[1]
    # FFmpeg builds the matrix as a turn counter-clockwise, then flips of the turned picture.
    expected = np.rot90(coded, k=turn // 90)[:: -1 if flips[1] else 1, :: -1 if flips[0] else 1]
    video = probe(str(path))
    assert (video.height, video.width) == expected.shape[:2]
    if flips == (False, False):
        assert video.rotation == turn
    np.testing.assert_array_equal(read(video, FrameSpec(fps=25)).pixels[1], expected)


def test_rotation_comes_before_the_size(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.mp4", [0, 40], container="mp4", rotation=(90, False, False)))
    assert read(path, FrameSpec(fps=25, short_side=32)).pixels.shape == (2, 64, 32, 3)
    assert read(path, FrameSpec(fps=25, size=(30, 40))).pixels.shape == (2, 30, 40, 3)


def test_wide_pixels_are_stretched_and_almost_square_ones_left(tmp_path: Path) -> None:
    wide = probe(str(write_timed(tmp_path / "a.mkv", [0, 40], aspect=Fraction(3, 2))))
    assert (wide.height, wide.width) == (HEIGHT, WIDTH * 3 // 2)
    almost = probe(str(write_timed(tmp_path / "b.mkv", [0, 40], aspect=Fraction(200, 199))))
    assert (almost.height, almost.width) == (HEIGHT, WIDTH)


@pytest.mark.parametrize(("default", "chosen"), [(None, 128), (0, 128), (1, 64)])
def test_the_default_stream_is_read_then_the_largest(tmp_path: Path, default: int | None, chosen: int) -> None:
    path = str(tmp_path / "two.mkv")
    with av.open(path, "w") as out:
        streams = [out.add_stream("libx264", rate=10) for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 128 >> number, 64 >> number, "yuv420p"
            stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream in streams:
            picture = np.zeros((stream.height, stream.width, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode(None))
    assert probe(path).width == chosen


def test_duration_is_that_of_the_packets_and_not_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(str(path), map(numbered, range(50)), 10)
    data = path.read_bytes()
    # Movie and track headers, version 0: make them claim 40 hours (the stream's own table is left).
    where = data.index(b"mvhd") + 4 + 16
    path.write_bytes(data[:where] + (143_165_000).to_bytes(4, "big") + data[where + 4 :])
    assert probe(str(path)).duration_seconds == 5.0


def test_the_last_frame_stays_for_its_own_duration_where_that_is_credible() -> None:
    # Steps of 1, 3 and 2 s; the median is 2 s.
    times = [0, 1_000_000, 4_000_000, 6_000_000]
    assert end_of(times, 5_000_000) == 11_000_000
    assert end_of(times, 0) == 8_000_000  # not told
    assert end_of(times, 143_165_000_000) == 8_000_000  # 40 hours
    assert end_of([0], 0) == 40_000  # one frame, nothing told: 1/25 s


def test_a_file_cut_in_its_data_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.mkv", [k * 40 for k in range(100)], options={"g": "10"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    video = probe(str(path))
    frames = read(video, FrameSpec(fps=25))
    assert 30 < len(frames) < 90 and [number_of(p) for p in frames.pixels] == list(range(len(frames)))


def test_damaged_packets_are_skipped_counted_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(str(path), map(numbered, range(60)), 10, key_every=10)
    data = bytearray(path.read_bytes())
    start, length = data.index(b"mdat") + 4, int.from_bytes(data[data.index(b"mdat") - 4 : data.index(b"mdat")], "big")
    rng = np.random.default_rng(0)
    for place in rng.integers(start + length // 2, start + length * 3 // 4, 60):
        data[place] ^= int(rng.integers(1, 256))
    path.write_bytes(bytes(data))
    frames = read(str(path), FrameSpec(fps=10))
    assert len(frames) == 60 and [number_of(p) for p in frames.pixels[:15]] == list(range(15))
    assert any("damaged" in warning for warning in frames.warnings)


def test_a_clock_that_starts_again_goes_on_behind_the_earlier_part(tmp_path: Path) -> None:
    part = write_timed(
        tmp_path / "a.ts", [k * 3600 for k in range(50)], time_base=Fraction(1, 90_000), container="mpegts"
    )
    both = tmp_path / "both.ts"
    both.write_bytes(part.read_bytes() * 2)
    video = probe(str(both))
    assert any("starts again" in warning for warning in video.warnings)
    frames = read(video, FrameSpec(fps=25))
    assert np.all(np.diff(frames.times) >= 0) and frames.times[-1] > 3.5
    assert [number_of(p) for p in frames.pixels[:20]] == list(range(20))


def test_a_stream_without_times_gets_some_and_says_so(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.h264", [k * 40 for k in range(30)], container="h264")
    frames = read(str(path), FrameSpec(fps=5))
    assert any("made up" in warning for warning in frames.warnings)
    numbers = [number_of(p) for p in frames.pixels]
    assert numbers == sorted(numbers) and len(frames) >= 5


def test_one_file_may_not_take_longer_than_its_limit(tmp_path: Path) -> None:
    path = str(write_timed(tmp_path / "a.mkv", UNEVEN))
    begun = time.monotonic()
    with pytest.raises(MediaError, match="longer than the time limit"):
        read(path, FrameSpec(fps=1), limit_seconds=-1.0)
    assert time.monotonic() - begun < 1


def test_too_large_and_too_small_pictures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(write_timed(tmp_path / "a.mkv", [0, 40]))
    monkeypatch.setattr(source, "MAX_PIXELS", 1000)
    with pytest.raises(MediaError, match="pictures of more than 1000 pixels"):
        probe(path)
    monkeypatch.undo()
    write_mp4(str(tmp_path / "b.mp4"), [np.zeros((16, 64, 3), np.uint8)], 5)
    with pytest.raises(MediaError, match="64 x 16 pixels: each side must be at least 28"):
        probe(str(tmp_path / "b.mp4"))
    monkeypatch.setattr(jobs, "MAX_RESULT_BYTES", 100_000)
    with pytest.raises(MediaError, match="too many or too large frames"):
        read(path, FrameSpec(fps=1000))


@pytest.mark.parametrize(
    "name", ["-dash.mp4", "p%03d.mp4", "concat:a|b.mp4", "new\nline.mp4", "file:x.mp4", "тест 🎬.mp4"]
)
def test_a_name_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_mp4(name, map(numbered, range(5)), 5)
    assert [number_of(p) for p in read(probe(name), FrameSpec(fps=5)).pixels] == list(range(5))


def test_a_name_that_is_not_unicode_is_read(tmp_path: Path) -> None:
    good = tmp_path / "a.mp4"
    write_mp4(str(good), map(numbered, range(5)), 5)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.mp4")
    os.rename(good, odd)
    assert len(read(probe(odd), FrameSpec(fps=5))) == 5


def test_a_playlist_under_a_video_name_reads_nothing_else(tmp_path: Path) -> None:
    write_mp4(str(tmp_path / "real.mp4"), map(numbered, range(5)), 5)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile real.mp4\n")
    with pytest.raises(MediaError, match="open: a script that points to other files") as caught:
        probe(str(tmp_path / "list.mp4"))
    assert (caught.value.path, caught.value.boundary) == (str(tmp_path / "list.mp4"), "open")
    with pytest.raises(MediaError, match="not a file"):
        probe(str(tmp_path))
    with pytest.raises(MediaError, match="No such file"):
        probe(str(tmp_path / "absent.mp4"))
