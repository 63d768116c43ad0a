"""What every question needs: the words alone, the frames in any order, or their order; from stored replies.

VBenchComp (arXiv 2505.14321) sorts questions so; no code or data of it was found, and the rule for several models, the
threshold of graded scores, who has a say and the share by guessing are ours.

    blind     answered right without the video.
    semantic  else, answered right with the frames in order and shuffled too.
    temporal  else, answered right in order alone: it needs the order.
    other     not answered right in order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reelgym.errors import RequestError
from reelgym.evaluation import probes
from reelgym.evaluation.probed import plain_of, probes_of
from reelgym.evaluation.results import Evaluation, Row, by_id
from reelgym.scoring.statistics import clustered_mean

CLASSES = ("blind", "semantic", "temporal", "other")
"""In the order in which they are tried."""

RIGHT = 0.5
"""The least value of a right reply. Ours; letters are right or wrong anyway."""

DRAWS = 2_000
"""Bootstrap draws."""

ASKED = ("plain", "blind", "shuffled")
"""What a model must have been asked to have a say."""


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Classes of questions.

    Attributes:
        of: Question's id to its class.
        models: Who had a say, with the prompt.
        unclassed: Questions that some of these lack a reply to.
        guessed: The share that would be called `blind` if everybody guessed; None where scores are graded.
        scores: Plain result's name to class to its score there as JSON, for every model, those without a say too.
    """

    of: dict[str, str]
    models: tuple[str, ...]
    unclassed: int
    guessed: float | None
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return how many questions are of each class."""
        held = list(self.of.values())
        return {name: held.count(name) for name in CLASSES}

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, the counts beside them."""
        return vars(self) | {"models": list(self.models), "counts": self.counts()}


Say = Mapping[str, Mapping[str, Row]]
"""Of one model: `plain`, `blind` and `shuffled` to its rows by id."""


def classify(evaluations: Mapping[str, Evaluation]) -> Classes | None:
    """Return the class of every question; None where nobody has a say.

    A model has a say if it was asked plainly, blind and shuffled, and its plain score beats chance by more than its
    interval: what guessers are right about says nothing of a question. With several a question counts as right where
    more than half of them are right.

    Args:
        evaluations: By name, of one or several models.

    Raises:
        RequestError: They have no question in common.
    """
    says: dict[str, Say] = {}
    for name, one in evaluations.items():
        plain = plain_of(name, evaluations) if one.probe and probes.get(one.probe).name == "blind" else ""
        if plain and (say := _say(plain, one, evaluations)):
            who = f"{one.model} ({one.variant})"
            says[who if who not in says else f"{who}, {plain}"] = say
    if not says:
        return None
    every = [set(rows) for say in says.values() for rows in say.values()]
    shared = set.intersection(*every)
    if not shared:
        raise RequestError("these evaluations have no question in common: give evaluations of one set")
    first = next(iter(says.values()))["plain"]
    of = {key: _class_of(key, list(says.values())) for key in first if key in shared}
    return Classes(
        of=of,
        models=tuple(says),
        unclassed=len(set.union(*every)) - len(of),
        guessed=_guessed([say["blind"][key] for say in says.values() for key in of], len(says)),
        scores={name: _scores(one, of) for name, one in evaluations.items() if one.probe is None},
    )


def _say(plain: str, blind: Evaluation, evaluations: Mapping[str, Evaluation]) -> Say:
    beside = probes_of(plain, evaluations).values()
    mixed = [one for one in beside if probes.get(str(one.probe)).name == "shuffled"]
    if not mixed or not _beats_chance(evaluations[plain]):
        return {}
    return {name: by_id(one.rows) for name, one in zip(ASKED, (evaluations[plain], blind, mixed[0]), strict=True)}


def _beats_chance(one: Evaluation) -> bool:
    over = [row.value - row.chance.get("value", 0.0) for row in one.rows]
    return clustered_mean(over, one.clusters, draws=DRAWS).above(0.0)


def _class_of(key: str, says: Sequence[Say]) -> str:
    right = {name: 2 * sum(say[name][key].value >= RIGHT for say in says) > len(says) for name in ASKED}
    if right["blind"]:
        return "blind"
    if not right["plain"]:
        return "other"
    return "semantic" if right["shuffled"] else "temporal"


def _guessed(rows: Sequence[Row], models: int) -> float | None:
    """Return the share of questions that more than half of so many guessers have right, by each row's own chance."""
    if any(row.value not in (0.0, 1.0) or "value" not in row.chance for row in rows):
        return None
    least = models // 2 + 1

    def most(chance: float) -> float:
        return math.fsum(
            math.comb(models, k) * chance**k * (1 - chance) ** (models - k) for k in range(least, models + 1)
        )

    return math.fsum(most(row.chance["value"]) for row in rows) / len(rows)


def _scores(one: Evaluation, of: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name in CLASSES:
        rows = [row for row in one.rows if of.get(row.id) == name]
        if rows:
            found[name] = clustered_mean([row.value for row in rows], [row.source for row in rows]).to_json()
    return found
