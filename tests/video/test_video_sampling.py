from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.errors import RequestError
from reelgym.video import FrameSpec, auto_fps, fit, sample_times
from reelgym.video.clock import instants, seconds_to_micro, ticks_to_micro


def test_ten_seconds_at_one_per_second_are_ten_instants_from_zero_to_nine() -> None:
    assert sample_times(1.0, 10.0) == [float(k) for k in range(10)]


def test_a_duration_rounded_up_by_the_container_gives_no_instant_more() -> None:
    assert len(sample_times(1.0, 20.0003)) == 20
    assert len(sample_times(1.0, 20.0011)) == 21


def test_the_shortest_clip_has_one_instant() -> None:
    assert sample_times(1.0, 0.04) == [0.0]
    assert sample_times(1.0, 0.0) == [0.0]


@given(st.fractions(Fraction(1, 10), 60, max_denominator=50), st.integers(2000, 30_000_000))
def test_instants_of_a_rate_are_the_multiples_of_its_period_below_the_end(fps: Fraction, end: int) -> None:
    # Oracle: exact fractions, k / fps in microseconds rounded half up, while more than a millisecond before the end.
    expected, k = [], 0
    while (t := (2 * k * 1_000_000 * fps.denominator + fps.numerator) // (2 * fps.numerator)) < end - 1000 and k < 50:
        expected.append(t)
        k += 1
    got = [round(t * 1e6) for t in sample_times(float(fps), end / 1e6)[:50]]
    assert got == expected


@given(st.floats(0.1, 30), st.floats(0, 20), st.floats(0, 20))
def test_a_span_takes_those_instants_of_the_whole_grid_that_lie_in_it(fps: float, start: float, length: float) -> None:
    whole = instants(FrameSpec(fps=fps, stop_seconds=40.0))
    low, high = seconds_to_micro(start), seconds_to_micro(start + length)
    part = list(instants(FrameSpec(fps=fps, start_seconds=start, stop_seconds=start + length)))
    assert part == [t for t in whole if low <= t < high]


def test_times_are_taken_ascending_and_within_the_span() -> None:
    spec = FrameSpec(times=(3.0, 2.0, 0.9, 1.0), start_seconds=1.0, stop_seconds=3.0)
    assert list(instants(spec)) == [1_000_000, 2_000_000]


def test_ticks_become_microseconds_rounded_half_up_as_seconds_do() -> None:
    # 1/128 s = 7812.5 us, exactly representable: both ways give 7813.
    assert ticks_to_micro(1, Fraction(1, 128)) == 7813 == seconds_to_micro(1 / 128)
    # 10^12 ticks of 1/90000 s need 64-bit arithmetic: 10^12 / 9 * 100 us, 11111111111111.1.
    assert ticks_to_micro(10**12, Fraction(1, 90_000)) == 11_111_111_111_111


def test_auto_fps_takes_the_smallest_rate_that_gives_enough_instants() -> None:
    assert auto_fps(32.0, 32) == 1.0  # exactly 32 instants
    assert auto_fps(31.9, 32) == 1.0  # 0, 1, ..., 31
    assert auto_fps(31.0, 32) == 2.0
    assert auto_fps(8.0, 32) == 4.0
    assert auto_fps(3.0, 32) == 8.0  # 24 are too few, there is no higher rate


@given(st.floats(0.1, 300), st.integers(1, 64))
def test_auto_fps_is_minimal(duration: float, wanted: int) -> None:
    rate = auto_fps(duration, wanted)
    lower = [other for other in (1.0, 2.0, 4.0, 8.0) if other < rate]
    assert all(len(sample_times(other, duration)) < wanted for other in lower)
    assert rate == 8.0 or len(sample_times(rate, duration)) >= wanted


def test_fit_scales_the_short_side_and_rounds_the_other() -> None:
    assert fit(720, 1280, 224) == (224, 398)  # 1280 * 224 / 720 = 398.2
    assert fit(1280, 720, 224) == (398, 224)
    assert fit(50, 50, 224) == (224, 224)
    assert fit(2, 3, 1) == (1, 2)  # 1.5 rounds up


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 500))
def test_fit_gives_the_short_side_exactly(height: int, width: int, side: int) -> None:
    assert min(fit(height, width, side)) == side
    assert fit(width, height, side) == fit(height, width, side)[::-1]


def test_fit_refuses_an_empty_picture() -> None:
    with pytest.raises(RequestError, match="cannot fit 0 x 5"):
        fit(0, 5, 10)
