"""From stored replies to findings: scores with intervals, paired differences, and whether this budget sees anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.evaluation.compare import paired
from reelgym.evaluation.results import Evaluation
from reelgym.lab.controls import NEGATIVE, POSITIVE
from reelgym.lab.statistics import crossed
from reelgym.scoring.significance import holm

START = "start"
"""The cold start itself, untrained: the same replies for every seed."""

BLURRED = "not distinguishable"

Replies = Mapping[str, Sequence[Evaluation]]
"""By arm, one evaluation per seed, the seeds in the same order in all."""


def findings(replies: Replies, recipes: Sequence[str]) -> dict[str, Any]:
    """Return what one endpoint says, as JSON values.

    `controls` is positive - negative; `sees` whether its interval lies above 0. `pairs` holds the paired differences
    (second - first) of recipes among each other, with the start and with the negative control, Holm-corrected together;
    a pair counts as different where its interval does not hold 0 and the corrected p is below 0.05. Nothing is ranked
    where `sees` is false. `detectable` is the smallest true difference that this budget shows between whichever two
    recipes; of one recipe, between it and the negative control.

    Args:
        replies: Of every recipe, both controls and the start.
        recipes: Names of the recipes.
    """
    videos = next(iter(replies.values()))[0].clusters
    tables = {name: _table(found, replies[START][0]) for name, found in replies.items()}
    gate = crossed(tables[POSITIVE] - tables[NEGATIVE], videos)
    sees = gate.low is not None and gate.low > 0.0
    named = [*combinations(recipes, 2), *((base, one) for base in (START, NEGATIVE) for one in recipes)]
    found = [crossed(tables[second] - tables[first], videos) for first, second in named]
    pairs = []
    for (first, second), one, p in zip(named, found, holm([one.p for one in found]), strict=True):
        sure = sees and not one.holds_zero and p < 0.05
        better = second if one.mean > 0 else first
        verdict = f"{better} is better" if sure else BLURRED
        pairs.append({"first": first, "second": second, **one.to_json(), "p_holm": p, "verdict": verdict})
    bases = {START} if len(recipes) == 1 else {START, NEGATIVE}
    between = [one.detectable for one, names in zip(found, named, strict=True) if bases.isdisjoint(names)]
    return {
        "chance": replies[START][0].chance(),
        "questions": len(videos),
        "videos": len(set(videos)),
        "scores": {name: crossed(table, videos).to_json() for name, table in tables.items()},
        "invalid": {name: _rate(found) for name, found in replies.items()},
        "controls": gate.to_json(),
        "sees": sees,
        "pairs": pairs,
        # 0 is of replies that are all alike: it says nothing about what other replies would show.
        "detectable": max((one for one in between if one), default=None),
    }


def _table(found: Sequence[Evaluation], order: Evaluation) -> NDArray[np.float64]:
    """Return (S, R) scores, the questions in the order of one evaluation."""
    return np.array([[second.value for _, second in paired(order, one)] for one in found], dtype=np.float64)


def _rate(found: Sequence[Evaluation]) -> float:
    return float(np.mean([one.numbers("invalid").mean() for one in found]))
