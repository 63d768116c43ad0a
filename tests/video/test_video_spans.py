"""Black, still and returning stretches, and bars, of frames made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_scenes import at, scene

from reelgym.video.spans import black_spans, inside_bars, letterbox, luma, returning, static_spans


def noise(count: int, seed: int = 0) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(40, 256, (count, 6, 6, 3)).astype(np.uint8)
    return blocks.repeat(8, 1).repeat(8, 2)


def test_black_is_a_span_up_to_the_next_picture_and_dark_grain_counts() -> None:
    pixels = noise(8)
    pixels[2:4] = 16
    pixels[7] = np.random.default_rng(1).integers(0, 20, pixels[7].shape)
    assert black_spans(at(pixels, 2.0)) == [(1.0, 2.0), (3.5, 4.0)]


def test_still_frames_are_a_span_only_when_nothing_anywhere_changes() -> None:
    pixels = noise(9)
    pixels[3:7] = pixels[3]
    assert static_spans(at(pixels, 1.0)) == [(3.0, 7.0)]
    pixels[5, :16, :16] = 0  # One ninth of one frame.
    assert static_spans(at(pixels, 1.0)) == []


def test_a_view_that_comes_back_is_told_with_where_it_was_first() -> None:
    pixels = noise(6)
    pixels[4] = pixels[1]
    pixels[3] = pixels[2]  # Standing still is no return.
    assert returning(at(pixels, 1.0)) == [(4.0, 1.0)]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 16))
def test_bars_are_measured_and_cut_off(top: int, bottom: int, left: int) -> None:
    inner = noise(3)
    height, width = inner.shape[1] + top + bottom, inner.shape[2] + left
    pixels = np.full((4, height, width, 3), 12, np.uint8)
    pixels[:3, top : top + inner.shape[1], left:] = inner  # The last frame is black as a whole.
    found = letterbox(pixels)
    assert found == pytest.approx((top / height, bottom / height, left / width, 0.0), abs=1e-4)
    assert np.array_equal(inside_bars(pixels, found)[:3], inner)


def test_a_dark_scene_and_a_black_video_have_no_bars() -> None:
    assert letterbox(np.full((3, 40, 40, 3), 10, np.uint8)) == (0, 0, 0, 0)
    assert letterbox(scene(1, seconds=2.0, side=64)) == (0, 0, 0, 0)


def test_brightness_is_the_weighted_mean_of_the_channels() -> None:
    pixels = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]], np.uint8)
    assert luma(pixels)[0, 0] == pytest.approx([76.245, 149.685, 29.07], abs=1e-2)
