"""The command `demo`: the whole job on the embedded default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reelgym.commands.options import Json, Seed
from reelgym.terminal import Bars, Stage, Stop, leave_if, print_json, table


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder of all that is made; the page is index.html in it.")] = Path(
        "reelgym-demo"
    ),
    videos: Annotated[
        Path | None, typer.Option(help="Your own video files or folder, beside the rendered ones.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The whole job on the embedded default: videos, puzzles, RL, before and after, page.

    Example: [bold]reelgym demo --out my-demo[/bold]
    """
    from reelgym.recipes import demo as recipe
    from reelgym.video import find_videos

    if videos is not None:
        find_videos([str(videos)])  # A wrong path is told before anything is rendered.
    with Bars() as bars, Stop() as stop:

        def stage(name: str) -> Stage:
            stop.new_stage()
            return bars.stage(name)

        result = recipe.run(out, videos=videos, seed=seed, progress=stage, should_stop=stop)
    leave_if(stop, out)
    if as_json:
        return print_json(result.results)
    table("", result.columns, result.rows)
    typer.echo(f"page: {result.page}")
