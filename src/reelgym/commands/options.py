"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.errors import RequestError

if TYPE_CHECKING:
    from reelgym.video import Store

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(help="Of everything drawn.")]
Videos = Annotated[str | None, typer.Option("--videos", help="Folder of the videos, if it has moved.")]

Kept = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Where decoded frames are kept; this machine's store by default."),
]
Most = Annotated[
    str | None, typer.Option("--store-limit", metavar="SIZE", help="What the store may hold, such as 10GB.")
]

Unsafe = Annotated[bool, typer.Option("--unsafe", help="Go on with a model that fails `reelgym doctor --quick`.")]


def frame_store(folder: Path | None, limit: str | None) -> Store:
    """Return the frame store of `--store` and `--store-limit`; that of this machine where no folder is given."""
    from reelgym.recipes import proving
    from reelgym.video import Store

    return Store(folder or proving.cache_folder() / "frames", bytes_of(limit))


def bytes_of(limit: str | None) -> int | None:
    """Return a size such as `10GB` in bytes."""
    from reelgym.video.store import parse_size

    return None if limit is None else parse_size(limit)


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
