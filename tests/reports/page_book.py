"""Reads the browser of questions back out of a page."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Read:
    """What a page carries: the list, the HTML of every item, what is searched, and the names of its pictures."""

    list: dict[str, Any]
    items: list[str]
    texts: list[str]
    frames: list[str]

    def item(self, key: str) -> str:
        """Return the item of a question."""
        return self.items[[row["key"] for row in self.list["rows"]].index(key)]

    def count(self, name: str, value: str) -> int:
        """Return how many rows have a value of a filter."""
        choice = next(one for one in self.list["choices"] if one["name"] == name)
        return choice["codes"].count(choice["values"].index(value)) if value in choice["values"] else 0


def read(html: str) -> Read:
    """Return the book of a page."""
    blocks = dict(re.findall(r'<script type="(?:text/plain|application/json)" id="([^"]+)">([^<]*)</script>', html))

    def opened(name: str) -> list[str]:
        found: list[str] = json.loads(gzip.decompress(base64.b64decode(blocks[name])))
        return found

    packs = sorted((name for name in blocks if name.startswith("items-")), key=lambda name: int(name[6:]))
    frames = [name[6:] for name in blocks if name.startswith("frame-")]
    items = [item for name in packs for item in opened(name)]
    return Read(json.loads(blocks["book"]), items, opened("texts"), frames)
