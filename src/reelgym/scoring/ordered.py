"""Scores of ordered selection (choose K of K + l candidates and put them in order), and what a guesser gets.

Reference: Masked Video Prediction, arXiv 2601.03781. Its own reward was never published; the shapes here are those of
the nearest published rewards, named in `ordered_parts`, and the default is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, permutations
from math import perm

from reelgym.scoring.score import corrected

PARTS = ("exact", "selection", "order", "position", "position_discounted", "displacement", "lcs", "two_part")
"""The raw measures; each also comes as `<part>_corrected`."""

PARTIAL_CREDIT = 0.5
"""gamma of `two_part`: what a reply that is not exact can earn at most. Ours."""

POSITION_DISCOUNT = 0.2
"""gamma of `position_discounted`: Visual Jigsaw's (arXiv 2509.25190)."""


def ordered_parts(reply: Sequence[int], truth: Sequence[int], pool: int) -> dict[str, float]:
    """Return every raw measure of a valid reply, each in [0, 1].

    With K = len(truth) and g_i the true, y_i the written index at place i:

    * exact: 1 if y = g, else 0 (shape A).
    * selection: the share of g that was chosen.
    * order: the share of true pairs (a before b) of which both were chosen and stand in the right order. With K = 1
      there are no pairs, and order is exact.
    * position: the share of places with y_i = g_i (shape D: SSL4RL, arXiv 2510.16416).
    * position_discounted: 1 if exact, else 0.2 position (shape B: Visual Jigsaw, arXiv 2509.25190).
    * displacement: 1 - E / E_max (shape C: VideoSSR, arXiv 2511.06281). E sums over g how far each frame stands from
      its place; one that was not chosen counts K, one more than any chosen one can. E_max is the largest E that a
      valid reply can have; without distractors that is VideoSSR's floor(K^2 / 2).
    * lcs: the longest common subsequence of y and g, over K.
    * two_part: 1 if exact, else 0.5 (0.5 max(0, selection_corrected) + 0.5 order) (shape E; the default).

    Args:
        reply: (K,) distinct indices in 1..pool.
        truth: (K,) distinct indices in 1..pool.
        pool: K + l.
    """
    count = len(truth)
    place = {index: where for where, index in enumerate(reply)}
    chosen = sum(index in place for index in truth) / count
    pairs = list(combinations(truth, 2))
    in_order = sum(a in place and b in place and place[a] < place[b] for a, b in pairs)
    exact = float(tuple(reply) == tuple(truth))
    order = in_order / len(pairs) if pairs else exact
    position = sum(a == b for a, b in zip(reply, truth, strict=True)) / count
    error = sum(abs(place.get(index, where + count) - where) for where, index in enumerate(truth))
    selection_skill = max(0.0, corrected(chosen, count / pool))
    return {
        "exact": exact,
        "selection": chosen,
        "order": order,
        "position": position,
        "position_discounted": exact or POSITION_DISCOUNT * position,
        "displacement": 1.0 - error / (largest_displacement(count, pool) or 1),
        "lcs": _common(reply, truth) / count,
        "two_part": exact or PARTIAL_CREDIT * (0.5 * selection_skill + 0.5 * order),
    }


def largest_displacement(count: int, pool: int) -> int:
    """Return E_max of `ordered_parts`: as many true frames left out as the pool allows, the rest turned around.

    A frame left out counts K; of those kept, two move by K - 1, two by K - 3, and so on.
    """
    missed = min(count, pool - count)
    moves = sorted((abs(count - 1 - 2 * place) for place in range(count)), reverse=True)
    return missed * count + sum(moves[: count - missed])


@lru_cache(maxsize=64)
def _chances(count: int, pool: int) -> tuple[tuple[str, float], ...]:
    truth = tuple(range(1, count + 1))
    totals = dict.fromkeys(PARTS, 0.0)
    for reply, weight in _replies(count, pool):
        for name, value in ordered_parts(reply, truth, pool).items():
            totals[name] += weight * value
    return tuple((name, total / perm(pool, count)) for name, total in totals.items())


def ordered_chance(count: int, pool: int) -> dict[str, float]:
    """Return the mean of every part over all (K+l)!/l! valid replies, enumerated.

    >>> {name: round(chance, 3) for name, chance in ordered_chance(2, 4).items() if name in ("exact", "selection")}
    {'exact': 0.083, 'selection': 0.5}
    """
    return dict(_chances(count, pool))


def _replies(count: int, pool: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield (reply, how many valid replies look like it), the true indices being 1..count."""
    for chosen in range(max(0, count - (pool - count)), count + 1):
        weight = perm(pool - count, count - chosen)
        for places in combinations(range(count), chosen):
            for kept in permutations(range(1, count + 1), chosen):
                yield _place(places, kept, count), weight


def _place(places: tuple[int, ...], kept: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return a reply with `kept` at `places` and distractors (count + 1, ...) elsewhere."""
    true_at = dict(zip(places, kept, strict=True))
    distractors = iter(range(count + 1, 2 * count + 1))
    return tuple(true_at[place] if place in true_at else next(distractors) for place in range(count))


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for left in a:
        corner = 0
        for column, right in enumerate(b, 1):
            corner, row[column] = row[column], corner + 1 if left == right else max(row[column], row[column - 1])
    return row[-1]
