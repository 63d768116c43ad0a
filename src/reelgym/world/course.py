"""Paths made of legs: a hand that goes here, then there, and the things that it carries along."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reelgym.world.stage import Array

HASTE = 0.5
"""How even a leg's speed is: 1 the same from end to end, 0 at rest at both ends."""


@dataclass(frozen=True)
class Leg:
    """One stretch of a path: from a point to a point between two times; `bulge` bends it downwards (negative: up)."""

    start: float
    stop: float
    origin: tuple[float, float]
    target: tuple[float, float]
    bulge: float


class Course:
    """A path that grows leg by leg; between legs it rests.

    >>> course = Course(0.0, 0.0)
    >>> course.go(1.0, 0.0, start=0.0, seconds=2.0)
    2.0
    >>> course.sample(np.array([0.0, 1.0, 5.0])).tolist()
    [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    """

    def __init__(self, x: float, y: float) -> None:
        """Begin at rest at a point."""
        self.place = (x, y)
        self.legs = [Leg(-1.0, 0.0, self.place, self.place, 0.0)]

    def go(self, x: float, y: float, *, start: float, seconds: float, bulge: float = 0.0) -> float:
        """Add a leg to a point and return when it ends."""
        stop = start + seconds
        self.legs.append(Leg(start, stop, self.place, (x, y), bulge))
        self.place = (x, y)
        return stop

    def sample(self, times: Array) -> Array:
        """Return the places at these times, (len(times), 2)."""
        path = np.zeros((len(times), 2))
        for leg in self.legs:
            done = np.clip((times - leg.start) / (leg.stop - leg.start), 0, 1)
            eased = HASTE * done + (1 - HASTE) * done * done * (3 - 2 * done)
            origin, target = np.asarray(leg.origin), np.asarray(leg.target)
            here = origin + eased[:, None] * (target - origin)
            here[:, 1] += leg.bulge * np.sin(np.pi * done)
            path = np.where((times >= leg.start)[:, None], here, path)
        return path


def duration(a: tuple[float, float], b: tuple[float, float], speed: float, bulge: float = 0.0) -> float:
    """Return the seconds a leg takes at a mean speed in image sides per second, at least a quarter of a second."""
    return max(0.25, math.hypot(math.hypot(b[0] - a[0], b[1] - a[1]), 2 * bulge) / speed)
