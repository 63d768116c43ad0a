"""Text only: no media at all. What a model that cannot see is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation.probes.base import Among, NoMeaning, Probe


class TextOnly(Probe):
    """Images and clips are left out of the prompt; text models can be asked. Right is what was right."""

    name: ClassVar[str] = "text_only"
    leaves: ClassVar[str] = "the text"
    without: ClassVar[str] = "video"

    def shown(self, sample: Sample, among: Among) -> Sample:
        """See `Probe.shown`."""
        kept = [Message(m.role, tuple(part for part in m.parts if isinstance(part, Text))) for m in sample.messages]
        if sum(len(m.parts) for m in kept) == sum(len(m.parts) for m in sample.messages):
            raise NoMeaning("shows no image and no clip")
        return replace(sample, messages=tuple(message for message in kept if message.parts))
