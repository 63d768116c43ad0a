"""What a benchmark pays for looking at nothing: floors from its annotations alone, scored like any reply.

    longest_option        always the longest option; ties are shared.
    most_frequent_letter  the one letter that is right most often.
    constant_per_type     per type of question the one letter, number or stretch of the video that earns most.
    whole_video           the whole video as the interval.
    whole_picture         the whole picture as the box of every second.
    constant_window       the one stretch of the video, in shares of its length, that earns most.

Those in `FITTED` are chosen with the right answers at hand: upper bounds of what one may get without looking. Each has
a twin, `NAME_held_out`, that is chosen on the other videos: it beats chance only where the answers lean the same way
everywhere. The others need nothing but the question. Chance stands beside every score anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from reelgym.data.sample import Sample
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.runner import grade
from reelgym.scoring.boxes import written
from reelgym.scoring.choice import LETTERS
from reelgym.scoring.number import THRESHOLDS, parse_number
from reelgym.tasks.labelled import Labelled

FITTED = ("most_frequent_letter", "constant_per_type", "constant_window")
"""Floors that are fitted to the right answers."""

CELLS = 20
"""Windows begin and end at multiples of 1 / CELLS of the video. Ours."""

WINDOWS = tuple((start, stop) for start in range(CELLS) for stop in range(start + 1, CELLS + 1))
"""All of them, in parts of the video."""

FOLDS = 10
"""Parts that the videos are dealt into for the floors chosen elsewhere. Ours."""

_SPANS = ("span", "spans")
_LETTERED = ("choice", "grounded")
Samples = Sequence[Sample]
Replies = dict[str, tuple[str, ...]]
Fitted = Callable[[Samples, Samples], Replies]
"""From the questions to reply to, and those whose answers are known, to replies."""


def benchmark_floors(samples: Samples, type_facet: str = "") -> dict[str, Evaluation]:
    """Return the evaluation of every floor that has a meaning for these samples, by name.

    Args:
        samples: Of the tasks `benchmark` or `labelled`.
        type_facet: The facet that `constant_per_type` goes by, beside the kind of answer; empty takes the kind alone.
    """
    fitted: dict[str, Fitted] = {
        "most_frequent_letter": _letter,
        "constant_per_type": lambda asked, known: _per_type(asked, known, type_facet),
        "constant_window": _window,
    }
    made = {"longest_option": _longest(samples)}
    made |= {name: fit(samples, samples) for name, fit in fitted.items()}
    if made["constant_per_type"] == made["most_frequent_letter"] | made["constant_window"] and not type_facet:
        del made["constant_per_type"]
    made |= {"whole_video": _whole(samples), "whole_picture": _picture(samples)}
    made |= {f"{name}_held_out": _held_out(samples, fit) for name, fit in fitted.items() if made.get(name)}
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


def _held_out(samples: Samples, fit: Fitted) -> Replies:
    """Return replies to each part of the videos, chosen on the others; none where there is one video."""
    sources = sorted({sample.source for sample in samples})
    part = {source: place % FOLDS for place, source in enumerate(sources)}
    found: Replies = {}
    for fold in range(min(FOLDS, len(sources))):
        known = [sample for sample in samples if part[sample.source] != fold]
        found |= fit([sample for sample in samples if part[sample.source] == fold], known) if known else {}
    return {sample.id: found[sample.id] for sample in samples if sample.id in found}


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


def _longest(samples: Samples) -> Replies:
    found: Replies = {}
    for sample in samples:
        if _kind(sample) in _LETTERED:
            lengths = [len(option) for option in sample.evidence["options"]]
            tied = [LETTERS[at] for at, length in enumerate(lengths) if length == max(lengths)]
            found[sample.id] = tuple(_said(sample, letter) for letter in tied)
    return found


def _letter(samples: Samples, known: Samples) -> Replies:
    answers = [str(sample.answer) for sample in known if _kind(sample) in _LETTERED]
    if not answers:
        return {}
    best = max(sorted(set(answers)), key=answers.count)
    return {sample.id: (_said(sample, best),) for sample in samples if _kind(sample) in _LETTERED}


def _whole(samples: Samples) -> Replies:
    return {sample.id: (_part(sample, 0, CELLS),) for sample in samples if _kind(sample) in _SPANS}


def _picture(samples: Samples) -> Replies:
    """Return the whole picture at every second that is annotated: others count for nothing."""
    asked = [sample for sample in samples if _kind(sample) == "boxes"]
    return {
        sample.id: (written([(second, (0.0, 0.0, 1000.0, 1000.0)) for second, _ in sample.evidence["facts"]["boxes"]]),)
        for sample in asked
    }


def _window(samples: Samples, known: Samples) -> Replies:
    seen = [sample for sample in known if _kind(sample) in _SPANS]
    if not seen:
        return {}
    best = WINDOWS[int(np.sum([_window_ious(sample) for sample in seen], axis=0).argmax())]
    return {sample.id: (_part(sample, *best),) for sample in samples if _kind(sample) in _SPANS}


def _window_ious(sample: Sample) -> NDArray[np.float64]:
    """Return (windows,) the intersection over union of every window with the true interval.

    Of several true intervals the sum is a stand-in for their union: it only chooses the window.
    """
    spans = [sample.answer] if sample.task == Labelled.name else sample.evidence["spans"]
    starts, stops = np.array(WINDOWS).T * float(sample.evidence["duration_seconds"]) / CELLS
    total = np.zeros(len(WINDOWS))
    for start, stop in spans:
        shared = np.clip(np.minimum(stops, stop) - np.maximum(starts, start), 0, None)
        total += shared / (stops - starts + (stop - start) - shared)
    return total


def _number(samples: Samples, known: Samples) -> Replies:
    """Return the constant that earns most, among the right answers themselves."""
    truths = np.array([parse_number(sample.answer) for sample in known], dtype=np.float64)
    tried, counts = np.unique(truths, return_counts=True)
    if known[0].task == Labelled.name:
        best = float(tried[int(counts.argmax())])
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(truths == 0, np.where(tried[:, None] == 0, 0.0, 1.0), np.abs(tried[:, None] / truths - 1))
        best = float(tried[int(np.mean([(error < 1 - theta).mean(axis=1) for theta in THRESHOLDS], axis=0).argmax())])
    return {sample.id: (f"{best:.12g}",) for sample in samples}


def _per_type(samples: Samples, known: Samples, facet: str) -> Replies:
    def key(sample: Sample) -> tuple[str, str]:
        return _kind(sample), str(sample.facets.get(facet, "")) if facet else ""

    makers: dict[str, Fitted] = {"number": _number, "span": _window, "spans": _window}
    makers |= dict.fromkeys(_LETTERED, _letter)
    found: Replies = {}
    for (kind, about), members in groupby(sorted(samples, key=key), key=key):
        alike = [sample for sample in known if key(sample) == (kind, about)]
        if kind in makers and alike:
            found |= makers[kind](list(members), alike)
    return {sample.id: found[sample.id] for sample in samples if sample.id in found}
