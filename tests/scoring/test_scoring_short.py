from __future__ import annotations

import pytest

from reelgym.scoring.short import bare, is_right, right_texts, stated


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("the dog", "the dog"),
        ("He ran. Final Answer: the dog", "the dog"),
        ("**Final Answer:** 3.5 m", "3.5 m"),
        (r"So it is \boxed{12}.", "12"),
        ("<think>12?</think>\nThe answer is: twelve", "twelve"),
        ("Final Answer: one\nNo. Final answer: two", "two"),
        ("Final Answer:", "Final Answer:"),  # Says nothing, and is compared as it stands.
        ("<think>12", None),
        ("", None),
        ("word " * 2001, None),
    ],
)
def test_the_stated_answer_is_the_last_marked_one(reply: str, text: str | None) -> None:
    assert stated(reply) == text


def test_read_strictly_is_an_answer_without_a_mark_before_it() -> None:
    assert bare("the dog") == "the dog"
    assert bare("The answer is the dog") is None and bare(r"\boxed{3}") is None


@pytest.mark.parametrize(
    ("reply", "truth", "right"),
    [
        ("3.5", "3.50", True),
        ("about 3.5 m/s", "3.5", True),
        ("3.51", "3.5", False),
        ("3 or 3.5", "3.5", False),  # Two numbers are none.
        ("35", "3.5", False),
        ("The Dog", "the dog.", True),
        ("the dog and the cat", "the dog", False),
        ("dog", "the dog", False),  # A judge may think otherwise; a rule may not.
    ],
)
def test_right_is_the_same_number_or_the_same_words(reply: str, truth: str, right: bool) -> None:
    assert is_right(reply, [truth]) is right


def test_several_right_answers_are_written_as_a_list() -> None:
    assert right_texts("['24/7', '3.429']") == ["24/7", "3.429"] and is_right("3.43", ["24/7", "3.429"])
    assert right_texts("[0, 11]") == ["[0, 11]"] and right_texts("[broken") == ["[broken"]
