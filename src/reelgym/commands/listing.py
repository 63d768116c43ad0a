"""The command `list`: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from reelgym.commands.options import Json
from reelgym.errors import unknown
from reelgym.terminal import print_json, table


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command(name="list")(show_list)


def show_list(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="tasks, recipes, benchmarks, probes, tools, rewards, algorithms, records (import), formats (export)",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """What there is, one line each.

    Example: [bold]reelgym list tasks[/bold]
    """
    from reelgym import registry

    rooms = {
        "benchmarks": "evaluation.benchmarks",
        "probes": "evaluation.probes",
        "records": "synthesis.labelled",
        "formats": "synthesis.export",
    }
    kinds = ("tasks", "recipes", "benchmarks", "probes", "tools", "rewards", "algorithms", "records", "formats")
    if kind is not None and kind not in kinds:
        raise unknown("kind", kind, kinds)
    found = {
        name: registry.catalogue(f"reelgym.{rooms.get(name, name)}", decorator="recipe")
        for name in kinds
        if kind in (None, name)
    }
    if kind == "benchmarks":
        return _benchmarks(as_json)
    if "benchmarks" in found:
        from reelgym.evaluation.benchmarks import every

        found["benchmarks"] = {name: one.about for name, one in every().items()}
    if as_json:
        return print_json(found if kind is None else found[kind])
    for name, entries in found.items():
        table(name.capitalize(), (), list(entries.items()) or [("none yet", "")])


def _benchmarks(as_json: bool) -> None:
    """Show access, licence, size, metric and what the numbers were ever checked against."""
    from reelgym.evaluation.benchmarks import every

    lines = {name: one.about_line() for name, one in every().items()}
    if as_json:
        return print_json(lines)
    rows = []
    for name, line in lines.items():
        size = f"{line['questions'] or '?'} / {line['videos'] or '?'}"
        shown = (line["source"], line["access"], line["licence"], size, line["metric"], line["checked"])
        rows.append((name, *shown))
    return table("Benchmarks", ("", "source", "access", "licence", "rows / videos", "metric", "checked"), rows)
