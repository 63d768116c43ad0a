"""Easier forms of questions: what `Task.eased` does to masked video prediction and to lettered choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from reelgym.data.messages import Image, Part, Text
from reelgym.data.sample import Sample
from reelgym.tasks.shown import question


def one_distractor_less(sample: Sample) -> Sample | None:
    """Return a puzzle of masked video prediction without its last distractor; None where it has none.

    The other candidates keep their order and are numbered anew.
    """
    pool = list(sample.evidence["candidate_times"])
    wrong = [number for number in range(1, len(pool) + 1) if number not in sample.answer]
    if not wrong or len(pool) <= 2:
        return None
    gone = wrong[-1]
    del pool[gone - 1]
    (shown,) = {(p.video, p.spec) for m in sample.messages for p in m.parts if isinstance(p, Image)}
    before, after = sample.evidence["context_times"]
    parts = question(*shown, (before, after), pool, len(sample.answer))
    return replace(
        sample,
        id=f"{sample.id}~",
        messages=(replace(sample.messages[0], parts=parts), *sample.messages[1:]),
        answer=[number - (number > gone) for number in sample.answer],
        evidence=sample.evidence | {"candidate_times": pool, "pool": len(pool)},
        facets=sample.facets | {"distractors": len(pool) - len(sample.answer)},
    )


def one_option_less(sample: Sample, lettered: Callable[[Sequence[str]], str]) -> Sample | None:
    """Return a lettered question without the wrong option that is farthest from the right one; None where two are left.

    Args:
        sample: Its last text ends with `lettered(options)`.
        lettered: Writes options as lines with their letters.
    """
    options, near = list(sample.evidence["options"]), list(sample.evidence["closeness"])
    right = sample.answer[0] - 1
    wrong = [place for place in range(len(options)) if place != right]
    asked = sample.messages[-1].parts[-1]
    written = lettered(options)
    if len(wrong) < 2 or not isinstance(asked, Text) or not asked.text.endswith(written):
        return None
    gone = min(wrong, key=lambda place: (near[place], -place))
    del options[gone], near[gone]
    last: Part = Text(asked.text.removesuffix(written) + lettered(options))
    parts = (*sample.messages[-1].parts[:-1], last)
    return replace(
        sample,
        id=f"{sample.id}~",
        messages=(*sample.messages[:-1], replace(sample.messages[-1], parts=parts)),
        answer=[sample.answer[0] - (right > gone)],
        evidence=sample.evidence | {"options": options, "closeness": near},
    )
