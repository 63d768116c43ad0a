"""Questions about the world whose weakness is known, so that probes and floors can be seen to find it.

    needs order  Which of four orders a thing comes through squares in; the right order backwards is one of them. The
                 options are alike in all but their order.
    leaky        The same, but the right option is written out at length.

They are cut so that the sixteen frames of the default show every square they name, and no frame leaves it open in which
square the thing is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations
from random import Random
from typing import Any

from reelgym.world.facts import Facts, square
from reelgym.world.questions import CHOICES

FRAMES, RATE = 16, 2.0
"""Frames that the questions are cut for: the middles of so many equal parts, at most so many a second."""

STOPS = 3
"""Squares that are put in order."""

MOST = 4
"""Questions about one video."""

CLEAR = 0.015
"""Least distance of the focus from the border of its square, as a fraction of the side: 1.7 of 112 pixels."""


@dataclass(frozen=True)
class Visit:
    """One unbroken stay of the focus in a square: its name, and the first and last of the frames that show it."""

    square: str
    first: int
    last: int


def rows(facts: Facts, *, leaky: bool) -> Iterator[dict[str, Any]]:
    """Yield rows with question, options, answer, the asked-for kind, and the spans that prove the answer.

    Args:
        facts: Of one video.
        leaky: Whether the right option is the longest.
    """
    random, times = Random(f"controls/{facts.kind}/{facts.seed}"), instants(facts.seconds)
    chains = [
        chain
        for chain in combinations(visits(facts, times), STOPS)
        if all(a.last < b.first for a, b in pairwise(chain))
    ]
    for chain in random.sample(chains, min(MOST, len(chains))):
        names = [visit.square for visit in chain]
        answer, backwards = ", ".join(names), ", ".join(reversed(names))
        others = sorted({", ".join(order) for order in permutations(names)} - {answer, backwards})
        options = [answer, backwards, *random.sample(others, CHOICES - 2)]
        if leaky:
            answer = options[0] = f"first {names[0]}, after that {names[1]}, and {names[2]} as the last of all"
        random.shuffle(options)
        noun, colour = facts.focus.split()[-1], facts.thing(facts.focus).colour
        yield {
            "question": f"In what order does the middle of the {colour} {noun} come through these squares? "
            "Columns a to h, rows 1 to 8 from the top.",
            "options": options,
            "answer": answer,
            "asks": "order",
            "spans": [_span(visit, times, facts.seconds) for visit in chain],
        }


def instants(seconds: float) -> list[float]:
    """Return the times that a benchmark of 16 frames at 2 a second shows, seconds."""
    count = max(2, min(FRAMES, int(seconds * RATE)) // 2 * 2)
    return [(place + 0.5) * seconds / count for place in range(count)]


def visits(facts: Facts, times: Sequence[float]) -> list[Visit]:
    """Return the squares that the focus is in during one unbroken run of these times, and clearly so at least once."""
    near: dict[str, list[int]] = {}
    clear: set[str] = set()
    for place, time in enumerate(times):
        state = facts.state(facts.focus, time)
        around = {square(state.x + a, state.y + b) for a in (-CLEAR, CLEAR) for b in (-CLEAR, CLEAR)}
        if not state.visible:
            continue
        clear |= around if len(around) == 1 else set()
        for name in around:
            near.setdefault(name, []).append(place)
    runs = [Visit(name, held[0], held[-1]) for name, held in near.items() if held[-1] - held[0] == len(held) - 1]
    return sorted((run for run in runs if run.square in clear), key=lambda run: run.first)


def _span(visit: Visit, times: Sequence[float], seconds: float) -> list[float]:
    """Return the stretch around the frames of a visit, half way to their neighbours."""
    half = seconds / len(times) / 2
    return [round(times[visit.first] - half, 6), round(times[visit.last] + half, 6)]
