"""One sample as HTML: its messages with their frames, the answer under a cover, what is known of it, and replies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reelgym.data.dataset import Source
from reelgym.data.messages import Image, Text
from reelgym.data.sample import Sample
from reelgym.reports.build import words
from reelgym.reports.page import environment
from reelgym.reports.payload import Frame, Puzzle, Reply
from reelgym.reports.puzzles import Pictures, gap_of, indices, label_of
from reelgym.reports.viewer.pictures import addresses
from reelgym.scoring.choice import LETTERS
from reelgym.synthesis.audit import SOLVED

_LONGEST = 4_000
"""Letters of one value that are shown."""

Measured = Sequence[tuple[str, float | None, float | None]]
"""Model, pass rate, mean reward."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A stretch of a prompt: words, one clip, or a row of pictures.

    Attributes:
        form: `role`, `words`, `clip` or `pool`.
        text: The words, the role, or the label of a clip.
        frames: Of a clip.
        pool: (label, frame) of a row of pictures.
    """

    form: str
    text: str = ""
    frames: tuple[Frame, ...] = ()
    pool: tuple[tuple[str, Frame], ...] = ()


def exhibit(
    sample: Sample,
    source: Source | None = None,
    *,
    replies: Sequence[Reply] = (),
    difficulty: Measured = (),
    links: Sequence[tuple[str, str]] = (),
    sealed: bool = True,
    asides: Sequence[Reply] = (),
    show: Pictures | None = None,
    bare_media: str = "",
) -> str:
    """Return a sample as HTML; its frames are fetched one by one by their addresses.

    Args:
        sample: What to show.
        source: Its video, where known.
        replies: What was written about it.
        difficulty: How often models solve it.
        links: (words, what is searched for when they are clicked).
        sealed: Whether the answer waits for a click.
        asides: Replies that are told in a line each: of probes and floors.
        show: From a part to its frames, where they are not fetched by address.
        bare_media: Why no frames are shown; empty where they are.
    """
    show = show or addresses(sample, sample.id)
    gap = None if bare_media else gap_of(sample, show)
    answer = indices(sample.answer) or ()
    puzzle = replace(gap or Puzzle(id=sample.id, answer=answer), replies=tuple(replies))
    audit = dict(sample.provenance.get("audit", {}))
    provenance = {name: value for name, value in sample.provenance.items() if name != "audit"}
    facts = {"Evidence": sample.evidence, "Provenance": provenance, "Video": _about(source)}
    return _draw(
        puzzle,
        title=source.path if source is not None else sample.source,
        eyebrow=f"{sample.task}, {sample.split}",
        links=links,
        facets=[(words(name).lower(), _plain(value)) for name, value in sample.facets.items()],
        sealed=sealed,
        gap=gap is not None,
        blocks=list(blocks(sample, None if bare_media else show)),
        answer="" if answer else right_answer(sample),
        asides=asides,
        bare_media=bare_media,
        gold=str(sample.evidence.get("gold", ""))[:_LONGEST],
        shortcuts=_shortcuts(audit),
        chance=audit.get("chance"),
        difficulty=difficulty,
        facts={name: list(leaves(value)) for name, value in facts.items() if value},
    )


def bare(
    name: str,
    replies: Sequence[Reply],
    *,
    note: str = "",
    links: Sequence[tuple[str, str]] = (),
    asides: Sequence[Reply] = (),
) -> str:
    """Return replies to a sample that is not at hand."""
    return _draw(Puzzle(id=name, replies=tuple(replies)), title=name, note=note, links=links, asides=asides)


def right_answer(sample: Sample) -> str:
    """Return the right answer as text; that of a choice by its letter with the words of its option."""
    options, letter = sample.evidence.get("options"), sample.answer
    if isinstance(options, list) and isinstance(letter, str) and len(letter) == 1 and letter in LETTERS[: len(options)]:
        return f"{letter}. {_plain(options[LETTERS.index(letter)])}"
    if letter is None and sample.evidence.get("spans"):
        return "; ".join(f"{float(start):g} to {float(stop):g} s" for start, stop in sample.evidence["spans"])
    return _plain(letter)


def blocks(sample: Sample, show: Pictures | None) -> Iterator[Block]:
    """Yield what a sample's messages show, in their order; a short text before a clip or picture is its label.

    Args:
        sample: The sample.
        show: From a part to its frames; None leaves clips and pictures out.
    """
    for message in sample.messages:
        if len(sample.messages) > 1:
            yield Block(form="role", text=message.role)
        label, pool = "", list[tuple[str, Frame]]()
        for place, part in enumerate(message.parts):
            if isinstance(part, Text):
                follows = place + 1 < len(message.parts) and not isinstance(message.parts[place + 1], Text)
                label = label_of(part.text) if follows else ""
                said = part.text.strip().removesuffix(":").removesuffix(label).strip() if label else part.text.strip()
                if pool and (said or not label):
                    yield Block(form="pool", pool=tuple(pool))
                    pool = []
                if said:
                    yield Block(form="words", text=said)
                continue
            if show is None:
                label = ""
            elif isinstance(part, Image):
                pool.append((label, show(part)[0]))
            else:
                yield Block(form="clip", text=label, frames=show(part))
            label = ""
        if pool:
            yield Block(form="pool", pool=tuple(pool))


def leaves(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of a JSON object; of an object in it each value, under both names, and deeper ones as JSON."""
    for name, one in value.items():
        if isinstance(one, dict) and one and all(not isinstance(deep, dict) for deep in one.values()):
            yield from ((f"{name} {inner}", _plain(deep)) for inner, deep in one.items())
        else:
            yield str(name), _plain(one)


def _draw(puzzle: Puzzle, **about: Any) -> str:
    usual: dict[str, Any] = {
        "eyebrow": "",
        "note": "",
        "links": (),
        "facets": [],
        "sealed": False,
        "gap": False,
        "blocks": [],
        "answer": "",
        "gold": "",
        "shortcuts": [],
        "chance": None,
        "difficulty": (),
        "facts": {},
        "asides": (),
        "bare_media": "",
    }
    return environment().get_template("item.html.j2").render(puzzle=puzzle, **usual | about)


def _shortcuts(audit: Mapping[str, Any]) -> list[tuple[str, float, bool]]:
    """Return (name, score, whether it solves the sample) of every shortcut, the best first."""
    values = dict(audit.get("values", {})).items()
    found = [(words(name), float(value), value >= SOLVED) for name, value in values]
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _about(source: Source | None) -> dict[str, Any]:
    if source is None:
        return {}
    return {
        "path": source.path,
        "length": f"{source.duration_seconds:.1f} s",
        "picture": f"{source.width} x {source.height}, {source.frame_rate:.3g} frames per second, {source.codec}",
        "size": f"{source.size_bytes:,} bytes",
        **({"warnings": "; ".join(source.warnings)} if source.warnings else {}),
    }


def _plain(value: Any) -> str:
    """Return a JSON value as a reader would write it."""
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        value = ", ".join(_plain(one) for one in value)
    elif isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, float):
        value = f"{value:g}"
    return str(value)[:_LONGEST]
