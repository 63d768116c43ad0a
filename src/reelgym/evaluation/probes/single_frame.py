"""Single frame: one picture of the video. What is left is what a still shows."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe, some_clips, told, with_clips


class SingleFrame(Probe):
    """Of every clip the middle frame alone, with its own time; images stay. Right is what was right."""

    name: ClassVar[str] = "single_frame"
    leaves: ClassVar[str] = "one still of each clip"
    without: ClassVar[str] = "order"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; clips of one frame already have nothing to lose."""
        clips = some_clips(sample)
        if all(len(clip.times) < 2 for clip in clips):
            raise NoMeaning("shows one frame already")
        return with_clips(sample, [_middle(clip) for clip in clips])


def _middle(clip: Clip) -> Clip:
    at = len(clip.times) // 2
    shown = None if clip.shown_seconds is None else (told(clip)[at],)
    return replace(clip, times=(clip.times[at],), shown_seconds=shown)
