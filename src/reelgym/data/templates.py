"""What a policy is told about the form of its reply: `direct` (the bare answer) or `tagged` (look, reason, answer)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError, unknown

Variant = Literal["direct", "tagged"]

TAGS = ("observation", "think", "answer")
"""The segments of a tagged reply, in order: VideoP2R's perception, reasoning and answer (arXiv 2511.11113)."""

INSTRUCTIONS: dict[str, str] = {
    "direct": "\nReply with the answer only.",
    "tagged": (
        "\nReply in this form: <observation>what you see</observation><think>your reasoning</think>"
        "<answer>the answer only</answer>"
    ),
}
"""Instruction text by variant. Ours: the papers' own prompts are longer and tied to one benchmark format."""


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
