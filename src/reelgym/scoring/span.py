"""Scores of one interval of time.

Reference: temporal grounding as in Charades-STA (arXiv 1705.02101): intersection over union, and recall at 0.3, 0.5
and 0.7 of it.
"""

from __future__ import annotations

import re
from functools import lru_cache

Span = tuple[float, float]

RECALLS = (0.3, 0.5, 0.7)
GRID = 60
"""Chance is enumerated over all intervals whose ends lie on a grid of this many equal cells of the video. Ours."""

_TIME = r"(?:[0-9]{1,3}:){0,2}[0-9]{1,6}(?:\.[0-9]{1,9})?"
_UNIT = r"\s*(?:s|sec|secs|seconds?)?"
_SPAN = re.compile(
    rf"[\[(]?\s*(?:from\s+)?({_TIME}){_UNIT}\s*(?:-|\u2013|\u2014|,|to|and)\s*({_TIME}){_UNIT}\s*[\])]?\.?",
    re.IGNORECASE,
)


def parse_span(text: str) -> Span | None:
    """Return (start, stop) in seconds where the whole text is an interval with start < stop, else None.

    Times are seconds, minutes:seconds or hours:minutes:seconds; between them a dash, a comma, `to` or `and`.

    >>> parse_span("3.5 - 10 s"), parse_span("[0:03, 1:10]"), parse_span("from 2 to 4 seconds")
    ((3.5, 10.0), (3.0, 70.0), (2.0, 4.0))
    >>> parse_span("10 - 3") is None, parse_span("it starts at 3") is None
    (True, True)
    """
    found = _SPAN.fullmatch(text.strip()) if len(text) <= 200 else None
    if found is None:
        return None
    start, stop = _seconds(found[1]), _seconds(found[2])
    return (start, stop) if start < stop else None


def _seconds(text: str) -> float:
    total = 0.0
    for piece in text.split(":"):
        total = 60 * total + float(piece)
    return total


def iou(one: Span, other: Span) -> float:
    """Return the length of what two intervals share over the length of what either covers.

    >>> iou((0, 10), (5, 20))
    0.25
    """
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    covered = one[1] - one[0] + other[1] - other[0] - shared
    return shared / covered if covered > 0 else 0.0


def span_parts(reply: Span, truth: Span) -> dict[str, float]:
    """Return `iou`, and `recall_0.3`, `recall_0.5`, `recall_0.7`: 1 where iou reaches that much."""
    shared = iou(reply, truth)
    return {"iou": shared} | {f"recall_{least}": float(shared >= least) for least in RECALLS}


def span_chance(truth: Span, duration_seconds: float) -> dict[str, float]:
    """Return the mean of every part over all intervals with both ends on a grid of the video (`GRID` cells)."""
    return dict(_chance(truth, duration_seconds))


@lru_cache(maxsize=4096)
def _chance(truth: Span, duration_seconds: float) -> tuple[tuple[str, float], ...]:
    ends = [duration_seconds * place / GRID for place in range(GRID + 1)]
    guesses = [span_parts((start, stop), truth) for i, start in enumerate(ends) for stop in ends[i + 1 :]]
    return tuple((name, sum(guess[name] for guess in guesses) / len(guesses)) for name in guesses[0])
