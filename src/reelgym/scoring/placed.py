"""Scores of a moment in time: seconds beside the right second.

Reference: the timestamp-aware rewards of Time-R1 (arXiv 2503.13377), which fall with the distance over the duration;
ours is flat within a tolerance, so that the right answer can be told from sparse frames, and falls faster.
"""

from __future__ import annotations

import re

import numpy as np

_SECONDS = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)\s*(?:s|sec|secs|seconds?)?\.?", re.IGNORECASE | re.ASCII)
_LONGEST = 100


def parse_seconds(text: str, length: float) -> float | None:
    """Return a time in seconds within 0 to `length`, with or without its unit, or None.

    >>> parse_seconds("12.5 s", 20), parse_seconds("at 12.5", 20), parse_seconds("21", 20)
    (12.5, None, None)
    """
    found = _SECONDS.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return None
    seconds = float(found[1])
    return seconds if seconds <= length else None


def placed_parts(reply: float, truth: float, tolerance: float, reach: float) -> dict[str, float]:
    """Return the parts of a time: strict 1 within the tolerance; smooth falls from there to 0 over `reach` seconds.

    >>> placed_parts(7.0, 10.0, 1.0, 4.0)
    {'strict': 0.0, 'smooth': 0.5}
    """
    beyond = max(0.0, abs(reply - truth) - tolerance)
    return {"strict": float(beyond == 0), "smooth": max(0.0, 1 - beyond / reach)}


def placed_chance(truth: float, tolerance: float, reach: float, length: float) -> dict[str, float]:
    """Return the mean of `placed_parts` over all tenths of a second from 0 to `length`, enumerated."""
    beyond = np.maximum(0.0, np.abs(np.array(tenths(length)) - truth) - tolerance)
    return {"strict": float((beyond == 0).mean()), "smooth": float(np.maximum(0.0, 1 - beyond / reach).mean())}


def tenths(length: float) -> list[float]:
    """Return 0.0, 0.1, ... up to `length` seconds: what a guesser chooses from.

    >>> tenths(0.25)
    [0.0, 0.1, 0.2]
    """
    return [k / 10 for k in range(int(np.floor(length * 10 + 1e-9)) + 1)]
