"""The command `report`: one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(report)


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="A dataset, run, evaluation or demo; or the seeds of a demo."),
    ],
    out: Annotated[Path | None, typer.Option(help="The HTML file; report.html inside PATH by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="Dataset of a run or evaluation, if it has moved.")] = None,
) -> None:
    """One self-contained page from stored results; of several demos, with one row per seed.

    Example: [bold]reelgym report evals/puzzles --out page.html[/bold]
    """
    from reelgym.reports.report import report as write

    typer.echo(f"page: {write(paths[0], out, dataset=data, others=paths[1:])}")
