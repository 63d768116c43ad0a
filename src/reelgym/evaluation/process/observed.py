"""What observations say against known facts: the rule judge as a measure. Ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from reelgym.data.form import contents
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation.results import Evaluation
from reelgym.judges.leaks import leak
from reelgym.judges.rule import RuleJudge
from reelgym.scoring.statistics import clustered_mean
from reelgym.world import Facts, load_facts


def facts_of(paths: Mapping[str, str | Path]) -> Callable[[str], Facts | None]:
    """Return what looks up the facts beside a rendered video by its identity; None where there are none."""

    @cache
    def look(identity: str) -> Facts | None:
        try:
            return load_facts(paths[identity]) if identity in paths else None
        except RequestError:
            # Any other video: nobody wrote down what is true of it.
            return None

    return look


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
    known = 0
    for row, text in said:
        sample = samples[row.id]
        about = facts(sample.source)
        judged = RuleJudge(None if about is None else lambda _, about=about: about.word).findings(sample, text)  # type: ignore[misc]
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
