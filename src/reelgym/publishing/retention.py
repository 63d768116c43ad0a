"""Ordinary questions that no puzzle asks: what a model still knows after training on puzzles. The questions are ours.

Far too few to rank models: they show whether something broke. Answers are looked for as whole words, whatever else is
said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelgym.doctor import pictures
from reelgym.rollout.base import SamplingParams

if TYPE_CHECKING:
    from reelgym.models.base import Policy

TEXT = (
    ("What is the capital of France?", ("paris",)),
    ("What is the capital of Japan?", ("tokyo",)),
    ("How many days does a week have?", ("7", "seven")),
    ("What is 17 plus 25?", ("42",)),
    ("What is 9 times 8?", ("72",)),
    ("What is the opposite of hot?", ("cold",)),
    ("Which planet do we live on?", ("earth",)),
    ("What colour do blue and yellow make when mixed?", ("green",)),
    ("How many legs does a spider have?", ("8", "eight")),
    ("What is the past tense of go?", ("went",)),
    ("Which language is mostly spoken in Brazil?", ("portuguese",)),
    ("What is the chemical formula of water?", ("h2o",)),
    ("Which is larger, 0.9 or 0.11?", ("0.9",)),
    ("What do bees make?", ("honey", "wax")),
    ("Translate to German: good morning.", ("guten",)),
    ("What is the plural of mouse?", ("mice",)),
)
"""Questions of text alone, and the words of which one makes a reply right."""

DRAWN = ("7", "42", "305", "9168")
"""Numbers to be read off a picture."""

MAX_TOKENS = 24
ASK = " Answer in a few words."


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Replies to the ordinary questions.

    Attributes:
        right: Of each question, whether the reply holds the answer.
        replies: The replies.
    """

    right: tuple[bool, ...]
    replies: tuple[str, ...]

    def told(self) -> str:
        """Return how many were right, of all."""
        return f"{sum(self.right)} of {len(self.right)}"


def ask(policy: Policy) -> Kept:
    """Return a policy's greedy replies to all of them."""
    from reelgym.rollout.local import LocalSampler

    asked = [(pictures.user(question + ASK), words) for question, words in TEXT]
    reading = "What number is drawn in the picture?" + ASK
    asked += [(pictures.user(pictures.image(number), reading), (number,)) for number in DRAWN]
    prompts = [policy.encode(messages, pictures.pixels_at(8)) for messages, _ in asked]
    params = SamplingParams(max_tokens=MAX_TOKENS, temperature=0.0)
    turns = LocalSampler(policy).sample(prompts, n=1, params=params, streams=None)
    replies = tuple(group[0].text for group in turns)
    right = tuple(holds(reply, words) for reply, (_, words) in zip(replies, asked, strict=True))
    return Kept(right=right, replies=replies)


def holds(reply: str, words: tuple[str, ...]) -> bool:
    """Return whether a reply holds one of some words, as a whole word.

    >>> holds("It is Paris.", ("paris",)), holds("170", ("17",))
    (True, False)
    """
    text = reply.lower()
    return any(re.search(rf"(?<![\w.]){re.escape(word)}(?![\w]|\.\d)", text) for word in words)
