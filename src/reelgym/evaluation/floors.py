"""What a benchmark pays for looking at nothing: floors from its annotations alone, scored like any reply.

    longest_option        always the longest option; ties are shared.
    most_frequent_letter  the one letter that is right most often.
    constant_per_type     per type of question the one letter, number or stretch of the video that earns most.
    whole_video           the whole video as the interval.
    whole_picture         the whole picture as the box of every second.
    constant_window       the one stretch of the video, in shares of its length, that earns most.

Those in `FITTED` are chosen with the right answers at hand: upper bounds of what one may get without looking. The
others need nothing but the question. Chance stands beside every score anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from reelgym.data.sample import Sample
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.runner import grade
from reelgym.scoring.boxes import written
from reelgym.scoring.choice import LETTERS
from reelgym.scoring.number import THRESHOLDS, parse_number
from reelgym.scoring.span import iou

FITTED = ("most_frequent_letter", "constant_per_type", "constant_window")
"""Floors that are fitted to the right answers."""

CELLS = 20
"""Windows begin and end at multiples of 1 / CELLS of the video. Ours."""

_SPANS = ("span", "spans")
_LETTERED = ("choice", "grounded")
Replies = dict[str, tuple[str, ...]]


def benchmark_floors(samples: Sequence[Sample], type_facet: str = "") -> dict[str, Evaluation]:
    """Return the evaluation of every floor that has a meaning for these samples, by name.

    Args:
        samples: Of the task `benchmark`.
        type_facet: The facet that `constant_per_type` goes by, beside the kind of answer; empty takes the kind alone.
    """
    makers: dict[str, Callable[[Sequence[Sample]], Replies]] = {
        "longest_option": _longest,
        "most_frequent_letter": _letter,
        "constant_per_type": lambda all_of_them: _per_type(all_of_them, type_facet),
        "whole_video": _whole,
        "whole_picture": _picture,
        "constant_window": _window,
    }
    made = {name: maker(samples) for name, maker in makers.items()}
    if made["constant_per_type"] == made["most_frequent_letter"] | made["constant_window"] and not type_facet:
        del made["constant_per_type"]
    by_id = {sample.id: sample for sample in samples}
    return {
        name: Evaluation(
            model=f"floor:{name}",
            position_rule="",
            variant="none",
            probe=None,
            max_tokens=0,
            rows=tuple(_row(by_id[key], said) for key, said in replies.items()),
            settings={"fitted": name in FITTED},
        )
        for name, replies in made.items()
        if replies
    }


def _row(sample: Sample, replies: Sequence[str]) -> Row:
    """Return the mean of the rows of several replies: what one of them gets, chosen blindly."""
    rows = [grade(sample, reply) for reply in replies]
    parts = {name: sum(row.parts[name] for row in rows) / len(rows) for name in rows[0].parts}
    return replace(rows[0], value=sum(row.value for row in rows) / len(rows), parts=parts, reply=" | ".join(replies))


def _kind(sample: Sample) -> str:
    return str(sample.evidence["kind"])


def _said(sample: Sample, letter: str) -> str:
    """Return a reply that gives a letter and, where an interval is asked for too, the whole video."""
    return letter if _kind(sample) == "choice" else f"{letter} {_part(sample, 0, CELLS)}"


def _part(sample: Sample, start: int, stop: int) -> str:
    seconds = float(sample.evidence["duration_seconds"])
    return f"{seconds * start / CELLS:.6f} - {seconds * stop / CELLS:.6f}"


def _longest(samples: Sequence[Sample]) -> Replies:
    found: Replies = {}
    for sample in samples:
        if _kind(sample) in _LETTERED:
            lengths = [len(option) for option in sample.evidence["options"]]
            tied = [LETTERS[at] for at, length in enumerate(lengths) if length == max(lengths)]
            found[sample.id] = tuple(_said(sample, letter) for letter in tied)
    return found


def _letter(samples: Sequence[Sample]) -> Replies:
    lettered = [sample for sample in samples if _kind(sample) in _LETTERED]
    if not lettered:
        return {}
    answers = [str(sample.answer) for sample in lettered]
    best = max(sorted(set(answers)), key=answers.count)
    return {sample.id: (_said(sample, best),) for sample in lettered}


def _whole(samples: Sequence[Sample]) -> Replies:
    return {sample.id: (_part(sample, 0, CELLS),) for sample in samples if _kind(sample) in _SPANS}


def _picture(samples: Sequence[Sample]) -> Replies:
    """Return the whole picture at every second that is annotated: others count for nothing."""
    asked = [sample for sample in samples if _kind(sample) == "boxes"]
    return {
        sample.id: (written([(second, (0.0, 0.0, 1000.0, 1000.0)) for second, _ in sample.evidence["facts"]["boxes"]]),)
        for sample in asked
    }


def _window(samples: Sequence[Sample]) -> Replies:
    asked = [sample for sample in samples if _kind(sample) in _SPANS]
    if not asked:
        return {}
    windows = [(start, stop) for start in range(CELLS) for stop in range(start + 1, CELLS + 1)]

    def worth(window: tuple[int, int]) -> float:
        return sum(_window_iou(sample, window) for sample in asked)

    best = max(windows, key=worth)
    return {sample.id: (_part(sample, *best),) for sample in asked}


def _window_iou(sample: Sample, window: tuple[int, int]) -> float:
    seconds, spans = float(sample.evidence["duration_seconds"]), sample.evidence["spans"]
    shown = (seconds * window[0] / CELLS, seconds * window[1] / CELLS)
    # Of several true intervals the sum is a stand-in for their union: it only chooses the window.
    return sum(iou(shown, (float(start), float(stop))) for start, stop in spans)


def _number(samples: Sequence[Sample]) -> Replies:
    """Return the constant with the best mean relative accuracy, among the right answers themselves."""
    truths = np.array([parse_number(sample.answer) for sample in samples], dtype=np.float64)
    tried = np.unique(truths)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(truths == 0, np.where(tried[:, None] == 0, 0.0, 1.0), np.abs(tried[:, None] / truths - 1))
    worth = np.mean([(error < 1 - theta).mean(axis=1) for theta in THRESHOLDS], axis=0)
    best = f"{tried[int(worth.argmax())]:.12g}"
    return {sample.id: (best,) for sample in samples}


def _per_type(samples: Sequence[Sample], facet: str) -> Replies:
    def key(sample: Sample) -> tuple[str, str]:
        return _kind(sample), str(sample.facets.get(facet, "")) if facet else ""

    found: Replies = {}
    for (kind, _), members in groupby(sorted(samples, key=key), key=key):
        makers = {"number": _number, "span": _window, "spans": _window, "choice": _letter, "grounded": _letter}
        if kind in makers:
            found |= makers[kind](list(members))
    return {sample.id: found[sample.id] for sample in samples if sample.id in found}
