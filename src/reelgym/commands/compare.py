"""The command `compare`: stored evaluations side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json, Seed
from reelgym.errors import RequestError
from reelgym.terminal import print_json, table

if TYPE_CHECKING:
    from reelgym.evaluation.results import Evaluation


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(compare)


def compare(
    evaluations: Annotated[
        list[str],
        typer.Argument(metavar="EVAL[:NAME]...", help="Folders of `reelgym eval`; NAME is one of its results."),
    ],
    allow: Annotated[
        str, typer.Option(metavar="SETTING,...", help="What may differ: prompt, max_tokens, dataset, split, limit, ...")
    ] = "",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Stored evaluations side by side: every pair with its interval and its test.

    Example: [bold]reelgym compare evals/before evals/after[/bold]
    """
    from reelgym.evaluation.versus import SETTINGS, versus

    allowed = [name for name in allow.split(",") if name]
    for name in allowed:
        if name not in SETTINGS:
            raise RequestError(f"--allow {name}: it is one of {', '.join(SETTINGS)}")
    chosen = _chosen(evaluations)
    pairs = versus(chosen, allow=allowed, seed=seed)
    if as_json:
        scores = {name: one.mean().to_json() for name, one in chosen.items()}
        return print_json({"scores": scores, "pairs": [pair.to_json() for pair in pairs]})

    from reelgym.reports.build import evaluation_table

    shown = evaluation_table(f"{len(next(iter(chosen.values())))} questions", chosen)
    table(shown.title, shown.columns, shown.rows)
    columns = ("pair", "difference", "95% interval", "p", "p, corrected", "detectable", "")
    rows = []
    for pair in pairs:
        limits = "none" if pair.difference.limits is None else "{:+.3f} to {:+.3f}".format(*pair.difference.limits)
        least = "" if pair.detectable is None else f"{pair.detectable:.3f}"
        numbers = (f"{pair.difference.mean:+.3f}", limits, f"{pair.p:.4f}", f"{pair.p_holm:.4f}", least)
        rows.append((f"{pair.second} - {pair.first}", *numbers, pair.verdict))
    return table("Pairs: permutation test over videos, Holm's correction", columns, rows)


def _chosen(given: list[str]) -> dict[str, Evaluation]:
    """Return the named results; of a folder without a name, the plain result of each model that scores highest."""
    from reelgym.evaluation import results

    found: dict[str, Evaluation] = {}
    for text in given:
        path, _, name = text.rpartition(":") if not Path(text).is_dir() else (text, "", "")
        stored = results.read(path or text)
        if name and name not in stored:
            raise RequestError(f"{path} holds no result {name!r}; it holds {', '.join(stored)}")
        plain = {key: one for key, one in stored.items() if one.probe is None and one.variant != "none"}
        best: dict[str, str] = {}
        for key, one in plain.items():
            if one.model not in best or one.mean().mean > plain[best[one.model]].mean().mean:
                best[one.model] = key
        for key in [name] if name else best.values():
            label = f"{Path(path or text).name}:{key}"
            found[label if label not in found else f"{path or text}:{key}"] = stored[key]
    return found
