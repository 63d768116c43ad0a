"""What a policy is told about the form of its reply: the bare answer, or to look, reason and answer under tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError, unknown

Variant = Literal["direct", "reasoned", "tagged", "videop2r", "videop2r_opened"]

TAGS = ("observation", "think", "answer")
"""The segments of a tagged reply, in order: VideoP2R's perception, reasoning and answer (arXiv 2511.11113)."""

OPENINGS = {"observation": "Based on the question, I need to notice", "think": "Based on the observations,"}
"""The fixed words that VideoP2R's segments open with."""


def _three_parts(opened: bool) -> str:
    """Return the long instruction; its structure is that of VideoP2R's prompt, its wording ours."""
    look, reason = (f' Open it with "{words}"' if opened else "" for words in OPENINGS.values())
    return (
        "\nReply in three parts, all of them and in this order; do not stop after the first.\n"
        "<observation>First work out what the question needs you to notice. Then write one paragraph of what is seen "
        "that bears on it: who and what, where, when, how many, and how it changes. Say no answer and name no option "
        f"yet.{look + ' and run on into the evidence.' if look else ''}</observation>\n"
        "<think>Reason step by step from the observation, as one talks to oneself: weigh, doubt, check again."
        f"{reason + '.' if reason else ''}</think>\n"
        "<answer>The answer only, short, and in agreement with both parts before.</answer>"
    )


INSTRUCTIONS: dict[str, str] = {
    "direct": "\nReply with the answer only.",
    "reasoned": "\nReply in this form: <think>your reasoning</think><answer>the answer only</answer>",
    "tagged": (
        "\nReply in this form: <observation>what you see</observation><think>your reasoning</think>"
        "<answer>the answer only</answer>"
    ),
    "videop2r": _three_parts(False),
    "videop2r_opened": _three_parts(True),
}
"""Instruction text by variant; one serves generation, SFT, RL and inference. The wording is ours."""


def is_tagged(variant: str) -> bool:
    """Return whether replies to a variant have tags."""
    return variant != "direct"


def segments_of(variant: str) -> tuple[str, ...]:
    """Return the segments that a variant asks for, in order.

    >>> segments_of("direct"), segments_of("reasoned")
    ((), ('think', 'answer'))
    """
    return {"direct": (), "reasoned": TAGS[1:]}.get(variant, TAGS)


def with_instruction(messages: tuple[Message, ...], variant: str) -> tuple[Message, ...]:
    """Return the messages with the instruction of `variant` at the end of the last user message.

    Args:
        messages: A prompt; at least one message has the role `user`.
        variant: A key of `INSTRUCTIONS`.

    Raises:
        RequestError: The variant is unknown, or no user message is there to carry the instruction.
    """
    if variant not in INSTRUCTIONS:
        raise unknown("prompt variant", variant, INSTRUCTIONS)
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "user":
            parts = (*messages[place].parts, Text(INSTRUCTIONS[variant]))
            return (*messages[:place], replace(messages[place], parts=parts), *messages[place + 1 :])
    raise RequestError("a prompt without a user message cannot take an instruction: add one user message")
