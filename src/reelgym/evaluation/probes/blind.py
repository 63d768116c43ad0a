"""Blind: grey frames. What is left is guessing and prior."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from reelgym.data.messages import GREY, Part, Text
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe, mapped


class Blind(Probe):
    """Every frame is one grey; sizes, times and text stay. Right is what was right."""

    name: ClassVar[str] = "blind"
    leaves: ClassVar[str] = "the text, and how long the video is"
    without: ClassVar[str] = "video"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`; media whose spec has no exact size have no grey."""
        media = [part for message in sample.messages for part in message.parts if not isinstance(part, Text)]
        if not media:
            raise NoMeaning("shows no image and no clip")
        if any(part.spec.size is None for part in media):
            raise NoMeaning("shows media without a size; cut it with an exact size to blind it")
        return mapped(sample, _greyed)


def _greyed(part: Part) -> Part:
    return part if isinstance(part, Text) else replace(part, video=GREY)
