"""Scores of an order: all of K things put in sequence. Shared by the jigsaws and the ordering of shots.

References: Visual Jigsaw, arXiv 2509.25190 (shares of places, discounted); VideoSSR, arXiv 2511.06281 (displacement).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from math import factorial
from typing import Literal

from reelgym.scoring.ordered import POSITION_DISCOUNT
from reelgym.scoring.parse import parse_indices

Smooth = Literal["position", "position_discounted", "displacement", "pairs"]
"""The measures that can be the smooth reward of an order."""

SMOOTH = ("position", "position_discounted", "displacement", "pairs")
"""The values of `Smooth`."""


def permutation_parts(reply: Sequence[int], truth: Sequence[int], smooth: str) -> dict[str, float]:
    """Return every measure of a permutation, each in [0, 1].

    With y the reply and g the truth, K long:

    * strict: 1 if y = g.
    * position: the share of places with y_i = g_i.
    * position_discounted: 1 if y = g, else 0.2 position (Visual Jigsaw; its code pays the partial credit only for
      K > 4, its paper and we always).
    * displacement: 1 - E / floor(K^2 / 2), E the sum over all things of how far each stands from its place (VideoSSR).
    * pairs: the share of pairs in the right order, 1 - Kendall's distance.
    * smooth: the one that `smooth` names.

    Args:
        reply: (K,) a permutation of the truth, K at least 2.
        truth: (K,) distinct numbers.
        smooth: A name of `SMOOTH`.
    """
    count = len(truth)
    place = {number: where for where, number in enumerate(reply)}
    strict = float(tuple(reply) == tuple(truth))
    position = sum(a == b for a, b in zip(reply, truth, strict=True)) / count
    error = sum(abs(place[number] - where) for where, number in enumerate(truth))
    in_order = [place[a] < place[b] for a, b in combinations(truth, 2)]
    parts = {
        "strict": strict,
        "position": position,
        "position_discounted": strict or POSITION_DISCOUNT * position,
        "displacement": 1 - error / (count * count // 2),
        "pairs": sum(in_order) / len(in_order),
    }
    return parts | {"smooth": parts[smooth]}


def permutation_chance(count: int, smooth: str) -> dict[str, float]:
    """Return the mean of every part over all K! permutations, in closed form.

    A random permutation is exact with 1 / K!, has each thing in place with 1 / K, moves it by (K^2 - 1) / (3 K) in the
    mean and has each pair in order with 1/2.

    >>> round(permutation_chance(6, "displacement")["smooth"], 3)
    0.352
    """
    strict, position = 1 / factorial(count), 1 / count
    parts = {
        "strict": strict,
        "position": position,
        "position_discounted": strict + POSITION_DISCOUNT * (position - strict),
        "displacement": 1 - (count * count - 1) / 3 / (count * count // 2),
        "pairs": 0.5,
    }
    return parts | {"smooth": parts[smooth]}


def parse_order(text: str, count: int) -> tuple[int, ...] | None:
    """Return a permutation of 1..count, written as numbers or, up to 9, as one run of digits; else None.

    >>> parse_order("3, 1, 2", 3), parse_order("312", 3), parse_order("311", 3)
    ((3, 1, 2), (3, 1, 2), None)
    """
    if count <= 9 and re.fullmatch(rf"[1-9]{{{count}}}", text, re.ASCII):
        text = " ".join(text)
    return parse_indices(text, count, count)
