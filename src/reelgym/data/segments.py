"""Which tokens of a completion are observation, think and answer: spans over decoded token pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from reelgym.data.templates import TAGS
from reelgym.data.trajectory import Segment

_TAG = re.compile(rf"<(/?)({'|'.join(TAGS)})>")


def segment(pieces: Sequence[str]) -> tuple[Segment, ...]:
    """Return the named token spans of a completion, in order and without overlap.

    A segment holds its tags. Total on malformed text: a segment that is never closed ends where the next one opens,
    or at the end; a closing tag without its opening one is plain text. A token that holds the end of one segment and
    the beginning of the next belongs to the first. Tokens outside all tags belong to none.

    Args:
        pieces: (T,) the text of each token; their concatenation is the completion. Tags may be split over pieces.

    >>> segment(["<thi", "nk>a</", "think>", " ", "<answer>", "2"])
    (Segment(name='think', start=0, stop=3), Segment(name='answer', start=4, stop=6))
    """
    ends = list(accumulate(len(piece) for piece in pieces))
    found: list[Segment] = []
    token = 0
    for name, begin, end in _spans("".join(pieces)):
        while token < len(ends) and ends[token] <= begin:
            token += 1
        start = token
        while token < len(ends) and (ends[token - 1] if token else 0) < end:
            token += 1
        if token > start:
            found.append(Segment(name, start, token))
    return tuple(found)


def _spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (name, start, stop) in characters."""
    name, begin = "", 0
    for tag in _TAG.finditer(text):
        closing, tag_name = tag.group(1) == "/", tag.group(2)
        if closing and tag_name != name:
            continue
        if name:
            yield name, begin, tag.end() if closing else tag.start()
        name, begin = "" if closing else tag_name, tag.start()
    if name:
        yield name, begin, len(text)
