"""Rewards of single segments: their form and their length, for VideoP2R's two columns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_groups import group

from reelgym.data.segments import segment
from reelgym.errors import RequestError
from reelgym.rewards import Length, SegmentFormat

PARTS = ("<observation>", "</observation>", "<think>", "</think>", "<answer>", "</answer>", "a", " ")


@pytest.mark.parametrize(
    ("reply", "perception", "reasoning"),
    [
        ("<observation>a</observation><think>b</think><answer>3</answer>", True, True),
        ("<think>b</think><answer>3</answer>", False, True),
        ("<observation>a</observation>", True, False),
        ("<observation> </observation><think>b</think><answer>3</answer>", False, True),
        ("<observation>a</observation><observation>a</observation><think>b</think><answer>3</answer>", False, True),
        ("<observation>a<think>b</think></observation><answer>3</answer>", False, True),
        ("<observation>a</observation><answer>3</answer><think>b</think>", True, False),
        ("<observation>a</observation><think>b</think><answer>3", True, False),
        ("</observation>a<observation><think>b</think><answer>3</answer>", False, True),
        ("", False, False),
    ],
)
def test_each_segment_s_form_is_judged_by_itself(reply: str, perception: bool, reasoning: bool) -> None:
    assert SegmentFormat("observation").valid(reply) is perception
    assert SegmentFormat("think+answer").valid(reply) is reasoning


@given(st.lists(st.sampled_from(PARTS), max_size=10))
def test_a_form_is_a_matter_of_the_tags_alone(parts: list[str]) -> None:
    reply = "".join(parts)
    inside = reply.partition("<observation>")[2].partition("</observation>")[0]
    once = reply.count("<observation>") == reply.count("</observation>") == 1
    wanted = once and reply.index("<observation>") < reply.index("</observation>")
    assert SegmentFormat().valid(reply) is (wanted and inside.strip() != "" and "<" not in inside)


def test_a_segment_s_length_counts_its_own_tokens_with_its_tags() -> None:
    pieces = [
        "<observation>",
        "a",
        "b",
        "</observation>",
        " ",
        "<think>",
        "c",
        "</think>",
        "<answer>",
        "3",
        "</answer>",
    ]
    one = group(["".join(pieces)], tokens=[len(pieces)])
    turn = replace(one.trajectories[0].turns[0], segments=segment(pieces))
    spoken = replace(one, trajectories=(replace(one.trajectories[0], turns=(turn,)),))
    for of, count in {"observation": 4, "think": 3, "think+answer": 6, "": 11}.items():
        assert Length(count, count, of).score(spoken).tolist() == [[1.0]]
        assert Length(count + 1, 99, of).score(spoken).tolist() == [[0.0]]
    assert (Length(of="think+answer").label, Length().label) == ("length/think+answer", "length")


def test_an_unknown_segment_is_named() -> None:
    with pytest.raises(RequestError, match="no segment is called 'thoughts'"):
        SegmentFormat("think+thoughts")
