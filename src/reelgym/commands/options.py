"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from reelgym.errors import RequestError

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(help="Of everything drawn.")]
Videos = Annotated[str | None, typer.Option("--videos", help="Folder of the videos, if it has moved.")]

Unsafe = Annotated[bool, typer.Option("--unsafe", help="Go on with a model that fails `reelgym doctor --quick`.")]


def price_of(text: str | None) -> tuple[float, float] | None:
    """Return prices of tokens read and written from `IN,OUT`."""
    if text is None:
        return None
    try:
        read, written = (float(piece) for piece in text.split(","))
    except ValueError as error:
        raise RequestError(
            f"--price {text!r}: give two numbers, money per million tokens read and written: 0.5,1.5"
        ) from error
    if not (0 <= read < float("inf") and 0 <= written < float("inf")):
        raise RequestError(f"--price {text!r}: prices are 0 or more")
    return read, written
