"""Parsers: from a reply to its answer. They never raise and never guess: what is not clearly an answer is None."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)(?:observation|think|(answer))>")
_LONGEST = 10_000
_PIECE = re.compile(
    r"(?P<number>[0-9]{1,6}(?![0-9]))"
    r"|(?P<arrow>[-=]+>|\u2192|\u21d2|\u27f6)"
    r"|(?P<minus>(?<![0-9])-(?=[0-9]))"
    r"|(?P<decimal>(?<=[0-9])\.(?=[0-9])|(?<![0-9])\.(?=[0-9]))"
    r"|(?P<word>(?:candidates?|and|then|\\boxed)(?![a-z]))"
    r"|(?P<space>[\s\[\](){}<>,;:.*|\-\uff0c\u3001])",
    re.IGNORECASE,
)


def answer_text(reply: str) -> str | None:
    """Return the text of the answer in a reply, stripped, or None where there is not exactly one.

    It is the content of the single `<answer>...</answer>`, or the whole reply where it has none of the tags
    observation, think and answer at all.

    >>> answer_text("<think>far</think><answer> 2, 1 </answer>")
    '2, 1'
    >>> answer_text("2, 1")
    '2, 1'
    """
    tags = list(_TAG.finditer(reply))
    if not tags:
        return reply.strip()
    marks = [tag for tag in tags if tag.group(2)]
    if [mark.group(1) for mark in marks] != ["", "/"]:
        return None
    content = reply[marks[0].end() : marks[1].start()]
    return None if _TAG.search(content) else content.strip()


def parse_indices(text: str, count: int, upper: int) -> tuple[int, ...] | None:
    """Return exactly `count` distinct numbers in 1..upper as written, or None.

    Between the numbers there may be brackets, spaces, commas, arrows, dashes, and the words candidate, and, then.
    Any other word, a sign, a decimal, a repeat, a number out of range or a wrong count makes the reply invalid: a
    number is never picked out of a sentence.

    >>> parse_indices("[3] -> [1] -> [2]", 3, 5)
    (3, 1, 2)
    >>> parse_indices("3, 1", 3, 5) is None
    True
    """
    if len(text) > _LONGEST:
        return None
    numbers: list[int] = []
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        if piece is None or piece.lastgroup in ("minus", "decimal"):
            return None
        if piece.lastgroup == "number":
            numbers.append(int(piece.group()))
        place = piece.end()
    right = len(numbers) == count == len(set(numbers)) and all(1 <= number <= upper for number in numbers)
    return tuple(numbers) if right else None
