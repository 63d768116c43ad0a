"""Instructions: where they go, and that the question is left alone."""

from __future__ import annotations

import pytest

from reelgym.data.messages import Message, Text
from reelgym.data.templates import INSTRUCTIONS, TAGS, with_instruction
from reelgym.errors import RequestError

QUESTION = (Message("system", (Text("s"),)), Message("user", (Text("a"),)), Message("assistant", (Text("b"),)))


@pytest.mark.parametrize("variant", INSTRUCTIONS)
def test_the_instruction_ends_the_last_user_message(variant: str) -> None:
    asked = with_instruction(QUESTION, variant)
    assert asked[1].parts == (Text("a"), Text(INSTRUCTIONS[variant]))
    assert (asked[0], asked[2]) == (QUESTION[0], QUESTION[2])
    assert QUESTION[1].parts == (Text("a"),)


def test_the_tagged_instruction_names_every_tag_in_order() -> None:
    places = [INSTRUCTIONS["tagged"].index(f"<{tag}>") for tag in TAGS]
    assert places == sorted(places)
    assert not any(f"<{tag}>" in INSTRUCTIONS["direct"] for tag in TAGS)


def test_wrong_requests_are_told_in_one_line() -> None:
    with pytest.raises(RequestError, match="unknown prompt variant 'taged'; did you mean 'tagged'"):
        with_instruction(QUESTION, "taged")
    with pytest.raises(RequestError, match="without a user message"):
        with_instruction(QUESTION[:1], "direct")
