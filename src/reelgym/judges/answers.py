"""The judge of free answers: a language model reads question, right answer and reply, and never a pixel.

Reference: the judges of MMVU (arXiv 2501.12380), VCR-Bench (arXiv 2504.07956) and VideoReasonBench (arXiv 2505.23359)
say right or wrong; that of V-STaR (arXiv 2503.11495) grades from 0 to 3, and 2 is right. The wording here is ours.
"""

from __future__ import annotations

import re
from pathlib import Path

from reelgym.data.messages import Message, Text
from reelgym.judges.endpoint import EndpointJudge, key_of, question_of
from reelgym.rewards.perception import Case
from reelgym.rollout.chat import Chat, ChatRequest

_GRADE = re.compile(r"<judgement>\s*([0-9]{1,2})\s*\.?\s*</judgement>", re.IGNORECASE)
_TAG = re.compile(r"</?judgement>", re.IGNORECASE)

_TOLD = (
    "A question was asked about a video that you cannot see. Compare the reply with the correct answer.\n\n"
    "Question:\n{question}\n\nCorrect answer:\n{key}\n\nReply:\n{reply}\n\n"
)
RIGHT = _TOLD + (
    "Does the reply give the correct answer? The same in other words, in another notation or in another unit is right; "
    "a part of it, or something false beside it, is not. Explain in a sentence, then end with "
    "<judgement>yes</judgement> or <judgement>no</judgement>."
)
GRADED = _TOLD + (
    "How alike are their meanings, from 0 (nothing alike) to {top} (the same), whatever the grammar? Explain in a "
    "sentence, then end with the whole number, as in <judgement>0</judgement>."
)

Scale = tuple[int, int]
"""The highest grade and the least that is right; (1, 1) is yes or no."""


class AnswerJudge(EndpointJudge):
    """Judges answers: the observation of a case is the answer that was read in a reply.

    A verdict is 1 or 0, and None where none came: nobody guesses one.
    """

    def __init__(
        self, chat: Chat, *, scale: Scale = (1, 1), max_tokens: int = 512, log: str | Path | None = None
    ) -> None:
        """Name the endpoint and the scale.

        Args:
            chat: The client: its retries, time-out and journal are the judge's.
            scale: The highest grade, and the least that is right.
            max_tokens: Cap of its reply.
            log: File that every verdict is appended to.
        """
        super().__init__(chat, max_tokens=max_tokens, log=log)
        self.scale = scale
        if scale != (1, 1):
            self.again = "Your reply ended in no grade. Reply with it alone, as in <judgement>0</judgement>."

    @property
    def name(self) -> str:
        """Return the model's name, and its scale where it grades."""
        top, least = self.scale
        return self.chat.endpoint.model + (f" (right from {least} of {top})" if top > 1 else "")

    @property
    def step(self) -> str:
        """Return what its requests are counted under."""
        return "answers"

    def read(self, text: str) -> bool | None:
        """Return what a reply decides; None where it ends in no verdict, or in a grade off the scale."""
        if self.scale == (1, 1):
            return super().read(text)
        found, (top, least) = _GRADE.findall(text), self.scale
        if len(found) != 1 or len(_TAG.findall(text)) != 2 or int(found[0]) > top:
            return None
        return int(found[0]) >= least

    def _request(self, case: Case) -> ChatRequest:
        text = (RIGHT if self.scale == (1, 1) else GRADED).format(
            question=question_of(case.sample),
            key=key_of(case.sample),
            reply=(case.observation or "").strip(),
            top=self.scale[0],
        )
        return ChatRequest(messages=(Message("user", (Text(text),)),), max_tokens=self._max_tokens)
