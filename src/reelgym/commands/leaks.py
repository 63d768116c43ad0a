"""The command `leaks`: what a set gives away, what its questions need, and the hard ones as a set of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.commands.options import Json, Seed
from reelgym.errors import RequestError
from reelgym.terminal import print_json, say, table

if TYPE_CHECKING:
    from reelgym.evaluation.results import Evaluation

SHOWN = 20
"""Leaks that are printed; results hold all."""


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(leaks)


def leaks(
    evaluations: Annotated[
        list[Path], typer.Argument(metavar="EVAL...", help="Folders of `reelgym eval`, of one set of questions.")
    ],
    export: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the questions of a class as a dataset that eval reads.")
    ] = None,
    chosen: Annotated[
        str, typer.Option("--class", help="Which: temporal, semantic, blind, other or all.")
    ] = "temporal",
    data: Annotated[Path | None, typer.Option(help="The dataset that was asked, if it has moved.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """What questions give away, by floors and probes, and what they need: words, frames, or their order.

    Example: [bold]reelgym leaks evals/a evals/b --export hard[/bold], then
    [bold]reelgym eval hard --model MODEL[/bold]
    """
    from reelgym.evaluation.classes import classify
    from reelgym.evaluation.findings import findings
    from reelgym.evaluation.subset import dataset_of
    from reelgym.evaluation.subset import export as write

    stored = _stored(evaluations)
    told = findings(stored, seed=seed)
    if export is not None:
        classes = classify(stored)
        if classes is None:
            raise RequestError(
                "no model that beats chance was asked plainly, blind and shuffled: run `reelgym eval` with "
                "--probes blind,shuffled"
            )
        made = write(classes, chosen, dataset_of(stored, data), export)
        say(f"{export}: {made['counts']['samples']} questions; ask them with `reelgym eval {export} --model M`")
    if as_json:
        return print_json(told)
    return show(told)


def show(findings: Mapping[str, Any]) -> None:
    """Print what floors and probes say; nothing where no probe was asked and nothing leaks."""
    _probes(findings["probes"])
    _classes(findings["classes"])
    _leaks(findings["leaks"])


def _stored(folders: list[Path]) -> dict[str, Evaluation]:
    """Return the results of all folders; their names tell the folder where there are several."""
    from reelgym.evaluation import results

    found: dict[str, Evaluation] = {}
    for folder in folders:
        label = folder.resolve().name if len({one.resolve().name for one in folders}) == len(folders) else str(folder)
        read = results.read(folder)
        found |= {name if len(folders) == 1 else f"{label}:{name}": one for name, one in read.items()}
    return found


def _probes(lines: list[dict[str, Any]]) -> None:
    if not lines:
        return
    rows = []
    for line in lines:
        before = "" if line["before"] is None else f"{line['before']:.1%}"
        chance = "" if line["chance"] is None else f"{line['chance']:.1%}"
        numbers = (_interval(line["score"], "{:.1%}"), before, _interval(line["difference"], "{:+.1%}"), chance)
        rows.append((line["name"], *numbers, str(line["rows"]), line["leaves"]))
    columns = ("", "score", "plain", "probe - plain", "chance", "questions", "what is left")
    table("Probes, paired question by question", columns, rows)
    for line in lines:
        say(f"{line['name']}: {line['left_out']}" if line["left_out"] else "")


def _classes(found: dict[str, Any] | None) -> None:
    if found is None:
        return
    counts, total = found["counts"], max(1, len(found["of"]))
    needs = {
        "blind": "right without the video",
        "semantic": "else right, shuffled too",
        "temporal": "else right in order alone",
        "other": "not right in order",
    }
    scores = {
        name: of for name, of in found["scores"].items() if of and not name.rpartition(":")[2].startswith("floor-")
    }
    rows = [
        (
            name,
            str(counts[name]),
            f"{counts[name] / total:.1%}",
            *(_interval(of.get(name), "{:.1%}") for of in scores.values()),
            what,
        )
        for name, what in needs.items()
    ]
    table(
        f"What {total} questions need, by {', '.join(found['models'])}", ("", "questions", "share", *scores, ""), rows
    )
    if found["guessed"] is not None:
        say(f"by guessing alone {found['guessed']:.1%} would be called blind")
    if found["unclassed"]:
        say(f"{found['unclassed']} questions lack a reply and have no class")


def _leaks(found: dict[str, Any]) -> None:
    lines = found["found"]
    luck = f"{found['tried']} parts looked at; luck alone gives about {found['tried'] / 40:.1f}"
    if not lines:
        return say(f"no floor and no probe beats chance by more than its interval ({luck})") if found["tried"] else None
    rows = []
    for line in lines[:SHOWN]:
        part = "all" if not line["value"] else f"{line['facet']} = {line['value']}"
        numbers = (f"{line['score']:.1%}", f"{line['chance']:.1%}", _interval(line["lift"], "{:+.1%}"))
        rows.append((line["name"], line["without"], part, *numbers))
    columns = ("", "without", "questions", "score", "chance", "score - chance")
    table(f"What beats chance without it should ({luck})", columns, rows)
    say(f"and {len(lines) - SHOWN} more" if len(lines) > SHOWN else "")
    return None


def _interval(found: dict[str, Any] | None, form: str) -> str:
    if found is None:
        return ""
    limits = "" if found["low"] is None else f" ({form.format(found['low'])} to {form.format(found['high'])})"
    return form.format(found["mean"]) + limits
