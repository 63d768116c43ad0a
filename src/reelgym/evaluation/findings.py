"""What floors and probes say of a set and its models, as plain data beside the scores; from stored rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelgym.evaluation.classes import classify
from reelgym.evaluation.leaks import leaks
from reelgym.evaluation.probed import probed
from reelgym.evaluation.results import Evaluation


def findings(evaluations: Mapping[str, Evaluation], *, seed: int = 0) -> dict[str, Any]:
    """Return `probes` (what each did to a score), `classes` (None without blind and shuffled) and `leaks`, as JSON.

    Args:
        evaluations: By name, floors and probes among them.
        seed: Of the intervals.
    """
    classes = classify(evaluations)
    return {
        "probes": [one.to_json() for one in probed(evaluations, seed=seed)],
        "classes": None if classes is None else classes.to_json(),
        "leaks": leaks(evaluations, seed=seed).to_json(),
    }
