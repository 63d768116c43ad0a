"""The command `doctor`: what this machine can run, and whether a model is right on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json
from reelgym.terminal import print_json

if TYPE_CHECKING:
    from reelgym.doctor.check import Check


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(doctor)


def doctor(
    model: Annotated[
        str | None, typer.Option(help="Examine it: tiny, a folder, a hub name, a run, openai:NAME@URL.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what takes seconds, as train and eval do it.")] = False,
    key_env: Annotated[str | None, typer.Option(help="Environment variable of an endpoint's key.")] = None,
    as_json: Json = False,
) -> None:
    """What this machine can run; with --model, whether that model is right on it. One line per check.

    Example: [bold]reelgym doctor[/bold], or [bold]reelgym doctor --model tiny[/bold]
    """
    found = []
    for check in _checks(model, quick, key_env):
        found.append(check)
        if not as_json:
            typer.echo(f"{check.word}  {check.name}: {check.found}")
    failed = any(check.passed is False for check in found)
    following = _next(model, failed) if model else ""
    if as_json:
        told = [{"check": c.name, "result": c.word, "found": c.found} for c in found]
        print_json({"model": model, "checks": told, "next": following} if model else told)
    elif following:
        typer.echo(f"next: {following}")
    raise typer.Exit(1 if failed else 0)


def _checks(model: str | None, quick: bool, key_env: str | None) -> Iterator[Check]:
    if model is None:
        from reelgym.doctor import machine
        from reelgym.recipes import proving

        return machine.checks(proving.cache_folder())
    from reelgym.doctor import gate
    from reelgym.evaluation.speakers import Manners

    return gate.checks(model, quick=quick, manners=Manners(folder=Path(), key_env=[key_env] if key_env else ()))


def _next(model: str, failed: bool) -> str:
    if failed:
        return f"mend what failed, then reelgym doctor --model {model}"
    if model.startswith("openai:"):
        return f"reelgym eval DATASET --model {model}"
    if (Path(model.partition("@")[0]) / "checkpoints").is_dir():
        return f"reelgym eval DATASET --model {model} --probes blind"
    return f"reelgym train mvp --data DATASET --model {model} --out runs/mvp"
