"""Scores of labelled answers, by hand arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring.choice import choice_chance, parse_choice
from reelgym.scoring.number import number_parts, parse_number
from reelgym.scoring.span import GRID, iou, parse_span, span_chance, span_parts
from reelgym.scoring.words import edits, parse_words, word_parts

ANIMALS = ["a cat", "a dog", "A fish.", "a cat"]


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("B", 1),
        (" b ", 1),
        ("(B)", 1),
        ("B.", 1),
        ("B) a dog", 1),
        ("B: A  DOG.", 1),
        ("a fish", 2),
        ("a cat", None),  # Two options say so.
        ("E", None),  # There are four.
        ("B. a cat", None),  # The letter and the text differ.
        ("A man opens a door, so the answer is B", None),
        ("Option A is wrong; the answer is B", None),
        ("A B", None),
        ("", None),
    ],
)
def test_a_choice_is_read_only_where_it_is_clear(reply: str, place: int | None) -> None:
    assert parse_choice(reply, ANIMALS) == place


def test_a_letter_of_no_option_may_be_an_options_text() -> None:
    assert parse_choice("x", ["w", "x"]) == 1
    assert choice_chance(5) == {"exact": 0.2}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42.0),
        ("1,234.50", 1234.5),
        ("-0.5", -0.5),
        ("$ 3", 3.0),
        ("12%", 12.0),
        (".", None),
        ("", None),
        ("12,34", None),
        ("3 cats", None),
        ("1e9", None),
        ("nan", None),
        ("--3", None),
    ],
)
def test_a_number_is_the_whole_text(text: str, number: float | None) -> None:
    assert parse_number(text) == number


def test_measures_of_a_number() -> None:
    # |8 - 10| / 10 = 0.2: relative 0.8; below 1 - theta for theta = 0.50 ... 0.75, six of ten.
    assert number_parts(8, 10) == {"exact": 0.0, "relative": pytest.approx(0.8), "mean_relative": 0.6}
    assert number_parts(3.001, 3.0)["exact"] == 1.0
    assert number_parts(3.01, 3.0)["exact"] == 0.0
    assert number_parts(30, 10)["relative"] == 0.0  # The error of 2 is clipped to 1.
    assert number_parts(0, 0) == {"exact": 1.0, "relative": 1.0, "mean_relative": 1.0}
    assert number_parts(1, 0) == {"exact": 0.0, "relative": 0.0, "mean_relative": 0.0}


def test_measures_of_a_text() -> None:
    # Reply: a man opens a door (5 words, 4 pairs). Truth: the man opens the door slowly (6 words, 5 pairs).
    # Common words: man, opens, door = 3, F = 6 / 11. Common pairs: man-opens = 1, F = 2 / 9. Subsequence 3, F = 6 / 11.
    # Edits: a/the, a/the, slowly: 3 of 6 words wrong.
    parts = word_parts("A man opens a door.", "the man opens the door slowly")
    assert parts["rouge1"] == pytest.approx(6 / 11)
    assert parts["rouge2"] == pytest.approx(2 / 9)
    assert parts["rouge_l"] == pytest.approx(6 / 11)
    assert parts["rouge"] == pytest.approx((6 / 11 + 2 / 9 + 6 / 11) / 3)
    assert parts["exact"] == 0.0
    assert word_parts("a man opens a door", "the man opens the door slowly")["word_accuracy"] == pytest.approx(0.5)
    assert word_parts("a b c d e", "a")["word_accuracy"] == 0.0  # Four wrong words of one: not below 0.
    assert word_parts("Door", "door!") == dict.fromkeys(parts, 1.0) | {"word_accuracy": 0.0}
    assert parse_words("  ") is None
    assert parse_words("w " * 3000) is None


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_edits_agree_with_the_recursion(one: list[str], other: list[str]) -> None:
    def slow(a: list[str], b: list[str]) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    assert edits(one, other) == slow(one, other)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3 - 10", (3, 10)),
        ("3.5s to 10.25 seconds.", (3.5, 10.25)),
        ("(0:59, 1:01:00)", (59, 3660)),
        ("from 1 and 2", (1, 2)),
        ("10 - 3", None),
        ("3 - 3", None),
        ("-3 - 4", None),
        ("between 3 and 4, or so", None),
        ("3", None),
    ],
)
def test_an_interval_is_the_whole_text(text: str, span: tuple[float, float] | None) -> None:
    assert parse_span(text) == span


def test_measures_of_an_interval() -> None:
    # Shared 2 to 6 = 4 s; covered 0 to 8 = 8 s.
    assert span_parts((0, 6), (2, 8)) == {"iou": 0.5, "recall_0.3": 1.0, "recall_0.5": 1.0, "recall_0.7": 0.0}
    assert iou((0, 1), (2, 3)) == 0.0


def test_chance_of_an_interval_is_the_mean_over_the_grid() -> None:
    cell = 30.0 / GRID
    guesses = [(i * cell, j * cell) for i in range(GRID + 1) for j in range(i + 1, GRID + 1)]
    mean = sum(iou(guess, (6.0, 12.0)) for guess in guesses) / len(guesses)
    assert span_chance((6.0, 12.0), 30.0)["iou"] == pytest.approx(mean)
    # The whole video as truth: the mean length of an interval with ends at places i < j of n + 1 is (n + 2) / 3 cells.
    assert span_chance((0.0, 30.0), 30.0)["iou"] == pytest.approx((GRID + 2) / 3 / GRID)


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    parse_choice(text, ANIMALS)
    parse_number(text)
    parse_span(text)
    assert parse_words(text) is None or 0 <= word_parts(text, "a dog runs")["rouge"] <= 1
