"""Replies that parsers in use read as another letter, as none, or as a different one on every call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.scoring.lenient import find_choice, find_number, find_order, find_spans
from reelgym.scoring.parse import answer_text

FOUR = ["a dog", "a cat", "a bird", "a fish"]
TEN = [f"item {number}" for number in range(10)]
PERSON = ["C cooks.", "C reads.", "C sings."]
NESTED = ["red", "red and blue", "blue", "green"]

LENIENT = [
    # The replies of the published comparison of parsers; B is right.
    ("B", FOUR, "B"),
    ("(B)", FOUR, "B"),
    ("B. a cat", FOUR, "B"),
    ("Answer: B", FOUR, "B"),
    ("**B**", FOUR, "B"),
    (r"\boxed{B}", FOUR, "B"),
    ("I think it is B", FOUR, "B"),
    ("A man opens a door, so the answer is B", FOUR, "B"),
    ("Option A is wrong; the answer is B", FOUR, "B"),
    ("<answer>B</answer>", FOUR, "B"),
    ("a cat", FOUR, "B"),
    ("b", FOUR, "B"),
    ("", FOUR, None),
    ("The video does not show this", FOUR, None),
    # Cut off in thought: what was thought is no answer.
    ("<think>The answer is B", FOUR, None),
    ("<think>A, B, C are wrong</think>", FOUR, None),
    ("<think>Surely A.</think> B", FOUR, "B"),
    ("<think>Surely A.</think><answer>B", FOUR, "B"),
    ("Surely A.</think> B", FOUR, "B"),
    ("<observation>A cat</observation><think>B", FOUR, None),
    # Two letters.
    ("A or B", FOUR, None),
    ("The answer is A or B", FOUR, None),
    ("Both A and B", FOUR, None),
    ("Between C and A I cannot choose.", FOUR, None),
    ("I or F", TEN, None),
    ("I, because it is shown at the end.", TEN, "I"),
    ("A and a bird", FOUR, "A"),
    ("A, B", FOUR, None),
    ("The answer is B, C", FOUR, None),
    ("The answer is B, not A.", FOUR, "B"),
    ("Between A and B, I choose B.", FOUR, "B"),
    ("A seems right. No: the answer is B.", FOUR, "B"),
    ("It could be A (a dog) or C (a bird).", FOUR, None),
    # Several answer tags: the last is meant, and read strictly none is.
    ("<answer>A</answer><answer>B</answer>", FOUR, "B"),
    ("<answer>A</answer> wait <answer>B", FOUR, "B"),
    ("<answer></answer>", FOUR, None),
    # Denied letters.
    ("not A", FOUR, None),
    ("It isn't B", FOUR, None),
    ("A is incorrect, C is false, D is wrong.", FOUR, None),
    ("B is correct", FOUR, "B"),
    # Articles and pronouns.
    ("A dog and a bird run. B", FOUR, "B"),
    ("A BMW passes", FOUR, None),
    ("I am not sure", TEN, None),
    ("I think it is J", TEN, "J"),
    ("The answer is I", TEN, "I"),
    ("I", TEN, "I"),
    ("(I)", TEN, "I"),
    ("I. item 8", TEN, "I"),
    ("The answer is K", TEN, None),
    ("E", FOUR, None),
    # An option's text that holds another's.
    ("red and blue", NESTED, "B"),
    ("It is red and blue.", NESTED, "B"),
    ("It is red.", NESTED, "A"),
    ("It is green and blue.", NESTED, None),
    ("It is darkred.", NESTED, None),
    ("A dog, then a cat", FOUR, None),
    # Other languages.
    ("\u7b54\u6848\u662fB", FOUR, "B"),
    ("\u7b54\u6848\uff1a\uff22", FOUR, "B"),
    ("\u7b54\u3048\u306fB", FOUR, "B"),
    ("\uc815\ub2f5: B", FOUR, "B"),
    ("La r\u00e9ponse est B.", FOUR, "B"),
    ("La respuesta es B", FOUR, "B"),
    ("Die Antwort ist B.", FOUR, "B"),
    ("\u041e\u0442\u0432\u0435\u0442: B", FOUR, "B"),
    # Marks.
    ("**Answer:** B", FOUR, "B"),
    ("Final Answer: **(B)**", FOUR, "B"),
    ("The best answer is:\n\nB. a cat", FOUR, "B"),
    (r"Thus $\boxed{\text{B}}$.", FOUR, "B"),
    ("Option (B) shows it.", FOUR, "B"),
    ("B) a cat", FOUR, "B"),
    ("[B]", FOUR, "B"),
    ("B\n\nBecause a cat is seen.", FOUR, "B"),
    ("Vitamin B12 is named", FOUR, None),
    ("...", FOUR, None),
    ("(", FOUR, None),
    # The person in the video is called C.
    ("C sits and hums.", PERSON, None),
    ("C reads.", PERSON, "B"),
    ("In the video C sings.", PERSON, "C"),
    ("C", PERSON, "C"),
    ("The answer is C because C sings.", PERSON, "C"),
    ("C (C sings.)", PERSON, "C"),
    ("It shows C. elegans.", ["C. elegans", "a fly", "a mouse"], "A"),
    ("C. a mouse", ["C. elegans", "a fly", "a mouse"], "C"),
    # A letter beside the text of another option.
    ("A. a cat", FOUR, None),
]


@pytest.mark.parametrize(("reply", "options", "letter"), LENIENT)
def test_the_lenient_reading(reply: str, options: list[str], letter: str | None) -> None:
    place = find_choice(reply, options)
    assert (None if place is None else "ABCDEFGHIJ"[place]) == letter


BOXES = {"boxes": [[3, [0, 0, 500, 1000]], [4, [10.5, 0, 500, 1000]]]}
PUZZLE = {"demo": "grid", "state": [[0, 0], [0, 0]], "at": [0, 0], "goal": [[1, 1], [0, 1]]}


def sample(kind: str = "choice", answer: object = "B", **evidence: object) -> Sample:
    held = {"kind": kind, "duration_seconds": 20.0, "options": FOUR} | evidence
    return Sample(id="x", task="benchmark", messages=(), answer=answer, split="test", evidence=held)


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        ("B", 1, 1),
        ("<answer>B</answer>", 1, 1),
        ("The answer is B", None, 1),
        ("<answer>A</answer><answer>B</answer>", None, 1),
        ("A or B", None, None),
    ],
)
def test_both_readings_are_stored_and_the_score_is_the_lenient_one(
    reply: str, strict: int | None, lenient: int | None
) -> None:
    score = tasks.get("benchmark").score(reply, sample())
    assert score.parsed == (None if lenient is None else {"strict": strict, "lenient": lenient})
    assert (score.value, score.parts["strict"]) == (float(lenient == 1), float(strict == 1))
    assert score.parts["read_strictly"] == float(strict is not None)
    assert score.valid == (lenient is not None)


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("3", 3),
        ("There are 3 chairs.", 3),
        ("three", 3),
        ("2 or 3", None),
        ("I counted 2, then 1 more: the answer is 3.", 3),
        ("1 + 2 = 3", 3),
        ("about 4.5 m", 4.5),
        ("1,200", 1200),
        ("-3", -3),
        ("2-3", None),
        ("", None),
        ("many", None),
        ("<think>It is 3", None),
        ("3 chairs, so 3", 3),
        (r"\boxed{3}", 3),
    ],
)
def test_numbers(reply: str, number: float | None) -> None:
    assert find_number(reply) == number


@pytest.mark.parametrize(
    ("reply", "spans"),
    [
        ("3.5 - 10", ((3.5, 10.0),)),
        ("From 0:12 to 0:20.", ((12.0, 20.0),)),
        ("It starts at 4 s and ends at 8 s.", ((4.0, 8.0),)),
        ("10 - 3", None),
        ("at 4 s", None),
        ("1 - 2; 5 - 6", ((1.0, 2.0), (5.0, 6.0))),
        ("", None),
    ],
)
def test_intervals(reply: str, spans: object) -> None:
    assert find_spans(reply) == spans


@pytest.mark.parametrize(
    ("reply", "order"),
    [
        ("2, 1, 3", (2, 1, 3)),
        ("Correct order: Clip 2, Clip 1, Clip 3", (2, 1, 3)),
        ("Perhaps 1, 2, 3.\nCorrect order: 2, 1, 3", (2, 1, 3)),
        ("Correct order:", None),
        ("1, 2", None),
        ("1, 1, 2", None),
    ],
)
def test_orders(reply: str, order: tuple[int, ...] | None) -> None:
    assert find_order(reply, 3) == order


PIECES = [*"ABCDabIJ ().,:*<>/\n-0159", "<think>", "</think>", "<answer>", "the answer is "]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_reply_raises_and_the_strict_reading_is_kept_wherever_there_is_one(reply: str) -> None:
    task = tasks.get("benchmark")
    asked = [sample(), sample("number", "3"), sample("span", None, spans=[[1, 2]]), sample("order", [2, 1])]
    asked += [sample("short", "3"), sample("open", "a dog"), sample("boxes", None, facts=BOXES)]
    asked += [sample("operations", None, facts=PUZZLE), sample("spans", None, spans=[[1, 2]])]
    for one in [*asked, sample("grounded", "B", spans=[[1, 2]])]:
        score = task.score(reply, one)
        assert 0 <= score.value <= 1 and score.parts["strict"] in (0.0, score.value)
        if answer_text(reply) is None:
            assert score.parts["read_strictly"] == 0


@pytest.mark.parametrize(
    "one",
    [
        sample(),
        sample("number", "3.5"),
        sample("span", None, spans=[[1, 2.5]]),
        sample("spans", None, spans=[[1, 2.5], [4, 6]]),
        sample("order", [2, 3, 1]),
        sample("grounded", "B", spans=[[1, 2.5]]),
        sample("short", "['24/7', '3.43']"),
        sample("open", "the dog's bone"),
        sample("boxes", None, facts=BOXES),
    ],
    ids=lambda one: str(one.evidence["kind"]),
)
def test_gold_is_read_strictly_and_scores_1(one: Sample) -> None:
    task = tasks.get("benchmark")
    score = task.score(task.gold(one), one)
    assert (score.value, score.parts["strict"], score.parts["read_strictly"]) == (1, 1, 1)
    assert {name for name in task.chance(one)} == {*score.parts, "value"}
    assert all(0 <= value <= 1 for value in task.chance(one).values())
