"""The command `new`: a file and its test to begin from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from reelgym.errors import RequestError, unknown


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(new)


def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="task, reward, algorithm, benchmark, recipe")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="In small letters, words joined by _.")],
    root: Annotated[Path, typer.Option(help="The checkout of reelgym.")] = Path(),
) -> None:
    """A working file and its test, to change into your own.

    Example: [bold]reelgym new reward brief[/bold]
    """
    from reelgym.commands.new_templates import TEMPLATES, filled

    if kind == "tool":
        raise RequestError("tool: there is no room of tools yet, since no rollout calls one; see docs/methods.md")
    if kind not in TEMPLATES:
        raise unknown("kind", kind, TEMPLATES)
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise RequestError(f"name {name!r}: give small letters and digits, words joined by _, such as short_reply")
    if not (root / "src" / "reelgym").is_dir() or not (root / "tests").is_dir():
        raise RequestError(f"{root.resolve()} is no checkout of reelgym: run this in one, or name it with --root")
    source, text, test, test_text = TEMPLATES[kind]
    files = {
        root / "src" / "reelgym" / filled(source, name): filled(text, name),
        root / "tests" / filled(test, name): filled(test_text, name),
    }
    for path in files:
        if path.exists():
            raise RequestError(f"{path} exists: give another name, or remove it")
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")
        typer.echo(f"wrote {path}")
    typer.echo(f"next: python -m pytest {list(files)[1]}")
