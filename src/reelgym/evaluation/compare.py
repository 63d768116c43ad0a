"""Two evaluations of the same samples, paired row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reelgym.errors import RequestError
from reelgym.evaluation.results import RATES, Evaluation, Row, by_id
from reelgym.scoring.statistics import Interval, paired_difference


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The paired difference after - before of every part and rate.

    Attributes:
        differences: By part (`value`, parts of the score, `invalid`, `cut_off`), over the rows where both have it.
        valid_both: The difference of `value` over rows readable both times; None where there are none.
        rows: Rows paired.
        valid_rows: Rows readable both times.
    """

    differences: dict[str, Interval]
    valid_both: Interval | None
    rows: int
    valid_rows: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "differences": {part: difference.to_json() for part, difference in self.differences.items()},
            "valid_both": None if self.valid_both is None else self.valid_both.to_json(),
            "rows": self.rows,
            "valid_rows": self.valid_rows,
        }


def compare(before: Evaluation, after: Evaluation, *, level: float = 0.95, seed: int = 0) -> Comparison:
    """Return the paired differences between two evaluations of the same samples.

    Prompt, probe and model may differ: that is what is compared.

    Raises:
        RequestError: The two cover different samples, or were made under different position rules.
    """
    pairs = paired(before, after)
    clusters = [first.source for first, _ in pairs]

    def difference(part: str, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Interval | None:
        first = np.array([row.number(part) for row, _ in pairs])
        second = np.array([row.number(part) for _, row in pairs])
        keep = keep & ~np.isnan(first) & ~np.isnan(second)
        if not keep.any():
            return None
        kept = [cluster for cluster, k in zip(clusters, keep, strict=True) if k]
        return paired_difference(first[keep], second[keep], kept, level=level, seed=seed)

    every = np.ones(len(pairs), dtype=np.bool_)
    valid = np.array([first.valid and second.valid for first, second in pairs], dtype=np.bool_)
    shared = [part for part in before.parts() if part in set(after.parts())]
    found = {part: difference(part, every) for part in [*shared, *RATES]}
    return Comparison(
        differences={part: interval for part, interval in found.items() if interval is not None},
        valid_both=difference("value", valid),
        rows=len(pairs),
        valid_rows=int(valid.sum()),
    )


def paired(before: Evaluation, after: Evaluation) -> list[tuple[Row, Row]]:
    """Return the rows of two evaluations of the same samples, paired by id in the order of the first.

    Raises:
        RequestError: They cover different samples or none, or were made under different position rules.
    """
    rules = {before.position_rule, after.position_rule} - {""}
    if len(rules) > 1:
        raise RequestError(
            f"results under different position rules ({' and '.join(sorted(rules))}) are not compared: "
            "evaluate both with one version"
        )
    first, second = by_id(before.rows), by_id(after.rows)
    only_first, only_second = first.keys() - second.keys(), second.keys() - first.keys()
    if only_first or only_second:
        example = min(only_first or only_second)
        raise RequestError(
            f"the evaluations cover different samples: {len(only_first)} only before, {len(only_second)} only after "
            f"(for example {example}): evaluate both on the same dataset"
        )
    if not first:
        raise RequestError("the evaluations hold no replies: nothing to compare")
    return [(row, second[row.id]) for row in before.rows]
