"""The audit: what shortcuts score on every sample, what that says of a dataset, and which samples go for it.

Every sample carries `provenance.audit`, the value each shortcut earned, and the facet `shortcut`, 1 where one earned
all. The rules, of which `synth --audit` takes one:

* mark: that is all.
* thin: where a shortcut solves more than a guesser would, each sample it solves is kept with the probability that
  brings it down to that level, q = c (1 - r) / (r (1 - c)) for the share r that it solves and a guesser's share c.
  Of several shortcuts the smallest q counts. Whether a sample stays follows from the hash of its name.
* drop: samples that a shortcut solves go, where it solves surely more than a guesser (the lower limit of its interval
  is above c). In tasks in which a guesser solves more than a quarter they are thinned instead: to leave only what a
  shortcut gets wrong would turn it into one that gets everything right, upside down.

A shortcut looks at the frames by which tasks compare them, not at those the model is shown.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym import tasks
from reelgym.data.edits import apply
from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample
from reelgym.scoring.running import RunningMean
from reelgym.synthesis.shortcuts import replies
from reelgym.tasks.base import MediaReader
from reelgym.video import Frames

Rule = Literal["mark", "thin", "drop", "off"]

RULES = ("mark", "thin", "drop", "off")
"""What may be done about samples that a shortcut solves; `off` does not look."""

SOLVED = 1.0 - 1e-6
"""The value from which on a reply has solved its sample."""

LUCKY = 0.25
"""A guesser's share of solved samples above which `drop` thins."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """Shows the parts of one video's samples from frames that are decoded already, at their size."""

    frames: Frames

    def __call__(self, part: Image | Clip) -> NDArray[np.uint8]:
        """Return (F, h, w, 3): the frames at the part's times, edited."""
        times = (part.time,) if isinstance(part, Image) else part.times
        return apply(self.frames.pick(times), times, part.edits)


def scores(sample: Sample, media: MediaReader) -> dict[str, dict[str, float]]:
    """Return what every shortcut scores on a sample: by name, its value and the other parts."""
    task = tasks.get(sample.task)
    found = {}
    for name, reply in replies(task, sample, media).items():
        score = task.score(reply, sample)
        found[name] = score.parts | {"value": score.value}
    return found


def marked(sample: Sample, media: MediaReader) -> Sample:
    """Return the sample with what shortcuts earn on it."""
    values = {name: round(parts["value"], 6) for name, parts in scores(sample, media).items()}
    note = {"audit": {"values": values, "chance": round(chance_of_solving(sample), 6)}}
    facets = {"shortcut": 1} if any(value >= SOLVED for value in values.values()) else {}
    return replace(sample, provenance=sample.provenance | note, facets=sample.facets | facets)


def chance_of_solving(sample: Sample) -> float:
    """Return how often a guesser's answer is wholly right."""
    chance = tasks.get(sample.task).chance(sample)
    return chance.get("exact", chance.get("strict", chance["value"]))


@dataclass
class _Tally:
    """What is known of one task: by shortcut its value and how often it solves; and a guesser's share."""

    values: dict[str, RunningMean] = field(default_factory=dict)
    solved: dict[str, RunningMean] = field(default_factory=dict)
    chance: RunningMean = field(default_factory=RunningMean)
    any_solved: RunningMean = field(default_factory=RunningMean)
    removed: int = 0


class Audit:
    """The audit of a dataset: `add` every row in order, `settle`, then ask which it `keeps` and for its `manifest`.

    Attributes:
        removed: By source, how many samples the rule leaves out; known after `settle`.
    """

    def __init__(self, rule: Rule = "mark") -> None:
        """Begin with no row."""
        self.rule = rule
        self.removed: Counter[str] = Counter()
        self._tallies: dict[str, _Tally] = {}
        self._odds: dict[str, dict[str, float]] | None = None

    def add(self, row: Mapping[str, str]) -> None:
        """Take a row as `sample_to_row` gives it; rows of one source follow each other."""
        told = json.loads(row["provenance"])
        note, source = told.get("audit"), str(told.get("source"))
        if note is None:
            return
        tally = self._tallies.setdefault(row["task"], _Tally())
        tally.chance.add(note["chance"], source)
        tally.any_solved.add(float(any(value >= SOLVED for value in note["values"].values())), source)
        for name, value in note["values"].items():
            tally.values.setdefault(name, RunningMean()).add(value, source)
            tally.solved.setdefault(name, RunningMean()).add(float(value >= SOLVED), source)

    def settle(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Decide by all rows that were added; the same rows once more tell how many go."""
        if self.rule not in ("thin", "drop"):
            return
        self._odds = {task: dict(self._thinning(tally)) for task, tally in self._tallies.items()}
        for row in rows:
            if not self.keeps(row):
                self._tallies[row["task"]].removed += 1
                self.removed[str(json.loads(row["provenance"])["source"])] += 1

    def keeps(self, row: Mapping[str, str]) -> bool:
        """Say whether the rule keeps a row; ask it after `settle`."""
        if self._odds is None:
            return True
        note = json.loads(row["provenance"]).get("audit")
        if note is None:
            return True
        odds = self._odds[row["task"]]
        share = min((odds.get(name, 1.0) for name, value in note["values"].items() if value >= SOLVED), default=1.0)
        # The name without its split: near-duplicates may have moved it to the other side.
        name = row["id"].rpartition("-")[2]
        drawn = int(hashlib.sha256(f"audit {row['task']} {name}".encode()).hexdigest()[:13], 16) / 16**13
        return drawn < share

    def manifest(self) -> dict[str, Any]:
        """Return the audit as JSON values: scores before anything was removed; empty where nobody looked."""
        if not self._tallies:
            return {}
        return {"rule": self.rule, "tasks": {task: _described(tally) for task, tally in sorted(self._tallies.items())}}

    def _thinning(self, tally: _Tally) -> Iterator[tuple[str, float]]:
        """Yield (shortcut, share of the samples it solves that stay) of those that solve more than a guesser."""
        chance = tally.chance.interval().mean
        for name, mean in tally.solved.items():
            found = mean.interval()
            if found.mean <= chance:
                continue
            if self.rule == "drop" and chance <= LUCKY:
                yield name, 0.0 if found.above(chance) else 1.0
            else:
                yield name, chance * (1 - found.mean) / (found.mean * (1 - chance)) if chance < 1 else 1.0


def _described(tally: _Tally) -> dict[str, Any]:
    both = {
        name: {"value": tally.values[name].interval().to_json(), "solved": tally.solved[name].interval().to_json()}
        for name in sorted(tally.values)
    }
    chance = tally.chance.interval()
    return {
        "samples": chance.rows,
        "removed": tally.removed,
        "chance_solved": chance.mean,
        "solved_by_any": tally.any_solved.interval().to_json(),
        "baselines": both,
    }
