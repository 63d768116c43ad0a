"""One self-contained HTML page from a payload: no network, light and dark, readable on a phone and without scripts."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image as PilImage

from reelgym.data.files import replacing
from reelgym.errors import WorkError
from reelgym.reports import dots, svg
from reelgym.reports.images import data_uri
from reelgym.reports.packing import packed
from reelgym.reports.payload import Frame, Measure, Payload


def render(payload: Payload) -> str:
    """Return the page as HTML text. Every value is escaped; only our own style, script and charts pass as they are."""
    script = _script(payload)
    # The policy lets nothing be fetched and no script run but the one whose digest it names.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=payload,
            style=Markup(asset("page.css") + (asset("view.css") if payload.book else "")),
            script=Markup(script),
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
            judged=any(puzzle.solved is not None for puzzle in payload.puzzles),
            kinds=sorted({puzzle.kind for puzzle in payload.puzzles if puzzle.kind}),
            book=packed(payload.book) if payload.book else None,
        )
    )


def _script(payload: Payload) -> str:
    if payload.book:
        return asset("local.js") + asset("view.js")
    return asset("page.js") if payload.puzzles else ""


@cache
def environment() -> Environment:
    """Return what fills templates: every value is escaped, a name that nobody gave is an error."""
    made = Environment(
        loader=PackageLoader("reelgym.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        percent=svg.percent,
        number=number,
        verdict=verdict,
        image=picture,
        aspect=aspect,
        bars=svg.bars,
        curves=svg.curves,
        dots=dots.plot,
        dot_panel=dots.panel,
    )
    made.globals.update(percent=svg.percent, signed=svg.signed)
    return made


def write_page(path: str | Path, payload: Payload) -> Path:
    """Write the page and return its path; it appears whole or not at all.

    Args:
        path: The HTML file; its folder is made.
        payload: What it shows.

    Raises:
        WorkError: The disk refused.
    """
    place = Path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary:
            temporary.write_text(render(payload), encoding="utf-8")
    except OSError as error:
        raise WorkError(f"{place}: could not write the page: {error.strerror or error}") from error
    return place


def verdict(measure: Measure) -> str:
    """Return `better` or `worse` where the whole interval of a difference lies on one side of 0, else nothing."""
    found = measure.difference
    if found is None or found.low is None or found.high is None or measure.good == "none":
        return ""
    if found.low <= 0.0 <= found.high:
        return ""
    return "better" if (found.low > 0.0) == (measure.good == "up") else "worse"


def picture(frame: Frame) -> str:
    """Return where the picture of a frame is: its address, or itself as a data URI."""
    return frame.address or data_uri(frame.image)


def aspect(frame: Frame) -> float:
    """Return width over height of a frame, so that the slots of hidden frames get the shape of their neighbours."""
    if not frame.image:
        return round(frame.shape[1] / frame.shape[0], 3) if frame.shape else 1.0
    with PilImage.open(io.BytesIO(frame.image)) as image:
        return round(image.width / image.height, 3)


def number(value: float | None) -> str:
    """Return a plain number, a true minus sign before it where negative; a dash where there is none.

    >>> number(-0.5)
    '\u22120.50'
    """
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def asset(name: str) -> str:
    """Return the text of a file beside the templates."""
    return resources.files("reelgym.reports").joinpath("templates", name).read_text("utf-8")
