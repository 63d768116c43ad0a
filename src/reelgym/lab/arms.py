"""What is compared: recipes with their settings, resolved for one seed, and held to equal compute."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reelgym.errors import RequestError
from reelgym.recipes import tree
from reelgym.recipes.resolve import find, resolve
from reelgym.training.config import Data, RLRun

EQUAL = (
    "policy",
    "config.steps",
    "config.inner_steps",
    "config.minibatches",
    "config.prompts_per_step",
    "config.group_size",
    "config.max_completion_tokens",
    "config.seed",
)
"""Settings that make compute equal: cold start, updates, prompts per update, group size and token cap. The source
videos are compared besides."""

OURS = ("model", "policy", "seed")
"""What no arm may set: the lab does."""

_NEXT = re.compile(r",(?=[A-Za-z_][\w.-]*=)")


@dataclass(frozen=True)
class Arm:
    """One recipe with its settings.

    Attributes:
        name: As it was given: `process_mvp:separation=none`.
        recipe: A name, or `path.py:function`.
        settings: `KEY=VALUE` each.
    """

    name: str
    recipe: str
    settings: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """A name for its folder: readable, and another one for every arm."""
        return folder_name(self.name)

    def run(self, common: Mapping[str, str]) -> RLRun:
        """Return the run under settings that all arms share; the arm's own come before them.

        Raises:
            RequestError: It is no reinforcement recipe, or a setting is wrong.
        """
        own = {item.partition("=")[0].rpartition(".")[2] for item in self.settings}
        shared = {key: value for key, value in common.items() if key not in own}
        if "size" not in inspect.signature(find(self.recipe)).parameters:
            shared.pop("size", None)
        found = resolve(self.recipe, [*self.settings, *(f"{key}={value}" for key, value in shared.items())]).run
        if not isinstance(found, RLRun):
            raise RequestError(f"{self.name} is supervised: the lab compares recipes of reinforcement")
        return found


def folder_name(name: str) -> str:
    """Return a name for a folder, with a digest where letters had to go.

    >>> folder_name("process_mvp")
    'process_mvp'
    """
    plain = re.sub(r"[^\w.]+", "-", name).strip("-.")[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def parse(text: str) -> Arm:
    """Return the arm of `NAME`, `NAME:key=value,key=value` or `path.py:function:key=value`.

    >>> parse("process_mvp:separation=none,band=0.1,0.9").settings
    ('separation=none', 'band=0.1,0.9')
    """
    recipe, colon, last = text.rpartition(":")
    if not colon or "=" not in last:
        return Arm(text, text)
    settings = tuple(_NEXT.split(last))
    taken = [item for item in settings if item.partition("=")[0] in OURS]
    if taken:
        raise RequestError(f"{text}: {taken[0]} is the lab's to set, the same for all; see --start and --seeds")
    return Arm(text, recipe, settings)


def parse_all(texts: Sequence[str]) -> list[Arm]:
    """Return the arms; none twice.

    Raises:
        RequestError: None is given, or one twice.
    """
    arms = [parse(text) for text in texts]
    twice = sorted({arm.name for arm in arms if [one.name for one in arms].count(arm.name) > 1})
    if not arms or twice:
        raise RequestError(f"give each recipe once, at least one: {', '.join(twice) or 'there is none'}")
    return arms


def settings_of(run: RLRun) -> dict[str, str]:
    """Return every setting of a run as text; the rubric is one setting, and data are named by how they are made."""
    found = {key: _text(leaf.value) for key, leaf in tree.leaves(run).items() if not key.startswith("rubric.")}
    found |= {name: type(getattr(run, name)).__name__ for name in ("algorithm", "judge")}
    return found | {"rubric": repr(run.rubric.expression)}


def differing(runs: Mapping[str, RLRun]) -> list[tuple[str, ...]]:
    """Return one row per setting that is not the same in all runs: its key, then its value in each."""
    told = {name: settings_of(run) for name, run in runs.items()}
    keys = dict.fromkeys(key for one in told.values() for key in one)
    rows = [(key, *(one.get(key, "") for one in told.values())) for key in keys]
    return [row for row in rows if len(set(row[1:])) > 1]


def refuse_unequal(runs: Mapping[str, RLRun], *, videos: bool = True) -> None:
    """Hold that runs are of equal compute.

    Args:
        runs: By the arm's name.
        videos: Whether to look at the source videos too, which may render them.

    Raises:
        RequestError: They are not; every difference is listed.
    """
    told = {name: settings_of(run) for name, run in runs.items()}
    unlike = []
    for key in EQUAL:
        values = {name: one[key] for name, one in told.items()}
        if len(set(values.values())) > 1:
            unlike.append(f"{key} " + ", ".join(f"{value} in {name}" for name, value in values.items()))
    if videos and not _same_videos([run.data for run in runs.values()]):
        counts = ", ".join(f"{len(sources(run.data))} in {name}" for name, run in runs.items())
        unlike.append(f"source videos {counts}, not the same ones")
    if unlike:
        raise RequestError(f"not equal compute: {'; '.join(unlike)}. Give the recipes the same settings")


def sources(data: Data) -> frozenset[str]:
    """Return the identities of the videos that samples were cut from."""
    return frozenset(sample.source for sample in data.items)


def _same_videos(found: Sequence[Data]) -> bool:
    # Data that would be made alike are not made to be compared.
    return all(one == found[0] for one in found[1:]) or len({sources(one) for one in found}) == 1


def _text(value: Any) -> str:
    if isinstance(value, Data) and not getattr(value, "later", False):
        return f"{len(value.items)} items, {value.digest.removeprefix('sha256:')[:12]}"
    return str(value)
