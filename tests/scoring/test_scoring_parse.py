"""Parsers: what counts as an answer, and that nothing else ever does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring import answer_text, parse_indices

CLEAR = (
    "3, 1, 2",
    "3 1 2",
    "[3, 1, 2]",
    "(3) (1) (2)",
    "[3] -> [1] -> [2]",
    "3->1->2",
    "3 \u2192 1 \u2192 2",
    "3-1-2",
    "3, 1 and 2.",
    "Candidate 3, candidate 1, then candidate 2",
    "**3, 1, 2**",
    "\\boxed{3, 1, 2}",
    "\n3\n1\n2\n",
    "- 3\n- 1\n- 2",
    "3;1;2",
    "candidates: 3, 1, 2",
    "03, 1, 2",
)
UNCLEAR = (
    "",
    "3, 1",
    "3, 1, 2, 4",
    "3, 1, 1",
    "3, 1, 6",
    "0, 1, 2",
    "-3, 1, 2",
    "3, -1, 2",
    "3.1, 2",
    "1.5, 2, 3",
    ".3 1 2",
    "312",
    "the answer is 3, 1, 2",
    "3, 1, 2 or 3, 2, 1",
    "1. 3\n2. 1\n3. 2",
    "3, 1, x",
    "three, 1, 2",
    "9999999999999999999, 1, 2",
    "\u00b3, 1, 2",
    "\u0663, 1, 2",
    "not 3, 1, 2",
)


@pytest.mark.parametrize("text", CLEAR)
def test_clear_answers_are_read(text: str) -> None:
    assert parse_indices(text, 3, 5) == (3, 1, 2)


@pytest.mark.parametrize("text", [*UNCLEAR, "3, 1, 2" + " " * 20_000])
def test_anything_else_is_no_answer(text: str) -> None:
    assert parse_indices(text, 3, 5) is None


@given(st.text() | st.text("0123456789,.-> []()candidate\n"), st.integers(1, 4), st.integers(1, 6))
def test_the_parser_never_raises_and_never_returns_a_wrong_count(text: str, count: int, upper: int) -> None:
    found = parse_indices(text, count, upper)
    assert found is None or (len(found) == len(set(found)) == count and all(1 <= index <= upper for index in found))


@given(st.permutations(range(1, 8)), st.integers(1, 7), st.sampled_from([", ", " ", " -> ", "][", "\n", " and "]))
def test_what_is_written_is_what_is_read(order: list[int], count: int, separator: str) -> None:
    written = order[:count]
    assert parse_indices(separator.join(map(str, written)), count, 7) == tuple(written)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("2, 1", "2, 1"),
        ("  2, 1\n", "2, 1"),
        ("", ""),
        ("<answer>2, 1</answer>", "2, 1"),
        ("<observation>a</observation><think>b</think><answer> 2, 1 </answer> bye", "2, 1"),
        ("<think>4, 5</think>2, 1", None),
        ("<answer>2, 1", None),
        ("2, 1</answer>", None),
        ("</answer>2, 1<answer>", None),
        ("<answer>2</answer><answer>1</answer>", None),
        ("<answer><answer>2, 1</answer>", None),
        ("<answer>2<think>, 1</think></answer>", None),
    ],
)
def test_the_answer_is_the_single_tag_or_the_whole_untagged_reply(reply: str, answer: str | None) -> None:
    assert answer_text(reply) == answer


@given(st.lists(st.sampled_from(["<answer>", "</answer>", "<think>", "</think>", "2", " ", "<", ">"])).map("".join))
def test_an_answer_never_holds_a_tag(reply: str) -> None:
    found = answer_text(reply)
    assert found is None or "answer>" not in found
