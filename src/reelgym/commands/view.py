"""The command `view`: a local page to look through a dataset, run or evaluation."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from reelgym.commands.options import Kept, Most, Videos, frame_store
from reelgym.terminal import Stopped, say


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(view)


def view(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A dataset, run or evaluation.")],
    port: Annotated[int, typer.Option(help="Of the page; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open the page at once.")] = True,
    data: Annotated[Path | None, typer.Option(help="Dataset of a run or evaluation, if it has moved.")] = None,
    videos: Videos = None,
    store: Kept = None,
    store_limit: Most = None,
) -> None:
    """Looks through a dataset, run or evaluation on a local page; Ctrl-C ends it.

    Example: [bold]reelgym view puzzles[/bold]
    """
    from reelgym.reports.viewer.folder import open_browser
    from reelgym.reports.viewer.server import Viewer

    with Viewer(open_browser(path, frame_store(store, store_limit), videos=videos, data=data), port) as server:
        typer.echo(f"view: {server.url}")
        say("only this machine can open it; Ctrl-C ends it")
        if browser and _has_screen():
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except Stopped as stop:
            if stop.signum != signal.SIGINT:
                raise


def _has_screen() -> bool:
    """Say whether a browser would open in a window: in a bare terminal it would take the terminal over."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
