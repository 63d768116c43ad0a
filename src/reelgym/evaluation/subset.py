"""The questions of one class as a dataset of their own, which is asked like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Dataset, read_dataset, write_dataset
from reelgym.errors import RequestError, unknown
from reelgym.evaluation.classes import CLASSES, Classes
from reelgym.evaluation.results import Evaluation

EVERY = "all"
"""Stands for all classes."""


def export(classes: Classes, chosen: str, whole: Dataset, out: str | Path) -> dict[str, Any]:
    """Write the questions of a class into a dataset folder and return its manifest.

    Ids, prompts and answers stay, so that rows pair with those of the whole set; every question gets the facet `class`.

    Args:
        classes: From `classes.classify`.
        chosen: One of `CLASSES`, or `all`.
        whole: The dataset that was asked.
        out: A folder that holds no dataset yet.

    Raises:
        RequestError: No such class, no question of it, or a dataset that lacks the questions.
    """
    if chosen not in (*CLASSES, EVERY):
        raise unknown("class", chosen, (*CLASSES, EVERY))
    wanted = {key: name for key, name in classes.of.items() if chosen in (name, EVERY)}
    if not wanted:
        raise RequestError(f"no question is {chosen}; the classes hold {classes.counts()}")
    samples = [
        replace(sample, facets=sample.facets | {"class": wanted[sample.id]})
        for sample in whole.samples
        if sample.id in wanted
    ]
    if len(samples) != len(wanted):
        raise RequestError(
            f"{whole.path} holds {len(samples)} of {len(wanted)} questions: name the dataset with --data"
        )
    sources = [source for source in whole.sources if source.identity in {sample.source for sample in samples}]
    about = {"of": whole.digest, "class": chosen, "models": list(classes.models), "questions_of": len(classes.of)}
    kept = {
        name: whole.manifest[name] for name in ("tasks", "seed", "settings", "media_root") if name in whole.manifest
    }
    return write_dataset(out, samples, sources, (), kept | {"subset": about})


def dataset_of(evaluations: Mapping[str, Evaluation], data: str | Path | None = None) -> Dataset:
    """Return the dataset that evaluations were asked from.

    Args:
        evaluations: By name.
        data: Where it lies now; None is where it lay then.

    Raises:
        RequestError: They name several, none is there, or the one that is there has another content.
    """
    named = {
        (str(one.settings.get("dataset")), str(one.settings.get("dataset_path")))
        for one in evaluations.values()
        if one.settings.get("dataset")
    }
    if len({digest for digest, _ in named}) != 1:
        raise RequestError(f"these evaluations are of {len(named)} datasets: give evaluations of one set")
    digest, place = min(named)
    found = read_dataset(data or place)
    if found.digest != digest:
        raise RequestError(f"{found.path} has changed since it was asked ({digest[:19]} then): name it with --data")
    return found
