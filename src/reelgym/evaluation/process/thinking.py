"""Whether the thinking arrives at the answer that is given.

Reference: the think-answer mismatch of VideoP2R (Jiang et al., arXiv 2511.11113), where a model reads the thinking
alone and extracts the chosen option. We differ: orders and options are read by parsing where the thinking states one
plainly, a judge reads the rest where one is given, and thinking that states nothing counts apart, never as agreement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reelgym import tasks
from reelgym.data.form import contents
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation.results import Evaluation, Row
from reelgym.judges.endpoint import question_of
from reelgym.scoring import answer_text
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.mentions import stated_order
from reelgym.scoring.statistics import clustered_mean

_CLAIMED = re.compile(
    r"\b(?i:answer|therefore|thus|hence|so|choose|pick|must be)\b[^.\n]{0,40}?(?<![\w'])[(\[]?([A-Z])[)\]]?(?![\w'])"
)
_NAMED = re.compile(r"\b(?i:option|choice|answer)s?\s*(?i:is\s*|:\s*)?[(\[]?([A-Z])[)\]]?(?![\w'])")
_PIECE = re.compile(r"[\n.;!?]+")

ASK = (
    "Somebody reasoned about a question that you need not answer.\n\nQuestion:\n{question}\n\nReasoning:\n{thought}\n\n"
    "Which answer does the reasoning itself arrive at? Write it as <answer>the answer only</answer>, in the form the "
    "question asks for, or <answer>No</answer> if it arrives at none. Judge nothing else."
)
"""What a judge is asked. Ours."""

Reads = Callable[[Sequence[tuple[str, tuple[Message, ...]]]], Mapping[int, str]]
"""Asks a judge (id, messages) each; returns what came by place."""


def stated(thought: str, sample: Sample) -> str | None:
    """Return the answer that a text plainly arrives at, as text; None where it states none, or several.

    Of candidates the last order it states, or all it mentions where each is mentioned once; of options the last one
    named as the answer, or the only one named. Other answers are not read here.
    """
    pool, answer = sample.evidence.get("pool"), sample.answer
    if isinstance(pool, int) and isinstance(answer, list):
        order = stated_order(thought, len(answer), pool)
        return None if order is None else ", ".join(map(str, order))
    options = sample.evidence.get("options")
    if isinstance(options, list) and options:
        return _option(thought, options)
    return None


def mismatch(found: Evaluation, samples: Mapping[str, Sample], judge: Reads | None = None) -> dict[str, Any]:
    """Return how often thinking and answer differ, as JSON values.

    Args:
        found: Replies.
        samples: By id.
        judge: Reads what parsing does not; None leaves it unread.

    Returns:
        `rate` over replies whose thinking states an answer (an interval, None without any), how many were `parsed` and
        `judged`, how many state none (`unstated`: parsing or judge found none), and how many `replies` hold a thinking
        and a readable answer at all.
    """
    rows = [row for row in found.rows if row.valid and contents(row.reply).get("think")]
    said = {row.id: stated(contents(row.reply)["think"], samples[row.id]) for row in rows}
    parsed = sum(one is not None for one in said.values())
    if judge is not None:
        said |= _judged([row for row in rows if said[row.id] is None], samples, judge)
    both = [(row, said[row.id]) for row in rows if said[row.id] is not None]
    differs = [float(_differs(row, answer or "", samples[row.id])) for row, answer in both]
    rate = clustered_mean(differs, [row.source for row, _ in both]).to_json() if both else None
    counts = {"parsed": parsed, "judged": len(both) - parsed, "unstated": len(rows) - len(both)}
    return {"rate": rate, **counts, "replies": len(rows)}


def _judged(rows: Sequence[Row], samples: Mapping[str, Sample], judge: Reads) -> dict[str, str | None]:
    asked = []
    for row in rows:
        text = ASK.format(question=question_of(samples[row.id]), thought=contents(row.reply)["think"])
        asked.append((row.id, (Message("user", (Text(text),)),)))
    told = judge(asked) if asked else {}
    found: dict[str, str | None] = {}
    for place, row in enumerate(rows):
        reply = told.get(place, "")
        answer = answer_text(reply) if "<answer>" in reply else None
        score = None if answer is None else tasks.get(samples[row.id].task).score(answer, samples[row.id])
        found[row.id] = answer if score is not None and score.valid else None
    return found


def _differs(row: Row, text: str, sample: Sample) -> bool:
    parsed = tasks.get(sample.task).score(text, sample).parsed
    return bool((list(parsed) if isinstance(parsed, tuple) else parsed) != row.parsed)


def _option(thought: str, options: Sequence[str]) -> str | None:
    known = LETTERS[: len(options)]
    claims = [found[1] for found in _CLAIMED.finditer(thought) if found[1] in known]
    named = {found[1] for found in _NAMED.finditer(thought) if found[1] in known}
    pieces = [piece.strip(" :,-") for piece in _PIECE.split(thought)]
    places = {place for piece in pieces if piece and (place := parse_choice(piece, options)) is not None}
    for letters in (claims[-1:], sorted(named), [LETTERS[place] for place in sorted(places)]):
        if len(letters) == 1:
            return letters[0]
        if letters:
            return None
    return None
