"""Scores of intervals against several true ones: union, intersection over prediction, the best of many, acc@GQA.

Reference: NExT-GQA (arXiv 2309.01327) takes the best of the annotated segments, and counts an answer as grounded where
half of the predicted interval lies inside one; CG-Bench (arXiv 2412.12075) compares merged unions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from reelgym.scoring.span import GRID, Span, iou

CLUE_RECALLS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Thresholds that CG-Bench's rec@IoU and acc@IoU average over."""

GROUNDED_AT = 0.5
"""Intersection over prediction from which NExT-GQA takes an answer as grounded."""

Parts = dict[str, float]


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return the union of intervals as disjoint ones in time order.

    >>> merged([(4, 6), (0, 2), (1, 3)])
    [(0, 3), (4, 6)]
    """
    out: list[Span] = []
    for start, stop in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        else:
            out.append((start, stop))
    return out


def union_iou(one: Sequence[Span], other: Sequence[Span]) -> float:
    """Return the length that two unions of intervals share over the length that either covers.

    >>> union_iou([(0, 2), (1, 4)], [(2, 6)])
    0.3333333333333333
    """
    first, second = merged(one), merged(other)
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in first for b in second)
    covered = sum(stop - start for start, stop in first + second) - shared
    return shared / covered if covered > 0 else 0.0


def iop(reply: Span, truth: Span) -> float:
    """Return the share of the reply that lies inside the truth.

    >>> iop((0, 10), (5, 20))
    0.5
    """
    shared = max(0.0, min(reply[1], truth[1]) - max(reply[0], truth[0]))
    return shared / (reply[1] - reply[0]) if reply[1] > reply[0] else 0.0


def clue_parts(reply: Sequence[Span], truth: Sequence[Span]) -> Parts:
    """Return `iou` of the unions, and `rec`: the share of `CLUE_RECALLS` that it reaches."""
    shared = union_iou(reply, truth)
    return {"iou": shared, "rec": sum(shared >= least for least in CLUE_RECALLS) / len(CLUE_RECALLS)}


def best_parts(reply: Span, truth: Sequence[Span]) -> Parts:
    """Return `iop` and `iou`, each the best over the true intervals, and whether each reaches 0.3 and 0.5."""
    measures = {"iop": max(iop(reply, one) for one in truth), "iou": max(iou(reply, one) for one in truth)}
    reached = {f"{name}_{least}": float(value >= least) for name, value in measures.items() for least in (0.3, 0.5)}
    return measures | reached


def interval_chance(measure: Callable[[Span, tuple[Span, ...]], Parts], truth: Sequence[Span], seconds: float) -> Parts:
    """Return the mean of a measure over all single intervals with both ends on a grid of the video (`GRID` cells)."""
    return dict(_chance(measure, tuple((float(a), float(b)) for a, b in truth), seconds))


@lru_cache(maxsize=4096)
def _chance(
    measure: Callable[[Span, tuple[Span, ...]], Parts], truth: tuple[Span, ...], seconds: float
) -> tuple[tuple[str, float], ...]:
    ends = [seconds * place / GRID for place in range(GRID + 1)]
    guesses = [measure((start, stop), truth) for i, start in enumerate(ends) for stop in ends[i + 1 :]]
    return tuple((name, sum(guess[name] for guess in guesses) / len(guesses)) for name in guesses[0])
