"""The judge of steps: which steps of a reference a reply goes through, and which steps of its own hold.

One request goes through the reference step by step (recall), another cuts the reply into steps and judges each
(precision). What does not end in one line per step is asked for once more, then nobody guesses.

Reference: VCR-Bench (arXiv 2504.07956). Where we differ: wording and form are ours (lines in place of JSON), the second
request tells the right answer too, and the published script asks without end until it can read a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reelgym.data.messages import Message, Text
from reelgym.judges.endpoint import key_of, question_of
from reelgym.rewards.perception import Case
from reelgym.rollout.chat import Chat, ChatRequest
from reelgym.scoring.steps import KINDS, REFERENCE, WRITTEN

MOST_STEPS = 35
"""Steps that a reply is cut into at most, as published."""

_TOLD = (
    "A question was asked about a video that you cannot see, and a reply reasons towards an answer.\n\n"
    "Question:\n{question}\n\nCorrect answer:\n{key}\n\nReference steps, which are right:\n{steps}\n\n"
    "Reply:\n{reply}\n\n"
    "Every step is of one kind. perception: what is seen or heard, and when. reasoning: one new conclusion. "
    "background: it repeats the question, or has no part in solving it.\n"
)
RECALL = _TOLD + (
    "Say of every reference step, in order, of which kind it is and whether the reply has it: matched, if the reply "
    "states it or something that it directly follows from, every detail and value included; else unmatched. "
    "End with one line per reference step, its number, its kind and what you say of it, as in\n"
    "<judgement>\n1 perception matched\n2 reasoning unmatched\n</judgement>"
)
PRECISION = _TOLD + (
    "Cut the reply into at most {most} steps, in its own order: each says one thing, none is said twice, nothing is "
    "added, and the last one states its answer. Say of every step of which kind it is, and one of these. matched: it "
    "agrees with the reference (a perception in what and in when, up to 3 seconds; a conclusion if the reference has "
    "it or it directly follows), or, where the reference says nothing of it, it is sound, helps, and contradicts "
    "neither reference nor answer. wrong: it contradicts them, or is a perception that tells no time. redundant: it "
    "does not help, as background rarely does. End with one line per step, its number, its kind, what you say of it, "
    "and its first words, as in\n"
    "<judgement>\n1 perception matched: at 0:12 a dog\n2 reasoning wrong: so it is\n</judgement>"
)
AGAIN = (
    "Your reply did not end in one line per step between <judgement> and </judgement>, numbered from 1, each with a "
    "kind and a verdict. Reply with these lines alone."
)

_BLOCK = re.compile(r"<judgement>(.*)</judgement>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?judgement>", re.IGNORECASE)
_LINE = re.compile(rf"\W*([0-9]{{1,3}})\W+({'|'.join(KINDS)})\W+({'|'.join({*REFERENCE, *WRITTEN})})\b", re.IGNORECASE)
_NUMBER = re.compile(r"^\s*[0-9]+\s*[.)]\s+")

Judged = tuple[tuple[str, str], ...]
"""Kind and verdict of each step."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What a judge says of a line of reasoning.

    Attributes:
        reference: Of the steps of the reference.
        written: Of the reply's own.
    """

    reference: Judged
    written: Judged


class StepJudge:
    """Judges the steps of replies to questions whose evidence holds reference steps (`facts`, a list of texts).

    Attributes:
        chat: The client: its retries, time-out and journal are the judge's.
    """

    def __init__(self, chat: Chat, *, max_tokens: int = 2048) -> None:
        """Take the client, and the cap of a reply."""
        self.chat, self._max_tokens = chat, max_tokens

    def one(self, case: Case) -> Chain | None:
        """Return what it says of the reply in `case.observation`; None where no verdict comes."""
        steps = reference_of(case)
        told = {
            "question": question_of(case.sample),
            "key": key_of(case.sample),
            "steps": "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)),
            "reply": (case.observation or "").strip(),
        }
        reference = self._judged(RECALL.format(**told), "steps", REFERENCE, (len(steps), len(steps)))
        if reference is None:
            return None
        asked = PRECISION.format(**told, most=MOST_STEPS)
        written = self._judged(asked, "steps written", WRITTEN, (1, MOST_STEPS))
        return None if written is None else Chain(reference=reference, written=written)

    def _judged(self, text: str, step: str, allowed: Sequence[str], count: tuple[int, int]) -> Judged | None:
        messages: tuple[Message, ...] = (Message("user", (Text(text),)),)
        for number in range(2):
            name = f"{step} again" if number else step
            reply = self.chat.ask(ChatRequest(messages=messages, max_tokens=self._max_tokens), name)
            if reply.outcome not in ("ok", "cut_off", "empty"):
                return None
            if (found := judged_steps(reply.text, allowed, count)) is not None:
                return found
            messages += (Message("assistant", (Text(reply.text),)), Message("user", (Text(AGAIN),)))
        return None


def reference_of(case: Case) -> list[str]:
    """Return the reference steps of a question without their numbers."""
    return [_NUMBER.sub("", str(step)).strip() for step in case.sample.evidence["facts"]]


def judged_steps(text: str, allowed: Sequence[str], count: tuple[int, int]) -> Judged | None:
    """Return kind and verdict of each line of a judge's one block; None where it is not as asked.

    Args:
        text: Its reply.
        allowed: Verdicts.
        count: Least and most lines.

    >>> judged_steps("<judgement>1 perception matched: a dog</judgement>", ("matched", "wrong"), (1, 35))
    (('perception', 'matched'),)
    """
    block = _BLOCK.search(text)
    if block is None or len(_TAG.findall(text)) != 2:
        return None
    lines = [_LINE.match(line) for line in block[1].splitlines() if line.strip()]
    if not count[0] <= len(lines) <= count[1]:
        return None
    found = []
    for number, line in enumerate(lines, 1):
        if line is None or int(line[1]) != number or line[3].lower() not in allowed:
            return None
        found.append((line[2].lower(), line[3].lower()))
    return tuple(found)
