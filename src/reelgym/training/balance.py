"""Which rank takes which group of a step: by the tokens their prompts will have, known before any frame is decoded."""

from __future__ import annotations

from collections.abc import Sequence

from reelgym.data.messages import Clip, Message, Text

CELL = 28 * 28
"""Pixels of a frame that become one token in Qwen2.5-VL; nearly so in Qwen3-VL."""

UNKNOWN = 256 * CELL
"""Pixels counted for a frame whose size is not named."""


def prompt_tokens(messages: Sequence[Message]) -> int:
    """Return about how many tokens messages have: a third of the characters, and the area of what they show.

    It follows from the messages alone, so that every rank comes to the same number without reading a video.
    """
    total = 0
    for message in messages:
        for part in message.parts:
            if isinstance(part, Text):
                total += -(-len(part.text) // 3)
                continue
            spec = part.spec
            pixels = UNKNOWN if spec.size is None else spec.size[0] * spec.size[1]
            pixels = spec.short_side**2 * 16 // 9 if spec.short_side else pixels
            # Two frames of a clip make one step in time; an image is one alone.
            steps = (len(part.times) + 1) // 2 if isinstance(part, Clip) else 1
            total += steps * max(1, pixels // CELL)
    return total


def shares(tokens: Sequence[int], ranks: int) -> list[list[int]]:
    """Return for every rank the places it takes, ascending: the heaviest first, each to the rank with least so far.

    Longest-processing-time scheduling (Graham, Bounds on multiprocessing timing anomalies, 1969): the heaviest rank has
    at most 4/3 of what the best split would give it. Ties go to the lower rank.
    """
    found: list[list[int]] = [[] for _ in range(ranks)]
    loads = [0] * ranks
    for place in sorted(range(len(tokens)), key=lambda place: (-tokens[place], place)):
        rank = loads.index(min(loads))
        found[rank].append(place)
        loads[rank] += max(1, tokens[place])
    return [sorted(places) for places in found]
