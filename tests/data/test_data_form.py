"""The form of a reply: every malformed one has a defined name, segments and reward, and the document says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.data.form import contents, faults
from reelgym.data.segments import segment
from reelgym.data.templates import OPENINGS, TAGS
from reelgym.rewards import Format
from reelgym.rewards.segment_format import SegmentFormat

SEEN, T, A = "<observation>a</observation>", "<think>b</think>", "<answer>2</answer>"
WHOLE = f"{SEEN}{T}{A}"
MALFORMED = {
    WHOLE: (),
    f" {SEEN}\n{T} {A}\n": (),
    "2": ("text outside tags", "observation missing", "think missing", "answer missing"),
    "": ("observation missing", "think missing", "answer missing"),
    T + A: ("observation missing",),
    SEEN + A: ("think missing",),
    SEEN + T: ("answer missing",),
    SEEN + T + "2": ("text outside tags", "answer missing"),
    "so " + WHOLE: ("text outside tags",),
    WHOLE + "done": ("text outside tags",),
    SEEN + SEEN + T + A: ("observation repeated",),
    SEEN + T + A + A: ("answer repeated",),
    T + SEEN + A: ("out of order",),
    "<observation></observation>" + T + A: ("observation empty",),
    SEEN + T + "<answer> </answer>": ("answer empty",),
    SEEN + "<think>b": ("think not closed", "answer missing"),
    SEEN + T + "<answer>2": ("answer not closed",),
    SEEN + T + "<answer>2</ans": ("answer not closed",),
    f"<observation>a{T}</observation>{A}": ("think inside observation",),
    f"<observation>a{T}{A}": ("think inside observation", "answer inside observation", "observation not closed"),
    f"{SEEN}<think>b<answer>2</think></answer>": ("answer inside think",),
    f"</think>{WHOLE}": ("think closed before it opens",),
    f"{SEEN}<think>b</answer></think>{A}": ("answer closed inside think",),
    WHOLE.upper(): ("text outside tags", "observation missing", "think missing", "answer missing"),
}


@pytest.mark.parametrize("text", MALFORMED)
def test_every_malformed_reply_has_its_faults_by_name(text: str) -> None:
    assert faults(text) == MALFORMED[text]


def row(text: str) -> str:
    """Return the line of docs/segments.md for a reply."""
    spans = ", ".join(f"`{text[s.start : s.stop]}`" for s in segment(list(text))) or "none"
    paid = [SegmentFormat("observation").valid(text), SegmentFormat("think+answer").valid(text), Format().valid(text)]
    said = "; ".join(faults(text)) or "none"
    shown = f"`{text}`" if text else "(empty)"
    line = f"| {shown} | {said} | {spans} | {' | '.join('1' if one else '0' for one in paid)} |"
    return line.replace("\n", "\\n")


def test_the_document_says_what_each_gets(repository: Path) -> None:
    document = (repository / "docs" / "segments.md").read_text(encoding="utf-8")
    assert [line for line in map(row, MALFORMED) if line not in document] == []


PIECES = st.lists(st.sampled_from([f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")] + ["a", " ", "<", "\n"]))
NESTED = re.compile("".join(rf"\s*<{tag}>((?:(?!</?(?:{'|'.join(TAGS)})>).)*)</{tag}>\s*" for tag in TAGS), re.DOTALL)


@given(PIECES.map("".join) | st.just(WHOLE))
def test_a_reply_without_faults_is_one_that_the_plain_pattern_matches(text: str) -> None:
    found = NESTED.fullmatch(text)
    assert (not faults(text)) == (found is not None and all(part.strip() for part in found.groups()))
    if not faults(text):
        assert contents(text) == dict(zip(TAGS, (part.strip() for part in found.groups()), strict=True)) if found else 0


@given(PIECES)
def test_segments_are_those_of_a_walk_letter_by_letter(parts: list[str]) -> None:
    """The oracle: at every letter, which segment is it in? Tags belong to their segment."""
    text = "".join(parts)
    owners: list[str] = []
    name, place = "", 0
    while place < len(text):
        tag = re.compile(rf"<(/?)({'|'.join(TAGS)})>").match(text, place)
        if tag is None:
            owners.append(name)
            place += 1
            continue
        if not tag[1]:
            name = tag[2]
        owners += [name] * len(tag[0])
        if tag[1] and tag[2] == name:
            name = ""
        place = tag.end()
    owned = [""] * len(text)
    for found in segment(list(text)):
        owned[found.start : found.stop] = [found.name] * (found.stop - found.start)
    assert owned == owners


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert faults(text)
    assert contents(text) == {}


def test_the_fixed_openings_are_wanted_only_where_they_were_asked_for() -> None:
    opened = f"<observation>{OPENINGS['observation']} a</observation><think> {OPENINGS['think']} b</think>{A}"
    assert faults(opened) == faults(opened, opened=True) == ()
    assert faults(WHOLE, opened=True) == tuple(f"{name} does not open with the fixed words" for name in OPENINGS)
    bare = "<think>b</think><answer>2</answer>"
    assert (Format("reasoned").valid(bare), Format("reasoned").valid(WHOLE), Format().valid(bare)) == (
        True,
        False,
        False,
    )
    assert faults(WHOLE, wanted=("think", "answer")) == ("observation not asked for",)
    assert (Format("videop2r").valid(WHOLE), Format("videop2r_opened").valid(WHOLE)) == (True, False)
