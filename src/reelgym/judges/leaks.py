"""Observations that state an answer instead of what is seen: a judge that reads them learns nothing about seeing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.data.templates import OPENINGS
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.mentions import states_answer

_CLAIM = re.compile(
    r"\b(?:the|my|a|its)?\s*(?:correct|right|final|best|most likely)\s+(?:answer|option|choice)\b|"
    r"\b(?:the|my)\s+answer\s+(?:is|must|should|would|will|has to)\b|\banswer\s*:",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?i:option|choice|answer)s?\s*(?:is\s*|:\s*)?[(\[]?([A-Z])[)\]]?(?![\w'])")
_PIECE = re.compile(r"[\n;!?]+|\.(?![0-9])")
_PLAIN = "Nothing much happens here"
"""Words that answer nothing: a parser that takes them for an answer takes any words for one."""


def leak(observation: str, sample: Sample) -> str:
    """Return how an observation states an answer, or nothing where it does not.

    It does where it speaks of the correct answer, names an option by its letter, or holds a sentence that is nothing
    but an answer in a form that the task's parser accepts: candidates in an order, one of the options, a number, right
    or wrong. Where the parser accepts any words, only the right ones are an answer. Ours.
    """
    text = observation.strip().removeprefix(OPENINGS["observation"])
    if found := _CLAIM.search(text):
        return f"it says {found[0].strip()!r}"
    pool, answer = sample.evidence.get("pool"), sample.answer
    if isinstance(pool, int) and isinstance(answer, list):
        return "it states candidates as an order" if states_answer(text, len(answer), pool) else ""
    options = sample.evidence.get("options")
    if isinstance(options, list) and options:
        return _option(text, options)
    return _bare(text, sample)


def _option(text: str, options: Sequence[str]) -> str:
    for found in _NAMED.finditer(text):
        if found[1] in LETTERS[: len(options)]:
            return f"it names option {found[1]}"
    for piece in (text, *_PIECE.split(text)):
        if piece.strip() and (place := parse_choice(piece.strip(" :,-"), options)) is not None:
            return f"it holds nothing but option {LETTERS[place]} in {piece.strip()[:60]!r}"
    return ""


def _bare(text: str, sample: Sample) -> str:
    task = tasks.get(sample.task)
    takes_any = task.score(_PLAIN, sample).valid
    for piece in (text, *_PIECE.split(text)):
        score = task.score(piece.strip(" :,-"), sample)
        if piece.strip(" :,-") and score.valid and (score.value >= 1.0 or not takes_any):
            return f"it holds nothing but the answer in {piece.strip()[:60]!r}"
    return ""
