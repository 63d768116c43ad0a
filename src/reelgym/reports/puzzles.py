"""From samples and what was written about them to the puzzles and replies that a page shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reelgym.data.messages import GREY, Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.data.segments import segment
from reelgym.evaluation.results import Row
from reelgym.reports.images import encode
from reelgym.reports.payload import Frame, Puzzle, Reply, Role, Span, Term
from reelgym.tasks.base import MediaReader

Pictures = Callable[[Clip | Image], tuple[Frame, ...]]
"""From a part of a prompt to its frames, in the order of its times."""

_LABEL = 60
"""Letters of a label at most; longer words before a part are a question and no label."""

SHOWN_PIXELS = 112
"""Frames are decoded anew at the whole multiple of the size a model sees whose short side is nearest to this."""


def puzzle(
    sample: Sample,
    media: MediaReader | None,
    replies: Sequence[Reply] = (),
    *,
    note: str = "",
) -> Puzzle:
    """Return a puzzle from its sample: context clips, candidate pool, right order, replies.

    Args:
        sample: As `gap_of` finds one, it is shown with its gap. Of any other sample clips and images are shown one by
            one.
        media: Turns a part into (F, H, W, 3) pixels; None leaves the frames out.
        replies: What was written about it.
        note: One line under the title.
    """
    parts = [part for message in sample.messages for part in message.parts]
    show = None if media is None else _pictures(media)
    found = gap_of(sample, show)
    strips = () if found else tuple(_strips(parts, show))
    return replace(
        found or Puzzle(id=sample.id, strips=strips, answer=indices(sample.answer) or ()),
        kind=str(sample.facets.get("kind", "")),
        question=" ".join("".join(_words_of(part) for part in parts).split()),
        replies=tuple(replies),
        note=note,
    )


def gap_of(sample: Sample, show: Pictures | None) -> Puzzle | None:
    """Return the gap of a sample and what may fill it: a clip before it, a clip after it, images as the pool.

    None where the sample has no gap: anything but two clips, images, and an answer of numbers.
    """
    parts = [part for message in sample.messages for part in message.parts]
    clips = [part for part in parts if isinstance(part, Clip)]
    pool = [part for part in parts if isinstance(part, Image)]
    answer = indices(sample.answer)
    if len(clips) != 2 or not pool or not answer:
        return None
    if show is None:
        return Puzzle(id=sample.id, answer=answer)
    before, after = (show(clip) for clip in clips)
    candidates = tuple(show(part)[0] for part in pool)
    return Puzzle(id=sample.id, before=before, after=after, candidates=candidates, answer=answer)


def _pictures(media: MediaReader) -> Pictures:
    """Return what decodes a part and holds its frames as images; those of a clip with their times."""

    def show(part: Clip | Image) -> tuple[Frame, ...]:
        times = part.times if isinstance(part, Clip) else (None,)
        pixels = media(_larger(part))
        return tuple(Frame(image=encode(one), seconds=at) for one, at in zip(pixels, times, strict=True))

    return show


def _strips(parts: Sequence[Any], show: Pictures | None) -> Iterator[tuple[str, tuple[Frame, ...]]]:
    """Yield clips and images one by one, each with the words before it."""
    label, number = "", 0
    for part in parts:
        if isinstance(part, Text):
            label = label_of(part.text)
            continue
        number += 1
        if show is not None:
            yield label or f"Part {number}", show(part)
        label = ""


def label_of(text: str) -> str:
    """Return the last line of a text as the label of what follows it; nothing where it is longer than a label.

    >>> label_of("Clip A: ")
    'Clip A'
    """
    label = text.strip().rpartition("\n")[2].rstrip(": ")
    return label if len(label) <= _LABEL else ""


def reply(row: Row, answer: Sequence[int], *, label: str, role: Role = "plain") -> Reply:
    """Return a stored reply of an evaluation, cut into its segments.

    Args:
        row: The reply.
        answer: The right one.
        label: Who wrote it, in words.
        role: How it is drawn.
    """
    return Reply(
        label=label,
        role=role,
        spans=spans(row.reply),
        answer=indices(row.parsed),
        score=row.value,
        valid=row.valid,
        solved=indices(row.parsed) == tuple(answer),
        stop=row.stop,
    )


def rollout(text: str, parsed: Any, answer: Sequence[int], *, label: str, about: Mapping[str, Any]) -> Reply:
    """Return a training rollout.

    Args:
        text: The completion.
        parsed: The answer read out of it, or None.
        answer: The right one.
        label: Step and member, in words.
        about: `score`, `stop`, `rewards` {term: {segment: value}}, `advantages` {segment: value}, `tokens` {segment:
            length} and `judged` (False where nobody could read the answer for want of the question), each optional.
    """
    terms = tuple(
        Term(name=name, value=float(value), segment=str(where))
        for name, by_segment in about.get("rewards", {}).items()
        for where, value in by_segment.items()
        if value is not None and not math.isnan(value)
    )
    return Reply(
        label=label,
        spans=spans(text),
        answer=indices(parsed),
        score=about.get("score"),
        valid=parsed is not None or not about.get("judged", True),
        solved=indices(parsed) == tuple(answer),
        stop=about.get("stop", ""),
        rewards=terms,
        advantages={name: float(value) for name, value in about.get("advantages", {}).items()},
        tokens=dict(about.get("tokens", {})),
    )


def advantage_by_segment(advantages: Sequence[float], segments: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the advantage of each segment of a stored rollout; one entry `completion` where it is the same all over.

    Args:
        advantages: (T,) one per token; tokens that were not trained on have 0.
        segments: `name`, `start`, `stop` of each, half open.
    """
    if not advantages:
        return {}
    given = [value for value in advantages if value != 0.0]
    if not given or max(given) - min(given) < 1e-6:
        return {"completion": given[0] if given else 0.0}
    spans_of = {str(one["name"]): advantages[one["start"] : one["stop"]] for one in segments}
    return {name: sum(values) / len(values) for name, values in spans_of.items() if values}


def lengths(segments: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the tokens of each segment of a stored rollout; a name that comes twice counts together."""
    found: dict[str, int] = {}
    for one in segments:
        found[str(one["name"])] = found.get(str(one["name"]), 0) + int(one["stop"]) - int(one["start"])
    return found


def spans(text: str) -> tuple[Span, ...]:
    """Return a reply cut into its segments; text outside all of them has no name.

    >>> [(span.name, span.text) for span in spans("<think>a</think> b")]
    [('think', '<think>a</think>'), ('', ' b')]
    """
    out: list[Span] = []
    place = 0
    for found in segment(list(text)):
        if found.start > place:
            out.append(Span(name="", text=text[place : found.start]))
        out.append(Span(name=found.name, text=text[found.start : found.stop]))
        place = found.stop
    if place < len(text):
        out.append(Span(name="", text=text[place:]))
    return tuple(out)


def indices(parsed: Any) -> tuple[int, ...] | None:
    """Return an answer that is a list of whole numbers as such, None for any other."""
    if isinstance(parsed, (list, tuple)) and all(isinstance(index, int) for index in parsed):
        return tuple(parsed)
    return None


def _larger(part: Clip | Image) -> Clip | Image:
    """Return the part at a whole multiple of its size; one without an exact size, or a probe's, stays as it is."""
    size = part.spec.size
    if size is None or part.video == GREY:
        return part
    times = max(1, round(SHOWN_PIXELS / min(size)))
    return replace(part, spec=part.spec.resized((size[0] * times, size[1] * times)))


def _words_of(part: Any) -> str:
    return part.text if isinstance(part, Text) else (" [clip] " if isinstance(part, Clip) else " [image] ")
