"""What observations say against known facts: the rule judge as a measure. Ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reelgym.data.form import contents
from reelgym.data.sample import Sample
from reelgym.evaluation.results import Evaluation
from reelgym.judges.leaks import leak
from reelgym.judges.rule import RuleJudge, words_of
from reelgym.scoring.statistics import clustered_mean
from reelgym.world import Facts


def observed(found: Evaluation, samples: Mapping[str, Sample], facts: Callable[[str], Facts | None]) -> dict[str, Any]:
    """Return what the observations of replies get right, as JSON values.

    Returns:
        `precision` and `recall` of their claims and the share that `suffices` (intervals, None where nothing is known),
        over the `known` questions that a rule can judge: puzzles of rendered videos, and questions with options; and
        over all `replies` the shares `missing` (no well-formed observation) and `leaks` (it states an answer).
        A missing observation claims nothing: its recall is 0, and it has no precision.
    """
    said = [(row, contents(row.reply).get("observation", "")) for row in found.rows]
    parts: dict[str, list[tuple[float, str]]] = {"precision": [], "recall": [], "suffices": []}
    rule, known = RuleJudge(words_of(facts)), 0
    for row, text in said:
        sample = samples[row.id]
        judged = rule.findings(sample, text)
        if judged is None:
            continue
        known += 1
        values = {"precision": judged.precision, "recall": judged.recall, "suffices": float(judged.suffices)}
        for name, value in values.items():
            parts[name] += [] if value is None else [(value, row.source)]
    leaks = sum(bool(text) and bool(leak(text, samples[row.id])) for row, text in said)
    shares = {"missing": sum(not text for _, text in said) / len(said), "leaks": leaks / len(said)}
    return {name: _interval(values) for name, values in parts.items()} | {
        "known": known,
        "replies": len(said),
        **shares,
    }


def _interval(values: Sequence[tuple[float, str]]) -> dict[str, Any] | None:
    kept = [(value, source) for value, source in values if not math.isnan(value)]
    return clustered_mean([value for value, _ in kept], [source for _, source in kept]).to_json() if kept else None
