from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reelgym.rollout.streams import Streams, uniforms

names = st.tuples(
    st.integers(0, 2**40),
    st.integers(0, 10**6),
    st.one_of(st.text("ab1", max_size=3), st.integers()),
    st.integers(0, 64),
)


def test_golden_numbers_of_one_stream() -> None:
    # Stored runs resume only while these stay: SHA-256 of '[0, 0, "a", 0]' is the Philox key.
    expected = [0.4239269252103842, 0.9344105300911686, 0.28929832447824944]
    np.testing.assert_array_equal(uniforms(0, 0, "a", 0, 3), expected)


@given(names, st.integers(0, 20), st.integers(0, 20))
def test_a_longer_stream_begins_with_the_shorter(name: tuple[int, int, str, int], few: int, more: int) -> None:
    np.testing.assert_array_equal(uniforms(*name, few + more)[:few], uniforms(*name, few))


@given(names, names)
def test_streams_of_different_names_differ(one: tuple[int, int, str, int], other: tuple[int, int, str, int]) -> None:
    same = [type(x) for x in one] == [type(x) for x in other] and one == other
    assert np.array_equal(uniforms(*one, 4), uniforms(*other, 4)) == same


def test_numbers_lie_in_the_half_open_unit_interval_and_fill_it_evenly() -> None:
    numbers = np.concatenate([uniforms(7, 3, "clip", member, 1000) for member in range(20)])
    assert numbers.dtype == np.float64
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    # Chi-square with 19 degrees of freedom: above 43.8 once in 1,000.
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 43.8


def test_a_call_draws_each_member_of_each_prompt_from_its_own_stream() -> None:
    streams = Streams(5, 9, ("x", "y"), first_member=2)
    drawn = streams.draw(1, 3, 4)
    np.testing.assert_array_equal(drawn, [uniforms(5, 9, "y", member, 4) for member in (2, 3, 4)])
