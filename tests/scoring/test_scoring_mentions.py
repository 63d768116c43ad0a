"""Renumbering is a bijection on mentions; planted and paraphrased answers are found, descriptions are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring.mentions import renumber, states_answer


@given(st.permutations([1, 2, 3, 4, 5]), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_renumbering_and_back_gives_the_text(order: list[int], named: list[int]) -> None:
    text = " ".join(f"c{number} at {number}.5 s shows candidate {number}," for number in named)
    there = dict(zip(range(1, 6), order, strict=True))
    back = {new: old for old, new in there.items()}
    assert renumber(renumber(text, there), back) == text
    wanted = " ".join(f"c{n} at {n}.5 s shows candidate {there.get(n, n)}," for n in named)
    assert renumber(text, there) == wanted


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("b2 1 c3 2", "b2 2 c3 1"),
        ("Candidate #1 is red; candidate two is blue", "Candidate #2 is red; candidate 1 is blue"),
        ("at 1:30, 1.5 m, 2%, 2nd, x1", "at 1:30, 1.5 m, 2%, 2nd, x1"),
        ("12 and 1", "12 and 2"),
        ("[1]->[2]", "[2]->[1]"),
    ],
)
def test_only_what_stands_alone_names_a_candidate(text: str, renamed: str) -> None:
    assert renumber(text, {1: 2, 2: 1}) == renamed


@pytest.mark.parametrize(
    "text",
    [
        "3, 1, 2",
        "The ball rolls left.\n[3] -> [1] -> [2]\n",
        "The ball rolls left. So the answer is 3, 1 and 2.",
        "First comes candidate 3, followed by candidate 1, and finally candidate 2.",
        "The order is three, one, two",
        "candidates 3 1 2 fill the gap",
    ],
)
def test_a_stated_answer_is_found_in_every_form(text: str) -> None:
    assert states_answer(text, 3, 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " a1 b2 | c3 d4 | e5 1 f6 2 g7 3 h8 4 a2 5",
        "Candidate 1 shows the ball near the wall; candidate 2 shows it at the door; candidate 3 shows it in the air.",
        "Candidates 1, 2, 3, 4 and 5 show a ball.",
        "There are 2 dogs and 1 cat.",
        "At 0.5 s, 1.5 s and 2.5 s the ball bounces",
        "In the order 3, 1, 9 the ball rolls",  # There is no candidate 9,
        "First 3, then 3 and finally 1",  # none comes twice,
        "It goes 0, 1, 2",  # and none is called 0.
    ],
)
def test_a_description_states_no_answer(text: str) -> None:
    assert not states_answer(text, 3, 5)


@given(st.text(max_size=200))
def test_every_text_has_a_verdict(text: str) -> None:
    assert states_answer(text, 3, 5) in (True, False)
    assert isinstance(renumber(text, {1: 2, 2: 1}), str)
