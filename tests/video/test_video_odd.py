"""Every odd file gives its expected outcome within a time limit; the real clips read the same by plan and in order."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reelgym.errors import MediaError
from reelgym.video import Frames, FrameSpec, GridDescriptor, decode, deduplicate, find_videos, probe, read, read_many

LIMIT_SECONDS = 20.0

# Where the listed duration is the header's, absent, or another reading of the file: the right number at 1 per second.
COUNTS = {
    "made_240fps.mp4": 2,
    "made_exact_10s_25fps.mp4": 10,
    "made_fps_0p2.mp4": 140,
    "made_fragmented.mp4": 9,
    "made_framecode_30fps.mp4": 20,  # ends at 20.0003 s by rounding
    "made_framecode_gap20s.mkv": 30,
    "made_mkv_named.mp4": 9,
    "made_start_offset_1h.ts": 9,
    "made_live_no_duration.mkv": 9,
    "made_one_keyframe_60s.mp4": 60,
    "made_short_0p4s.mp4": 1,
    "made_single_frame.mp4": 1,
    "made_timestamp_reset.ts": 9,
    "made_truncated_half_mdat.mp4": 4,
    "repo_black_6min.mp4": 10,  # the first 10 s only, see below
    "repo_edit_list_iibbibb.mp4": 12,
    "repo_first_pts_10s.mp4": 4,
    "repo_fragmented_huge_duration.mp4": 1,  # 1.001 s
    "repo_no_duration.webm": 5,
    "repo_no_initial_keyframe.ts": 1,
    "repo_resolution_change.h264": 4,
    "repo_rotate_and_reflect.mp4": 1,  # 1.001 s of pictures
}
# Everything else that is read at all is read by plan.
THROUGH = {
    "made_bitflips.mp4",
    "made_timestamp_reset.ts",
    "repo_corrupted_tail.mp4",
    "repo_edit_list_iibbibb.mp4",
    "repo_error_slices.264",
    "repo_idr_lost.264",
    "repo_no_timescale.mp4",
    "repo_resolution_change.h264",
}
# (height, width) as displayed, where rotation or pixel aspect decides.
SHAPES = {
    "made_rotation90.mp4": (320, 180),
    "repo sideways movie.mov": (640, 480),
    "repo_anamorphic_mpeg1.mpg": (288, 501),
    "repo_portrait_upper_ext.MOV": (568, 320),
    "repo_rotate_and_reflect.mp4": (1080, 720),
    "repo_rotation180_tiny.mov": (320, 568),
    "repo_rotation180_vfr.mp4": (720, 1280),
    "repo_rotation270_tiny.mov": (568, 320),
    "repo_rotation90_tiny.mov": (568, 320),
    "repo_sar_2x1.mp4": (360, 1280),
}
# Time in seconds of the frame that the last instant shows, where that is not the instant itself.
LAST = {
    "made_fps_0p2.mp4": 135.0,  # one frame every 5 s, instants up to 139 s
    "made_framecode_vfr.mp4": 22.988,
    "made_hevc_10bit.mp4": 4.972,
    "repo sideways movie.mov": 0.998,
    "repo_cursed_vfr.mp4": 7.156,
    "repo_no_duration.webm": 3.938,
    "repo_no_timescale.mp4": 5.976,
    "repo_portrait_upper_ext.MOV": 1.968,
    "repo_rotation180_vfr.mp4": 1.98,
}
FILTERED_BY_PROBE = {"made_png_renamed.mp4": "still picture", "made_tiny_16x16.mp4": "at least 28"}


def _problem(path: Path, row: dict[str, str]) -> str | None:
    """Return what is wrong with the outcome for one file, or None."""
    begun = time.monotonic()
    try:
        video = probe(str(path), limit_seconds=LIMIT_SECONDS)
        stop = 10.0 if path.name == "repo_black_6min.mp4" else None
        frames = read(video, FrameSpec(fps=1, short_side=56, stop_seconds=stop), limit_seconds=LIMIT_SECONDS)
    except MediaError as error:
        reason = FILTERED_BY_PROBE.get(path.name, "" if row["expected"] in ("skip", "either") else "\0")
        return None if reason in error.reason else f"refused: {error}"
    if row["expected"] == "skip" or path.name in FILTERED_BY_PROBE:
        return f"was read: {len(frames)} frames"
    if time.monotonic() - begun > LIMIT_SECONDS:
        return "took too long"
    if row["expected"] == "ok_with_warning" and not frames.warnings:
        return "no warning"
    if np.any(np.diff(frames.times) < 0) or frames.times[0] != 0:
        return f"times {frames.times}"
    if frames.way != ("through" if path.name in THROUGH else "plan"):
        return f"read by {frames.way}"
    if path.name in SHAPES and (video.height, video.width) != SHAPES[path.name]:
        return f"{video.height} x {video.width} pixels"
    if abs(frames.times[-1] - LAST.get(path.name, len(frames) - 1)) > 1e-3:
        return f"the last frame is of {frames.times[-1]} s"
    count = COUNTS.get(path.name, math.ceil(float(row["duration_s"] or 0) - 0.002))
    return None if row["expected"] == "either" or len(frames) == count else f"{len(frames)} frames, not {count}"


def test_every_odd_file_gives_its_expected_outcome(shared_odd: Path) -> None:
    with open(shared_odd / "EXPECTED.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    problems = {row["file"]: _problem(shared_odd / row["file"], row) for row in rows}
    assert len(rows) >= 80
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_searching_the_odd_folder_passes_on_every_video_and_no_listing(shared_odd: Path) -> None:
    names = {Path(path).name for path in find_videos([str(shared_odd)])}
    assert {"no_extension", ".hidden_video.mp4", "made_text_renamed.mp4", "UPPERCASE.MP4"} <= names
    assert not names & {"EXPECTED.csv", "README.md", "made_framecode_vfr.mp4.pts.csv", "made_directory.mp4"}


def _code(picture: NDArray[np.uint8]) -> int:
    """Return the frame number drawn as 16 blocks of 40 pixels along the top, least significant bit first."""
    return sum(int(picture[20, 40 * bit + 20].mean() > 128) << bit for bit in range(16))


@pytest.mark.parametrize("name", ["made_framecode_30fps.mp4", "made_framecode_vfr.mp4", "made_framecode_gap20s.mkv"])
def test_samples_show_the_very_frame_of_their_instant(shared_odd: Path, name: str) -> None:
    listed = np.loadtxt(shared_odd / f"{name}.pts.csv", delimiter=",", skiprows=1, dtype=np.int64)
    codes, milliseconds = listed[:, 0], listed[:, 1]
    fps = 3.0
    frames = read(str(shared_odd / name), FrameSpec(fps=fps))
    assert len(frames) > 50
    for k, (picture, moment) in enumerate(zip(frames.pixels, frames.times, strict=True)):
        # The list is rounded to milliseconds; where an instant falls on a frame's rounding, either neighbour is right.
        instant = k / fps * 1000
        allowed = {int(codes[np.searchsorted(milliseconds, instant + slack, side="right") - 1]) for slack in (-1, 1)}
        assert _code(picture) in allowed
        assert abs(moment * 1000 - milliseconds[list(codes).index(_code(picture))]) <= 1


def _kept(frames: Frames) -> int:
    return len(deduplicate(GridDescriptor().describe(frames.pixels), 0.95))


def test_stills_and_slides_lose_their_duplicates(shared_odd: Path) -> None:
    spec = FrameSpec(fps=1, short_side=64, stop_seconds=30.0)
    assert _kept(read(str(shared_odd / "made_slideshow_5_images_30s.mp4"), spec)) == 5
    assert _kept(read(str(shared_odd / "made_slideshow_identical_1fps.mp4"), spec)) == 1


def test_the_default_stream_is_read_even_where_another_is_larger(shared_odd: Path) -> None:
    video = probe(str(shared_odd / "made_two_video_streams.mkv"))
    assert (video.height, video.width) == (180, 320)


REAL = [
    "animal_dog_walk_h264.mp4",
    "city_sculpture_msmpeg4.avi",
    "driving_highway_mpeg2.ts",
    "music_guitar_closeup_h264.mp4",
    "nature_flower_timelapse_vp8.webm",
    "people_webcam_vfr_h264.mov",
    "sport_basketball_dunks_h264.mp4",
]


@pytest.mark.parametrize("name", REAL)
def test_real_clips_read_the_same_by_plan_and_in_order(
    shared_videos: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [FrameSpec(fps=1, short_side=56, stop_seconds=6.0), FrameSpec(fps=2.3, short_side=28, stop_seconds=4.0)]
    with monkeypatch.context() as patch:
        patch.setattr(decode, "_decode_through", lambda *_: pytest.fail("the plan fell back"))
        planned = read_many(str(shared_videos / name), specs)
    monkeypatch.setattr(decode, "_decode_planned", lambda *_: False)
    for a, b in zip(planned, read_many(str(shared_videos / name), specs), strict=True):
        np.testing.assert_array_equal(a.times, b.times)
        np.testing.assert_array_equal(a.pixels, b.pixels)
