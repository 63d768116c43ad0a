"""What each probe did to a score: the probe beside the plain questions, paired question by question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reelgym.evaluation import probes
from reelgym.evaluation.results import Evaluation, Row, by_id
from reelgym.scoring.statistics import Interval, clustered_mean, paired_difference

_ADDED = ("left_out", "partial", "adapted", "fingerprint")
"""Settings in which a probe's result may differ from its plain one."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """One model under one probe.

    Attributes:
        name: Of the probe's result.
        plain: Name of the plain result that it belongs to (`plain_of`); empty where there is none.
        model: What was asked.
        variant: The prompt.
        probe: Its name.
        score: Under the probe.
        chance: Of it; None where no row states one.
        before: The plain score on the same questions; None without a plain result.
        difference: Probe - plain on the same questions.
        rows: How many these are.
        left_out: What the probe means nothing for, in words.
    """

    name: str
    plain: str
    model: str
    variant: str
    probe: str
    score: Interval
    chance: float | None
    before: float | None
    difference: Interval | None
    rows: int
    left_out: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, with what the probe leaves to go by and what it takes away."""
        about = probes.get(self.probe)
        told = {"score": self.score.to_json(), "leaves": about.leaves, "without": about.without}
        return vars(self) | told | {"difference": None if self.difference is None else self.difference.to_json()}


def probed(evaluations: Mapping[str, Evaluation], *, seed: int = 0) -> list[Probed]:
    """Return a line for every result under a probe, in their order.

    Args:
        evaluations: By name, plain ones among them.
        seed: Of the intervals.
    """
    return [_line(name, one, evaluations, seed) for name, one in evaluations.items() if one.probe is not None]


def plain_of(name: str, evaluations: Mapping[str, Evaluation]) -> str:
    """Return the name of the plain result that a probe's result belongs to, or empty.

    It is of the same model and prompt. Where several are, it is the one whose name the probe's begins with (`direct` of
    `direct-blind`), else the only one with the same settings; where that leaves several, nobody can say: it is none.
    """
    one = evaluations[name]
    same = [
        key
        for key, other in evaluations.items()
        if other.probe is None and (other.model, other.variant) == (one.model, one.variant)
    ]
    if len(same) > 1:
        begun = [key for key in same if name.startswith((f"{key}-", f"{key}_"))]
        alike = [key for key in same if _asked_alike(one, evaluations[key])]
        same = [max(begun, key=len)] if begun else alike
    return same[0] if len(same) == 1 else ""


def probes_of(plain: str, evaluations: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    """Return the results under probes that belong to a plain result, by name."""
    return {name: one for name, one in evaluations.items() if one.probe and plain_of(name, evaluations) == plain}


def _asked_alike(one: Evaluation, other: Evaluation) -> bool:
    """Return whether two were asked under the same settings, those aside that a probe or a broken run adds."""
    plain, probe = (
        {name: value for name, value in each.settings.items() if name not in _ADDED} for each in (one, other)
    )
    return (plain, one.max_tokens) == (probe, other.max_tokens)


def pairs(plain: Evaluation, other: Evaluation) -> list[tuple[Row, Row]]:
    """Return the rows of both that share a question: a probe may leave some out, and a budget too."""
    found = by_id(other.rows)
    return [(row, found[row.id]) for row in plain.rows if row.id in found]


def _line(name: str, one: Evaluation, evaluations: Mapping[str, Evaluation], seed: int) -> Probed:
    plain = plain_of(name, evaluations)
    shared = pairs(evaluations[plain], one) if plain else []
    before = [row.value for row, _ in shared]
    after, clusters = [row.value for _, row in shared], [row.source for row, _ in shared]
    return Probed(
        name=name,
        plain=plain,
        model=one.model,
        variant=one.variant,
        probe=probes.get(str(one.probe)).name,
        score=clustered_mean([row.value for row in one.rows], one.clusters, seed=seed),
        chance=one.chance(),
        before=sum(before) / len(before) if before else None,
        difference=paired_difference(before, after, clusters, seed=seed) if before else None,
        rows=len(shared) or len(one),
        left_out=str(one.settings.get("left_out", "")),
    )
