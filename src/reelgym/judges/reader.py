"""The frozen reader: a frozen policy that never sees a pixel answers the question from an observation alone.

What it scores, corrected for chance, is what the observation is worth: VideoP2R's test of sufficiency (Jiang et al.,
arXiv 2511.11113) with the puzzle's own scorer in the place of a judge that knows the key. Ours, and so are its guards:
candidates get other numbers in every trajectory, and an observation that states an answer is worth 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym import tasks
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.judges.leaks import leak
from reelgym.rewards.perception import Case, Judge, JudgeConfig, Lent, Trial, Verdict
from reelgym.rollout.base import Sampler, SamplingParams
from reelgym.rollout.local import LocalSampler
from reelgym.scoring import corrected
from reelgym.scoring.mentions import renumber

if TYPE_CHECKING:
    from reelgym.models.base import Policy

ROWS = 256
"""Observations read together."""

INSTRUCTION = (
    "\nThe pictures are left out. This observation stands for them:\n{observation}\n"
    "Reply in this form: <think>your reasoning</think><answer>the answer only</answer>"
)
"""What follows the text of the question. Ours."""


def question(sample: Sample, observation: str) -> tuple[Message, ...]:
    """Return the prompt of a reader: the sample's messages with their text alone, then the observation."""
    told = [
        replace(message, parts=tuple(part for part in message.parts if isinstance(part, Text)))
        for message in sample.messages
    ]
    last = max(place for place, message in enumerate(told) if message.role == "user")
    text = Text(INSTRUCTION.format(observation=observation.strip()))
    told[last] = replace(told[last], parts=(*told[last].parts, text))
    return tuple(told)


def relabelled(case: Case) -> tuple[Case, dict[int, int]]:
    """Return the case with other numbers for its candidates, in question, observation and answer alike, and which.

    A policy cannot agree with its reader on what a number means: the permutation is another one for each trajectory. A
    sample whose answer is not a list of candidate numbers stays as it is.
    """
    pool = case.sample.evidence.get("pool")
    answer = case.sample.answer
    if not isinstance(pool, int) or not isinstance(answer, list) or case.observation is None:
        return case, {}
    order = list(range(1, pool + 1))
    Random(int.from_bytes(hashlib.sha256(case.key.encode()).digest()[:8])).shuffle(order)
    numbers = dict(zip(range(1, pool + 1), order, strict=True))
    sample = replace(case.sample, answer=[numbers[number] for number in answer])
    return replace(case, sample=sample, observation=renumber(case.observation, numbers)), numbers


class FrozenReader:
    """A judge that reads observations greedily with a policy that is never trained."""

    def __init__(
        self,
        frozen: Callable[[], AbstractContextManager[Policy]],
        *,
        max_tokens: int = 256,
        sampler: Callable[[Policy], Sampler] | None = None,
    ) -> None:
        """Hold the policy.

        Args:
            frozen: Lends the policy for one call; its tower is never run.
            max_tokens: Cap of its reply.
            sampler: Makes the sampler of a policy; `rollout.local.LocalSampler` by default.
        """
        self._frozen, self._sampler = frozen, sampler or LocalSampler
        self._params = SamplingParams(max_tokens=max_tokens, temperature=0.0)

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return the chance-corrected score of what each observation lets the reader answer; see `Judge.judge`.

        (s - c) / (1 - c) with the task's score s and chance c, unclipped. A missing observation and one that states an
        answer (`leak`) are worth 0 and are not read.
        """
        found: dict[int, Verdict] = {}
        asked: list[tuple[int, Case]] = []
        for place, case in enumerate(cases):
            if case.observation is None or not case.observation.strip():
                found[place] = Verdict(0.0, "no observation", {"leak": 0.0})
            elif why := leak(case.observation, case.sample):
                found[place] = Verdict(0.0, f"the observation states an answer: {why}", {"leak": 1.0})
            else:
                asked.append((place, relabelled(case)[0]))
        for start in range(0, len(asked), ROWS):
            chunk = asked[start : start + ROWS]
            for (place, case), (reply, tokens) in zip(chunk, self._replies([case for _, case in chunk]), strict=True):
                counts = {"leak": 0.0, "tokens": float(tokens)}
                found[place] = Verdict(value(case.sample, reply), reply, counts)
        return [found[place] for place in range(len(cases))]

    def _replies(self, cases: Sequence[Case]) -> list[tuple[str, int]]:
        """Return the text of each reply and how many tokens it has."""
        with self._frozen() as policy:
            prompts = [policy.encode(question(case.sample, case.observation or ""), _blind) for case in cases]
            turns = self._sampler(policy).sample(prompts, n=1, params=self._params, streams=None)
        return [(turn.text, len(turn.ids)) for (turn,) in turns]


def value(sample: Sample, reply: str) -> float:
    """Return the task's score of a reply, corrected for chance, unclipped."""
    task = tasks.get(sample.task)
    return corrected(float(task.score(reply, sample).value), task.chance(sample)["value"])


ENOUGH = 0.8
"""Corrected score on gold observations below which a reader may not pay."""
TOLERANCE = 0.05
"""How far from chance a reader may be on the observations of other samples, where its 95% interval is narrower."""


@dataclass(frozen=True)
class Reader(JudgeConfig):
    """The frozen reader of a run: the policy that it began with, without pixels.

    Attributes:
        max_tokens: Cap of its reply.
    """

    name: ClassVar[str] = "reader"
    needs_reference: ClassVar[bool] = True
    max_tokens: int = 256

    def open(self, lent: Lent) -> FrozenReader:
        """Return the reader."""
        assert lent.frozen is not None, "the loop keeps a reference for a judge that needs it"
        return FrozenReader(lent.frozen, max_tokens=self.max_tokens)

    def trial(self, judge: Judge, samples: Sequence[Sample], observations: Sequence[str]) -> Trial:
        """Return how it reads gold observations (`gold`), and those of other samples (`shuffled`).

        It passes with `ENOUGH` or more on gold, and at chance on shuffled ones: within its 95% interval or `TOLERANCE`.
        """
        keys = [f"trial {sample.id}" for sample in samples]
        others = [*observations[1:], observations[0]]
        right = _scores(judge.judge([Case(*one) for one in zip(samples, observations, keys, strict=True)]))
        wrong = _scores(judge.judge([Case(*one) for one in zip(samples, others, keys, strict=True)]))
        gold, shuffled = float(right.mean()), float(wrong.mean())
        margin = 1.96 * float(wrong.std(ddof=1)) / len(wrong) ** 0.5
        passed = gold >= ENOUGH and abs(shuffled) <= max(margin, TOLERANCE)
        figures = {"gold": gold, "shuffled": shuffled, "shuffled_margin": margin}
        return Trial(passed, figures, f"gold at least {ENOUGH}, shuffled at 0, both corrected for chance")


def _scores(verdicts: Sequence[Verdict]) -> NDArray[np.float64]:
    return np.array([verdict.score for verdict in verdicts], dtype=np.float64)


def _blind(part: object) -> NDArray[np.uint8]:
    raise AssertionError(f"a reader sees no pixels: {part}")
