"""The command `inspect`: what a dataset holds and how it may be gamed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reelgym.commands.options import Json, Kept, Most, Seed, Videos, frame_store
from reelgym.terminal import Bars, print_json, say, table


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(inspect)


def inspect(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder made by `reelgym synth`.")],
    baselines: Annotated[bool, typer.Option(help="Whether to score the baselines, which look at frames.")] = True,
    limit: Annotated[int, typer.Option(help="Samples the baselines are asked, a seeded subset.")] = 200,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the same as a page, with pictures.")] = None,
    videos: Videos = None,
    store: Kept = None,
    store_limit: Most = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Counts, chance levels, shortcut audit, structure of the videos, difficulty, quarantine reasons.

    Example: [bold]reelgym inspect puzzles --html audit.html[/bold]
    """
    from reelgym.data.dataset import read_dataset
    from reelgym.synthesis import audit_table, difficulty_table, structure_table
    from reelgym.synthesis import inspect as look
    from reelgym.synthesis import table as rows_of

    found, frames = read_dataset(dataset), frame_store(store, store_limit)
    media = found.media(frames, videos) if baselines else None
    with Bars() as bars:
        report = look(found, media, limit=limit, seed=seed, progress=bars.stage("score baselines"))
    if html is not None:
        from reelgym.reports.folders import of_dataset
        from reelgym.reports.page import write_page

        say(f"page: {write_page(html, of_dataset(dataset, frames, videos=videos, about=report))}")
    if as_json:
        return print_json(report)
    typer.echo(f"{dataset}: {report['counts']['samples']} samples, digest {report['digest']}")
    table("", ("what", "count"), [(name, str(count)) for name, count in report["counts"].items()])
    header, *rows = rows_of(report)
    title = f"Scores that need no model ({report['baseline_samples']} samples)" if baselines else "Chance"
    table(title, header, rows)
    if audited := audit_table(report):
        table("Shortcuts: score, and share of puzzles wholly solved, with 95% intervals", audited[0], audited[1:])
    if surveyed := structure_table(report):
        table("Videos", ("what", "videos"), surveyed)
    if measured := difficulty_table(report):
        table("Difficulty: samples by pass rate", measured[0], measured[1:])
    if report["quarantine"]:
        table("Quarantine", ("reason", "files"), [(reason, str(n)) for reason, n in report["quarantine"].items()])
