"""Evidence only, and evidence masked: the frames that prove the answer alone, or all but these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from reelgym.data.edits import MOST, Edit
from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe, kind_of, some_clips, told, with_clips
from reelgym.scoring.intervals import merged
from reelgym.scoring.span import Span

_SLACK = 1e-6
"""Seconds; times are rounded to this."""

_GREY = ("tone", (0.0, 128 / 255, 1.0))
"""The edit that makes every pixel 128."""


class EvidenceOnly(Probe):
    """Of every clip the shown frames inside of the evidence, with their own times. Right is what was right.

    What finds the evidence is done for the model: where it gains, it fails at looking for it.
    """

    name: ClassVar[str] = "evidence_only"
    leaves: ClassVar[str] = "the frames that prove the answer"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; refused as `EvidenceMasked` is."""
        spans = evidence_of(sample)
        kept = [_inside(clip, spans) for clip in some_clips(sample)]
        if not all(clip.times for clip in kept):
            raise NoMeaning("has a clip of which no frame lies in its evidence")
        return with_clips(sample, kept)


class EvidenceMasked(Probe):
    """The frames inside of the evidence are grey, the others stay, as do all times. Right is what was right."""

    name: ClassVar[str] = "evidence_masked"
    leaves: ClassVar[str] = "all frames but those that prove the answer"
    without: ClassVar[str] = "evidence"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`.

        Refused where no evidence is known, where it is what is asked for (`span`, `spans`), and where all frames lie
        inside of it or none does.
        """
        spans = evidence_of(sample)
        masks = tuple(Edit(*_GREY, start=start, stop=stop + 2 * _SLACK) for start, stop in spans)
        clips = some_clips(sample)
        if any(len(clip.edits) + len(masks) > MOST for clip in clips):
            raise NoMeaning(f"has evidence in more than {MOST} places")
        return with_clips(sample, [replace(clip, edits=(*clip.edits, *masks)) for clip in clips])


def evidence_of(sample: Sample) -> list[Span]:
    """Return the disjoint intervals that prove the answer, seconds; some frames shown lie inside and some do not."""
    spans = sample.evidence.get("spans") if kind_of(sample) else None
    if kind_of(sample) in ("span", "spans"):
        raise NoMeaning("asks for the interval that the probe would show")
    if not spans:
        raise NoMeaning("has no evidence spans")
    found = merged([(float(start), float(stop)) for start, stop in spans])
    inside = [_is_inside(time, found) for clip in some_clips(sample) for time in clip.times]
    if not any(inside):
        raise NoMeaning("shows no frame of its evidence")
    if all(inside):
        raise NoMeaning("shows nothing but its evidence")
    return found


def _is_inside(time: float, spans: Sequence[Span]) -> bool:
    return any(start - _SLACK < time < stop + _SLACK for start, stop in spans)


def _inside(clip: Clip, spans: Sequence[Span]) -> Clip:
    kept = [place for place, time in enumerate(clip.times) if _is_inside(time, spans)]
    shown = None if clip.shown_seconds is None else tuple(told(clip)[place] for place in kept)
    return replace(clip, times=tuple(clip.times[place] for place in kept), shown_seconds=shown)
