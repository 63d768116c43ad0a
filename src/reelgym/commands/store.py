"""The command that shows what is kept on disk to save time, frames and copies of remote files, and prunes it."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from reelgym.commands.options import Json
from reelgym.errors import RequestError
from reelgym.terminal import print_json, table

Folder = Annotated[
    Path | None, typer.Option("--store", "--folder", metavar="DIR", help="This machine's store by default.")
]

store = typer.Typer(no_args_is_help=False, rich_markup_mode="rich")


def add(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.add_typer(store, name="store")


@store.callback(invoke_without_command=True)
def show(context: typer.Context, folder: Folder = None, as_json: Json = False) -> None:
    """What the store of decoded frames holds; `prune` makes room.

    Example: [bold]reelgym store prune --limit 10GB[/bold]
    """
    if context.invoked_subcommand is None:
        _shown(_state(folder), as_json)


@store.command()
def prune(
    limit: Annotated[str | None, typer.Option(metavar="SIZE", help="What may stay, such as 10GB.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Keep nothing, copies of remote files neither.")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Throw away damaged entries, then those used longest ago; without --limit down to the store's own limit.

    Example: [bold]reelgym store prune --all[/bold]
    """
    from reelgym.video import Store, remote
    from reelgym.video.store import parse_size

    if everything and limit is not None:
        raise RequestError("store prune takes --limit SIZE or --all, not both")
    path = _folder(folder)
    before = _state(folder)
    if path.is_dir():
        kept = Store(path)
        kept.prune(0 if everything else parse_size(limit) if limit else kept.limit_bytes)
    if everything and folder is None:
        remote.prune_copies(0)
    after = _state(folder)
    freed = {name: before[name] - after[name] for name in ("entries", "size_bytes", "copies_bytes")}
    if as_json:
        return print_json({"freed": freed, "now": after})
    typer.echo(f"{freed['entries']} entries went, {_size(freed['size_bytes'] + freed['copies_bytes'])} freed")
    _shown(after, False)


def _folder(folder: Path | None) -> Path:
    from reelgym.recipes import proving

    return folder or proving.cache_folder() / "frames"


def _state(folder: Path | None) -> dict[str, Any]:
    """Return what is kept, as JSON values; a folder that is not there holds nothing."""
    from reelgym.video import Store, remote
    from reelgym.video.store import LIMIT_BYTES, Contents

    path = _folder(folder)
    if path.exists():
        kept = Store(path)
        held, limit = kept.contents(), kept.limit_bytes
    else:
        held, limit = Contents(0, 0, 0, 0, {}, 0, None), LIMIT_BYTES
    copies = remote.copies_bytes() if folder is None else 0
    return {"folder": str(path), "limit_bytes": limit, **asdict(held), "copies_bytes": copies}


def _shown(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(state)
    used = "never" if state["oldest"] is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(state["oldest"]))
    rows = [
        ("entries", f"{state['entries']} ({state['videos']} videos, {state['frames']} frames)"),
        ("size", f"{_size(state['size_bytes'])} of {_size(state['limit_bytes'])}"),
        *((f"kept as {name}", _size(size)) for name, size in state["encodings"].items()),
        ("vision features", _size(state["feature_bytes"])),
        ("longest unused since", used),
        ("damaged or of another format", str(state["unreadable"])),
        ("copies of remote files", _size(state["copies_bytes"])),
    ]
    table(state["folder"], (), rows)


def _size(count: int) -> str:
    """Return bytes as a person reads them.

    >>> _size(1234), _size(20 * 1024**3)
    ('1.2 kB', '21.5 GB')
    """
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"
