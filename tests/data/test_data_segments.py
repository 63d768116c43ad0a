"""Segments: spans over tokens, whatever the tokens and however broken the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.data.segments import segment
from reelgym.data.trajectory import Segment

WHOLE = "<observation>a b</observation>\n<think>c</think> <answer>2, 1</answer>"


def spans(pieces: list[str]) -> list[tuple[str, str]]:
    return [(s.name, "".join(pieces[s.start : s.stop])) for s in segment(pieces)]


def test_a_well_formed_reply_has_its_three_segments_with_their_tags() -> None:
    assert spans(list(WHOLE)) == [
        ("observation", "<observation>a b</observation>"),
        ("think", "<think>c</think>"),
        ("answer", "<answer>2, 1</answer>"),
    ]


def test_tags_may_be_split_over_tokens_and_share_tokens_with_text() -> None:
    pieces = ["so <th", "ink>c</th", "ink>\n<ans", "wer>2", "</answer>", "", "!"]
    # The token that ends think and begins answer belongs to think.
    assert segment(pieces) == (Segment("think", 0, 3), Segment("answer", 3, 5))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("no tags", []),
        ("</think>a", []),
        ("<think>a", [("think", "<think>a")]),
        ("<think>a<answer>2</answer>", [("think", "<think>a"), ("answer", "<answer>2</answer>")]),
        ("<think>a</answer>b</think>", [("think", "<think>a</answer>b</think>")]),
        ("<answer>1</answer><answer>2</answer>", [("answer", "<answer>1</answer>"), ("answer", "<answer>2</answer>")]),
        ("<Think>a</Think>", []),
    ],
)
def test_malformed_text_has_defined_segments(text: str, wanted: list[tuple[str, str]]) -> None:
    assert spans(list(text)) == wanted


def test_no_tokens_no_segments() -> None:
    assert segment([]) == ()
    assert segment(["", ""]) == ()


PARTS = ["<observation>", "</observation>", "<think>", "</think>", "<answer>", "</answer>", "a", " ", "<", ""]


@given(st.lists(st.sampled_from(PARTS)), st.data())
def test_segments_are_ordered_disjoint_and_hold_the_same_text_however_it_is_cut(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    coarse, fine = segment(pieces), segment(list(text))
    stops = [0] + [s.stop for s in coarse]
    assert all(before <= s.start < s.stop <= len(pieces) for before, s in zip(stops, coarse, strict=False))
    # A coarser cut may swallow a segment whose tokens belong to the one before; it never invents one.
    names = iter(s.name for s in fine)
    assert all(s.name in names for s in coarse)
    for s in coarse:
        assert f"<{s.name}>" in "".join(pieces[max(0, s.start - 1) : s.stop])
