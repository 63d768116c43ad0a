"""Shards: runs that share the work by content, with no coordinator."""

from __future__ import annotations

import hashlib
import re

from reelgym.errors import RequestError


def parse_shard(text: str) -> tuple[int, int]:
    """Return (number, count) of `I/N`, counted from 1.

    Raises:
        RequestError: Not of this form, or I is not one of 1..N.

    >>> parse_shard("2/8")
    (2, 8)
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise RequestError(f"shard={text!r}: give I/N with I from 1 to N, as in 2/8")
    return number, count


def owner(key: str, count: int) -> int:
    """Return which of `count` shards (from 1) takes what has this key: an identity, or a name where there is none.

    >>> owner("full:0", 1)
    1
    """
    return int(hashlib.sha256(f"shard {key}".encode("utf-8", "surrogatepass")).hexdigest()[:13], 16) % count + 1
