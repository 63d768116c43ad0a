"""Scores of labelled answers, by hand arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from reelgym.scoring.choice import choice_chance, parse_choice
from reelgym.scoring.number import number_parts, parse_number
from reelgym.scoring.published import KINDS, published
from reelgym.scoring.span import GRID, iou, parse_span, span_chance, span_parts
from reelgym.scoring.words import parse_words, rouge, word_error_rate, word_parts

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


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
def test_word_errors_agree_with_the_recursion(one: list[str], other: list[str]) -> None:
    def slow(a: list[str], b: list[str]) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    assert word_error_rate(" ".join(one), " ".join(other)) == pytest.approx(slow(one, other) / len(other))


@settings(max_examples=40)
@given(st.text("abcdefgs RUNing,.!?'", max_size=40), st.text("abcdefgs RUNing,.!?'", max_size=40))
def test_rouge_of_plain_text_is_that_of_the_library_as_the_papers_call_it(reply: str, truth: str) -> None:
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(truth, reply)
    assert list(rouge(reply, truth).values()) == [found.fmeasure for found in theirs.values()]


@pytest.mark.parametrize(
    ("kind", "reply", "truth", "value"),
    [
        ("choice", " B ", "B", 1.0),
        ("choice", "B.", "B", 0.0),  # String equality.
        ("choice", "b", "B", 0.0),
        ("number", "3", "3", 1.0),
        ("number", "3.0", "3", 0.0),  # One is written with a point.
        ("number", "3.004", "3.0", 1.0),  # Both round to 3.00.
        ("number", "3.006", "3.0", 0.0),
        ("number", "1,200", "1200.0", 1.0),  # A comma counts as a point.
        ("number", "1200", "1,200", 0.0),
        ("number", "three", "3", 0.0),
        ("number", "nan", "3", 0.0),
        ("number", "3 cats", "3", 0.0),
        ("ocr", "WAY OUT", "WAY OUT", 1.0),
        ("ocr", "way OUT", "WAY OUT", 0.5),  # Case counts: one of two words is wrong.
        ("ocr", "a b c d e", "a", 0.0),  # Four wrong of one, clipped.
        ("ocr", "", "a", 0.0),
        ("ocr", "a\n  b", "a b", 1.0),
        ("text", "runs", "running", 2 / 3),  # Both stem to run; there are no pairs: (1 + 0 + 1) / 3.
        ("text", "A man opens a door.", "the man opens the door slowly", (6 / 11 + 2 / 9 + 6 / 11) / 3),
        ("text", "", "a", 0.0),
        ("regression", "8", "10", 1 - (2 + 1e-9) / (10 + 1e-9)),
        ("regression", "10", "10", 1 - 1e-9 / (10 + 1e-9)),
        ("regression", "31", "10", 0.0),  # The error of 2.1 is clipped to 1.
        ("regression", "0", "0", 0.0),  # 1e-9 / 1e-9: their code pays nothing where the truth is 0.
        ("regression", "1,000", "1000", 1 - 1e-9 / (1000 + 1e-9)),
        ("regression", "about 10", "10", 0.0),
        ("regression", "nan", "10", 0.0),  # Where we differ: theirs pays 1.
        ("regression", "inf", "10", 0.0),
    ],
)
def test_published_metrics_give_what_the_hand_says(kind: str, reply: str, truth: str, value: float) -> None:
    assert published(kind, reply, truth) == pytest.approx(value, abs=1e-15)


def test_answers_in_other_scripts_are_read() -> None:
    assert parse_number("\u0663\u066b\u0665") == 3.5  # Arabic-Indic digits and point.
    assert parse_number("\uff11\uff12") == 12.0
    assert parse_choice("\uff22", ANIMALS) == 1
    # Han without spaces: every character is a word. Three of four are common; the last differs.
    parts = word_parts("\u7ea2\u8272\u6c7d\u8f66", "\u7ea2\u8272\u6c7d\u8239")
    assert (parts["rouge1"], parts["word_accuracy"]) == (0.75, 0.75)
    assert (
        published(
            "text",
            "\u043a\u0440\u0430\u0441\u043d\u0430\u044f \u043c\u0430\u0448\u0438\u043d\u0430",
            "\u043a\u0440\u0430\u0441\u043d\u0430\u044f \u043c\u0430\u0448\u0438\u043d\u0430",
        )
        == 1.0
    )
    assert parse_number("\u4e09") is None  # A number in words, in any language, is none.
    assert parse_number("three") is None


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


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    parse_choice(text, ANIMALS)
    parse_number(text)
    parse_span(text)
    assert all(0 <= published(kind, text, "3") <= 1 for kind in KINDS)
    assert parse_words(text) is None or 0 <= word_parts(text, "a dog runs")["rouge"] <= 1
