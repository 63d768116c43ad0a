"""A book of questions as what a page carries: what the list needs at once, the rest packed until it is looked at."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from reelgym.reports.payload import Book

PACK = 20
"""Questions that are unpacked together: some kilobytes packed, milliseconds to open."""


@dataclass(frozen=True)
class Packed:
    """Blocks of a page.

    Attributes:
        about: JSON of the list, safe inside a script element.
        packs: (name, text) of every other block: items and texts as gzip in base64, pictures in base64.
    """

    about: Markup
    packs: tuple[tuple[str, str], ...]


def packed(book: Book) -> Packed:
    """Return a book as the blocks of a page."""
    tab = {"name": "questions", "label": "Questions", "form": "list", "count": len(book.rows), "noun": "questions"}
    about = {
        "about": {"title": "", "tabs": [tab], "defaults": {"questions": {}}, "stamp": ""},
        "rows": list(book.rows),
        "choices": [asdict(choice) for choice in book.choices],
        "sorts": {label: None if order is None else list(order) for label, order in book.sorts.items()},
        "pack": PACK,
    }
    starts = range(0, len(book.items), PACK)
    packs = [(f"items-{place}", _gzip(book.items[start : start + PACK])) for place, start in enumerate(starts)]
    packs.append(("texts", _gzip(book.texts)))
    packs += [(f"frame-{name}", base64.b64encode(image).decode()) for name, image in book.frames.items()]
    return Packed(safe_json(about), tuple(packs))


def safe_json(value: Any) -> Markup:
    """Return JSON that ends no script element and opens no comment, whatever text is in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # Inside JSON these letters stand in strings alone, where their escapes mean the same.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _gzip(texts: Sequence[str]) -> str:
    # Without a time in its header, the same results make the same page.
    found = gzip.compress(json.dumps(list(texts)).encode(), 9, mtime=0)
    return base64.b64encode(found).decode()
