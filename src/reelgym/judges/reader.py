"""The frozen reader: a frozen policy that never sees a pixel answers the question from an observation alone.

What it scores, corrected for chance, is what the observation is worth: VideoP2R's test of sufficiency (Jiang et al.,
arXiv 2511.11113) with the puzzle's own scorer in the place of a judge that knows the key. Ours, and so are its guards:
candidates get other numbers in every trajectory, and an observation that states an answer is worth 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from reelgym import tasks
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.rollout.base import Sampler, SamplingParams
from reelgym.scoring import corrected
from reelgym.scoring.mentions import renumber, states_answer

if TYPE_CHECKING:
    from reelgym.models.base import Policy

ROWS = 256
"""Observations read together."""

INSTRUCTION = (
    "\nThe pictures are left out. This observation stands for them:\n{observation}\n"
    "Reply in this form: <think>your reasoning</think><answer>the answer only</answer>"
)
"""What follows the text of the question. Ours."""


@dataclass(frozen=True)
class Reading:
    """What a reader made of one observation.

    Attributes:
        score: (s - c) / (1 - c) with the task's score s and chance c: 1 at best, negative below chance; 0 for a leak.
        leak: Whether the observation states an answer, and so was not read.
        reply: What the reader wrote.
        numbers: What each candidate was called; empty where there are none.
    """

    score: float
    leak: bool
    reply: str
    numbers: dict[int, int]


@dataclass(frozen=True)
class Case:
    """One observation to read.

    Attributes:
        sample: The question.
        observation: Text of the observation, tags left out.
        key: Names the trajectory: the candidates' new numbers are drawn from it.
    """

    sample: Sample
    observation: str
    key: str


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
    if not isinstance(pool, int) or not isinstance(answer, list):
        return case, {}
    order = list(range(1, pool + 1))
    Random(int.from_bytes(hashlib.sha256(case.key.encode()).digest()[:8])).shuffle(order)
    numbers = dict(zip(range(1, pool + 1), order, strict=True))
    sample = replace(case.sample, answer=[numbers[number] for number in answer])
    return replace(case, sample=sample, observation=renumber(case.observation, numbers)), numbers


class FrozenReader:
    """Reads observations greedily with a policy that is never trained."""

    def __init__(self, policy: Policy, *, max_tokens: int = 256, sampler: Sampler | None = None) -> None:
        """Hold the policy.

        Args:
            policy: Frozen; its tower is never run.
            max_tokens: Cap of its reply.
            sampler: `rollout.local.LocalSampler` by default.
        """
        from reelgym.rollout.local import LocalSampler

        self._policy, self._params = policy, SamplingParams(max_tokens=max_tokens, temperature=0.0)
        self._sampler = sampler or LocalSampler(policy)

    def read(self, cases: Sequence[Case]) -> list[Reading]:
        """Return one reading per case, in order."""
        found: dict[int, Reading] = {}
        asked: list[tuple[int, Case, dict[int, int]]] = []
        for place, case in enumerate(cases):
            if leaks(case):
                found[place] = Reading(0.0, True, "", {})
            else:
                asked.append((place, *relabelled(case)))
        for start in range(0, len(asked), ROWS):
            chunk = asked[start : start + ROWS]
            replies = self._replies([case for _, case, _ in chunk])
            for (place, case, numbers), reply in zip(chunk, replies, strict=True):
                found[place] = Reading(value(case.sample, reply), False, reply, numbers)
        return [found[place] for place in range(len(cases))]

    def _replies(self, cases: Sequence[Case]) -> list[str]:
        prompts = [self._policy.encode(question(case.sample, case.observation), _blind) for case in cases]
        turns = self._sampler.sample(prompts, n=1, params=self._params, streams=None)
        return [turn.text for (turn,) in turns]


def leaks(case: Case) -> bool:
    """Return whether an observation states an answer in a form that the task's parser accepts, or as an order."""
    answer, pool = case.sample.answer, case.sample.evidence.get("pool")
    if isinstance(pool, int) and isinstance(answer, list):
        return states_answer(case.observation, len(answer), pool)
    lines = [case.observation, *case.observation.splitlines()]
    return any(tasks.get(case.sample.task).score(line, case.sample).valid for line in lines if line.strip())


def value(sample: Sample, reply: str) -> float:
    """Return the task's score of a reply, corrected for chance, unclipped."""
    task = tasks.get(sample.task)
    return corrected(float(task.score(reply, sample).value), task.chance(sample)["value"])


@dataclass(frozen=True)
class Check:
    """Whether a reader can be trusted: means of its corrected scores over the same samples.

    Attributes:
        gold: On gold observations.
        shuffled: On the observations of other samples.
        margin: Half the width of the 95% interval of `shuffled`.
    """

    gold: float
    shuffled: float
    margin: float

    @property
    def passed(self) -> bool:
        """At least `ENOUGH` on gold, and at chance on shuffled observations."""
        return self.gold >= ENOUGH and abs(self.shuffled) <= max(self.margin, TOLERANCE)


ENOUGH = 0.8
"""Corrected score on gold observations below which a reader is refused."""
TOLERANCE = 0.05
"""How far from chance a reader may be on shuffled observations, where the interval is narrower."""


def check(reader: FrozenReader, samples: Sequence[Sample], observations: Sequence[str], seed: int = 0) -> Check:
    """Return how a reader does on gold observations, and on those of other samples of the same form.

    Args:
        reader: The reader.
        samples: At least 2.
        observations: The gold observation of each.
        seed: Of the candidates' new numbers.
    """
    keys = [f"check {seed} {sample.id}" for sample in samples]
    pairs = list(zip(samples, observations, keys, strict=True))
    others = [*observations[1:], observations[0]]
    right = reader.read([Case(sample, observation, key) for sample, observation, key in pairs])
    wrong = reader.read([Case(sample, other, key) for (sample, _, key), other in zip(pairs, others, strict=True)])
    scores = np.array([reading.score for reading in wrong])
    margin = 1.96 * float(scores.std(ddof=1)) / len(scores) ** 0.5
    return Check(float(np.mean([reading.score for reading in right])), float(scores.mean()), margin)


def _blind(part: object) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    raise AssertionError(f"a reader sees no pixels: {part}")
