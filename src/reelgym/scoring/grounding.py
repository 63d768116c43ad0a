"""Scores of one span of a clip whose ends lie at its frames: strict and smooth, and what a guesser gets.

Reference: the reward of anomaly grounding in VideoSSR (arXiv 2511.06281), temporal intersection over union.
"""

from __future__ import annotations

from functools import lru_cache

from reelgym.scoring.span import Span, iou


def grounding_parts(reply: Span, truth: Span, slack_seconds: float) -> dict[str, float]:
    """Return `strict` and `smooth` of a span.

    * strict: 1 if both ends are within the slack of the true ones, which forgives rounding and no frame.
    * smooth: 1 if strict, else the intersection over union.

    >>> grounding_parts((2.0, 6.0), (4.0, 6.04), 0.1)["smooth"] < 0.6
    True
    """
    strict = float(all(abs(a - b) <= slack_seconds for a, b in zip(reply, truth, strict=True)))
    return {"strict": strict, "smooth": strict or iou(reply, truth)}


def grounding_chance(edges: tuple[float, ...], truth: Span, slack_seconds: float) -> dict[str, float]:
    """Return the mean of `grounding_parts` over all spans between two of the edges, enumerated.

    Args:
        edges: Ascending times in seconds at which a span may begin or end, at least two.
        truth: The right span.
        slack_seconds: See `grounding_parts`.
    """
    return dict(_chance(edges, truth, slack_seconds))


@lru_cache(maxsize=4096)
def _chance(edges: tuple[float, ...], truth: Span, slack_seconds: float) -> tuple[tuple[str, float], ...]:
    spans = [(start, stop) for place, start in enumerate(edges) for stop in edges[place + 1 :]]
    rows = [grounding_parts(span, truth, slack_seconds) for span in spans]
    return tuple((name, sum(row[name] for row in rows) / len(rows)) for name in ("strict", "smooth"))
