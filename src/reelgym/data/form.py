"""What is wrong with the form of a tagged reply, in words; and what stands in its segments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reelgym.data.templates import OPENINGS, TAGS

_TAG = re.compile(rf"<(/?)({'|'.join(TAGS)})>")


def faults(text: str, *, opened: bool = False, wanted: Sequence[str] = TAGS) -> tuple[str, ...]:
    """Return every fault of a reply's form, each once; none where the form is right.

    Right is each of the wanted segments exactly once, no other, closed, not empty, in order, none inside another, and
    only white space around them. Total on any text.

    Args:
        text: The reply.
        opened: Whether observation and think must open with the fixed words of `templates.OPENINGS`.
        wanted: The segments that were asked for, in order.

    >>> faults("<observation>a<think>b</think><answer>2</answer>")
    ('think inside observation', 'answer inside observation', 'observation not closed')
    """
    found, inside = _walk(text)
    names = [tag[2] for tag in _TAG.finditer(text) if not tag[1]]
    for name in TAGS:
        if name not in wanted:
            found += [f"{name} not asked for"] if name in names else []
        elif name not in names:
            found.append(f"{name} missing")
        elif names.count(name) > 1:
            found.append(f"{name} repeated")
        elif name in inside and not inside[name].strip():
            found.append(f"{name} empty")
        elif opened and name in inside and not inside[name].lstrip().startswith(OPENINGS.get(name, "")):
            found.append(f"{name} does not open with the fixed words")
    first = list(dict.fromkeys(names))
    if first != [name for name in TAGS if name in first]:
        found.append("out of order")
    return tuple(dict.fromkeys(found))


def contents(text: str) -> dict[str, str]:
    """Return what stands in each segment of a reply, stripped; of a segment that is not once there and closed, nothing.

    >>> contents("<observation> a </observation><answer>2")
    {'observation': 'a'}
    """
    tags = list(_TAG.finditer(text))
    found = {}
    for name in TAGS:
        places = [place for place, tag in enumerate(tags) if tag[2] == name]
        if len(places) == 2 and places[1] == places[0] + 1 and [tags[place][1] for place in places] == ["", "/"]:
            found[name] = text[tags[places[0]].end() : tags[places[1]].start()].strip()
    return found


def _walk(text: str) -> tuple[list[str], dict[str, str]]:
    """Return the faults of nesting and closing and of text outside, and the text of what was opened and closed."""
    found: list[str] = []
    inside: dict[str, str] = {}
    nested: list[str] = []
    name, begin, outside = "", 0, 0
    for tag in _TAG.finditer(text):
        closing, tagged = tag[1] == "/", tag[2]
        if not name and text[outside : tag.start()].strip():
            found.append("text outside tags")
        if closing and tagged == name:
            inside.setdefault(name, text[begin : tag.start()])
            name = ""
        elif closing and tagged in nested:
            nested.remove(tagged)
        elif closing:
            found.append(f"{tagged} closed inside {name}" if name else f"{tagged} closed before it opens")
        elif name:
            found.append(f"{tagged} inside {name}")
            nested.append(tagged)
        else:
            name, begin = tagged, tag.end()
            nested.clear()
        outside = tag.end()
    if name:
        found.append(f"{name} not closed")
    elif text[outside:].strip():
        found.append("text outside tags")
    return found, inside
