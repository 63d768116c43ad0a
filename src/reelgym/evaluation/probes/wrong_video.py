"""Wrong video: frames of another video of the set. What is left is the text, and what all videos share."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe, some_clips, told, with_clips


class WrongVideo(Probe):
    """Clips show frames of another video, as many, of the same size, under the same times; images stay.

    All questions about one video see the same other one. Right is what was right.
    """

    name: ClassVar[str] = "wrong_video"
    leaves: ClassVar[str] = "the text, and what the videos have in common"
    without: ClassVar[str] = "video"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; a set of one video has no other one, and an edited clip is asked about its edit."""
        clips, other = some_clips(sample), among.other(sample.source)
        if other is None:
            raise NoMeaning("there is no other video in the set")
        if any(clip.edits for clip in (*clips, other)):
            raise NoMeaning("asks about edited frames")
        return with_clips(sample, [_of(other, clip) for clip in clips])


def _of(other: Clip, clip: Clip) -> Clip:
    """Return a clip of another video: its frames at the middles of as many equal parts as there were frames."""
    count, there = len(clip.times), len(other.times)
    times = tuple(other.times[(2 * place + 1) * there // (2 * count)] for place in range(count))
    spec = other.spec if clip.spec.size is None else other.spec.resized(clip.spec.size)
    return replace(clip, video=other.video, spec=spec, times=times, shown_seconds=told(clip))
