"""What evaluations are called on a page: models in short, prompts and probes in words, no two alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from reelgym.evaluation.results import Evaluation

ENDPOINT, STORED, FLOOR = "openai:", "replies:", "floor:"
"""How names begin: `openai:NAME@URL`, `replies:FILE`, `floor:NAME`. Pages import nothing that asks a model."""

PROBES = {
    "blind": "blind: every frame grey",
    "text_only": "no media at all",
    "shuffled_context": "frames shuffled",
    "single_frame": "one frame only",
    "shuffled": "frames shuffled",
    "reversed": "frames reversed",
    "wrong_video": "another video",
    "option_rotation": "options rotated",
    "evidence_only": "only the evidence shown",
    "evidence_masked": "evidence masked",
}
"""Probes in words; any other by its name."""


def is_floor(one: Evaluation) -> bool:
    """Return whether no model was asked: a shortcut that needs none, and not replies made elsewhere."""
    return one.variant == "none" or one.model.startswith(FLOOR)


def is_plain(one: Evaluation) -> bool:
    """Return whether a model was asked with nothing taken away."""
    return one.probe is None and not is_floor(one)


def short(model: str) -> str:
    """Return a model's name as a reader would say it.

    >>> short("openai:qwen@http://localhost:8000/v1"), short("runs/mvp"), short("replies:made/a.csv")
    ('qwen', 'mvp', 'a')
    """
    if model.startswith(ENDPOINT):
        return model.removeprefix(ENDPOINT).partition("@http")[0] or model
    if model.startswith(STORED):
        return PurePosixPath(model.removeprefix(STORED)).stem or model
    if model.startswith(FLOOR):
        return spaced(model.removeprefix(FLOOR))
    return PurePosixPath(model).name or model or "the model"


def spaced(name: str) -> str:
    """Return a name without underscores."""
    return name.replace("_", " ")


def probe(name: str | None) -> str:
    """Return a probe in words."""
    return PROBES.get(name, spaced(name)) if name else ""


def titles(evaluations: Mapping[str, Evaluation]) -> dict[str, str]:
    """Return what each evaluation is called, by name: the model, its prompt where it had several, what was taken away.

    Where that does not tell two apart, both go by their stored names.
    """
    models = models_of(evaluations)
    prompts: dict[str, set[str]] = {}
    for one in evaluations.values():
        prompts.setdefault(one.model, set()).add(one.variant)
    found = {
        name: ", ".join(
            filter(None, (models[one.model], _prompt(one, prompts[one.model]), spaced(one.probe) if one.probe else ""))
        )
        for name, one in evaluations.items()
    }
    told = Counter(found.values())
    return {name: title if told[title] == 1 else spaced(name) for name, title in found.items()}


def models_of(evaluations: Mapping[str, Evaluation]) -> dict[str, str]:
    """Return the short name of every model that was asked; the whole one where two would be alike."""
    models = dict.fromkeys(one.model for one in evaluations.values())
    told = Counter(short(model) for model in models)
    return {model: short(model) if told[short(model)] == 1 else model for model in models}


def _prompt(one: Evaluation, variants: set[str]) -> str:
    return f"{one.variant} prompt" if len(variants) > 1 and one.variant != "none" else ""
