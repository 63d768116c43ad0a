"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(help="Of everything drawn.")]
Videos = Annotated[str | None, typer.Option("--videos", help="Folder of the videos, if it has moved.")]
