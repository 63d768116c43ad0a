"""What became of a stored reply, in words: right or wrong, what was read out of it and how, why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reelgym.data.sample import Sample
from reelgym.evaluation.results import Row
from reelgym.reports import puzzles
from reelgym.reports.payload import Reply, Role
from reelgym.scoring.choice import LETTERS
from reelgym.synthesis.audit import SOLVED

VERDICTS = ("right", "partly right", "wrong", "unreadable")
"""All of the score, some, none, or no answer could be read."""

DRAWN = {"right": "good", "partly right": "", "wrong": "bad", "unreadable": "bad"}
"""How each is drawn."""

OUTCOMES = {"refusal": "refused", "filtered": "filtered", "cut_off": "cut off", "empty": "empty", "failed": "failed"}
"""What else may have become of asking, in words."""

_LONGEST = 400


def place_of(*, valid: bool, value: float) -> int:
    """Return the place of a reply's verdict in VERDICTS."""
    if not valid:
        return 3
    return 0 if value >= SOLVED else 1 if value > 0 else 2


def verdict(row: Row) -> str:
    """Return what became of a reply, in a word."""
    return VERDICTS[place_of(valid=row.valid, value=row.value)]


def reply(row: Row, sample: Sample | None, *, label: str, role: Role = "plain") -> Reply:
    """Return a stored reply with its verdict, both readings where the scorer stored both, and what went wrong.

    Args:
        row: The reply.
        sample: What it answers, where that is at hand.
        label: Who wrote it, in words.
        role: How it is drawn.
    """
    answer = puzzles.indices(sample.answer) if sample is not None else None
    shown = puzzles.reply(row, answer or (), label=label, role=role)
    options = sample.evidence.get("options") if sample is not None else None
    kind = verdict(row)
    return replace(
        shown,
        solved=row.value >= SOLVED,
        verdict=(kind, DRAWN[kind]),
        read=tuple(_read(row.parsed, options)) if shown.answer is None else (),
        note=_note(row),
    )


def _read(parsed: Any, options: Any) -> Sequence[tuple[str, str]]:
    """Return (way of reading, answer): both ways where both are stored."""
    if isinstance(parsed, dict) and set(parsed) == {"strict", "lenient"}:
        return [
            ("strictly", "nothing" if parsed["strict"] is None else _plain(parsed["strict"], options)),
            ("leniently", "nothing" if parsed["lenient"] is None else _plain(parsed["lenient"], options)),
        ]
    return [] if parsed is None else [("as", _plain(parsed, options))]


def _plain(value: Any, options: Any) -> str:
    """Return an answer as one writes it: the letter of an option, seconds of an interval, an order."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int) and isinstance(options, list) and 0 <= value < min(len(options), len(LETTERS)):
        return LETTERS[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_plain(one, options) for one in value)[:_LONGEST]
    return str(value)[:_LONGEST]


def _note(row: Row) -> str:
    said = [OUTCOMES[row.outcome] + (f": {row.reason}" if row.reason else "")] if row.outcome in OUTCOMES else []
    said += [f"{row.tokens:,} tokens"] if row.tokens else []
    return ", ".join(said)
