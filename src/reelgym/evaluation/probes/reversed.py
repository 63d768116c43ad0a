"""Reversed: the video played backwards. What is left is everything but the direction of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe, clips_of, kind_of, reordered, told, with_clips


class Reversed(Probe):
    """The frames of the clips of one video run backwards, on a clock that runs forwards between the same two times.

    A frame told at t is told at first + last - t, so spaces between frames turn round with them. Intervals (`span`,
    `spans`, and those of `grounded`) turn round on the same clock and stay inside of the video; an `order` of shown
    things names each by its new place. Of any other kind nobody knows what is right backwards: the score is against the
    original answer, and an answer that needs the direction of time should lose it.
    """

    name: ClassVar[str] = "reversed"
    leaves: ClassVar[str] = "the frames, backwards"
    without: ClassVar[str] = "order"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; one frame has no direction, and whole seconds seldom turn round onto whole seconds."""
        if kind_of(sample) == "boxes":
            raise NoMeaning("names boxes by whole seconds, which do not turn round onto whole seconds")
        turned = reordered(sample, lambda times, pool: times[::-1])
        clips = clips_of(turned)
        clock = [time for clip in clips for time in told(clip)]
        ends = min(clock), max(clock)
        turned = with_clips(turned, _with_clock(clips, [round(sum(ends) - time, 6) for time in reversed(clock)]))
        return _answered(turned, sum(ends))


def _with_clock(clips: Sequence[Clip], clock: Sequence[float]) -> list[Clip]:
    out, start = [], 0
    for clip in clips:
        stop = start + len(clip.times)
        out.append(replace(clip, shown_seconds=tuple(clock[start:stop])))
        start = stop
    return out


def _answered(sample: Sample, whole: float) -> Sample:
    """Return the sample with what is right backwards; `whole` is the sum of a time and its reflection."""
    answer, evidence, kind = sample.answer, dict(sample.evidence), kind_of(sample)
    if kind == "order":
        answer = [len(answer) + 1 - place for place in answer]
    if not kind:
        return sample
    seconds = float(evidence["duration_seconds"])
    if kind == "span" and answer is not None:
        answer = _turned(answer, whole, seconds)
    if evidence.get("spans"):
        evidence["spans"] = sorted(_turned(span, whole, seconds) for span in evidence["spans"])
    return replace(sample, answer=answer, evidence=evidence)


def _turned(span: Any, whole: float, seconds: float) -> list[float]:
    """Return an interval turned round, cut to the video; the clock of the frames shown may lie off its middle."""
    start, stop = (min(max(whole - float(time), 0.0), seconds) for time in reversed(span))
    return [start, stop]
