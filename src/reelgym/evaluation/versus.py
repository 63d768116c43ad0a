"""Any number of evaluations of the same questions side by side: every pair tested, corrected for their number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from reelgym.errors import RequestError
from reelgym.evaluation.compare import paired
from reelgym.evaluation.results import Evaluation
from reelgym.scoring.significance import detectable, holm, mcnemar, permutation
from reelgym.scoring.statistics import Interval, paired_difference

SETTINGS = ("prompt", "max_tokens", "dataset", "split", "limit", "frames", "probe", "benchmark", "judge", "partial")
"""What must be the same in evaluations that are compared, unless the caller allows it to differ."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two evaluations, second - first, paired by question.

    Attributes:
        first: Name of one.
        second: Name of the other.
        difference: Of the mean score, with its video-clustered interval.
        p: Two-sided, from the clustered permutation test.
        p_holm: The same, corrected for all pairs.
        p_mcnemar: McNemar's exact test where all scores are right or wrong; it takes questions for independent.
        detectable: Smallest true difference that this set shows in four of five repetitions; None with one video.
    """

    first: str
    second: str
    difference: Interval
    p: float
    p_holm: float
    p_mcnemar: float | None
    detectable: float | None

    @property
    def verdict(self) -> str:
        """Which of the two is better, if any, with the corrected test at 0.05."""
        if self.p_holm >= 0.05:
            return "not distinguishable"
        return f"{self.second if self.difference.mean > 0 else self.first} is better"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return vars(self) | {"difference": self.difference.to_json(), "verdict": self.verdict}


def versus(evaluations: Mapping[str, Evaluation], *, allow: Collection[str] = (), seed: int = 0) -> list[Pair]:
    """Return every pair of evaluations tested against each other.

    Args:
        evaluations: At least two, by name.
        allow: Settings out of `SETTINGS` that may differ.
        seed: Of the bootstrap and the permutations.

    Raises:
        RequestError: Fewer than two; other questions; partial results; or other settings than allowed, which it lists.
    """
    if len(evaluations) < 2:
        raise RequestError(f"a comparison takes at least two evaluations, here is {', '.join(evaluations) or 'none'}")
    if cut := [f"{name} ({one.settings['partial']})" for name, one in evaluations.items() if _is_barred(one, allow)]:
        raise RequestError(
            f"partial results are not compared: {'; '.join(cut)}. Complete them, or say --allow partial where all lack "
            "the same"
        )
    if unlike := [line for name, line in differing(evaluations) if name not in allow]:
        raise RequestError(
            f"the evaluations were not made alike: {'; '.join(unlike)}. Make them alike, or name what may differ "
            "with --allow"
        )
    raw = [_pair(first, second, evaluations, seed) for first, second in combinations(evaluations, 2)]
    return [Pair(**one, p_holm=p) for one, p in zip(raw, holm([one["p"] for one in raw]), strict=True)]


def differing(evaluations: Mapping[str, Evaluation]) -> list[tuple[str, str]]:
    """Return each setting that is not the same in all evaluations, with a line that says what it is in which."""
    found = []
    for setting in SETTINGS:
        values = {name: _setting(one, setting) for name, one in evaluations.items()}
        if len({repr(value) for value in values.values()}) > 1:
            found.append((setting, f"{setting} " + ", ".join(f"{value} in {name}" for name, value in values.items())))
    return found


def _is_barred(one: Evaluation, allow: Collection[str]) -> bool:
    return bool(one.settings.get("partial")) and "partial" not in allow


def _setting(one: Evaluation, name: str) -> Any:
    if name in ("max_tokens", "probe"):
        return getattr(one, name)
    value = one.variant if name == "prompt" else one.settings.get(name)
    return value[:12] if name == "dataset" and isinstance(value, str) else value


def _pair(first: str, second: str, evaluations: Mapping[str, Evaluation], seed: int) -> dict[str, Any]:
    pairs = paired(evaluations[first], evaluations[second])
    before, after = (np.array([row.value for row in rows]) for rows in zip(*pairs, strict=True))
    clusters = [row.source for row, _ in pairs]
    graded = set(np.concatenate([before, after]).tolist()) - {0.0, 1.0}
    return {
        "first": first,
        "second": second,
        "difference": paired_difference(before, after, clusters, seed=seed),
        "p": permutation(before, after, clusters, seed=seed),
        "p_mcnemar": None if graded else mcnemar(before, after),
        "detectable": detectable(after - before, clusters),
    }
