"""The command `doctor`: what this machine can run."""

from __future__ import annotations

import typer

from reelgym.commands.options import Json
from reelgym.terminal import print_json


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """What this machine can run, one line per check.

    Example: [bold]reelgym doctor[/bold]
    """
    from reelgym.doctor import checks
    from reelgym.recipes import proving

    found = []
    for check in checks(proving.cache_folder()):
        found.append(check)
        if not as_json:
            typer.echo(f"{check.word}  {check.name}: {check.found}")
    if as_json:
        print_json([{"check": c.name, "result": c.word, "found": c.found} for c in found])
    raise typer.Exit(1 if any(check.passed is False for check in found) else 0)
