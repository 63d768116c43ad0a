import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reelgym.curation import drill_reply

FORM = re.compile(r"<observation> (.*)</observation><think> (.*)</think>")


@given(st.integers(0, 10_000))
def test_every_number_in_the_thinking_is_the_one_observed_for_its_square(seed: int) -> None:
    found = FORM.fullmatch(drill_reply(Random(seed)))
    assert found
    observed, again = (text.split() for text in found.groups())
    numbers = dict(zip(observed[::2], observed[1::2], strict=True))
    assert list(numbers.values()) == ["1", "2", "3", "4", "5"]
    assert all(re.fullmatch("[a-h][1-8]", square) for square in numbers)
    pairs = list(zip(again[::2], again[1::2], strict=True))
    assert len(pairs) == 12
    assert all(numbers[square] == number for square, number in pairs)


def test_the_same_seed_draws_the_same_drill_and_another_one_another() -> None:
    assert drill_reply(Random(1)) == drill_reply(Random(1)) != drill_reply(Random(2))
