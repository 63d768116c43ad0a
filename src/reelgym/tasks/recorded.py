"""What tasks share whose samples are read from records and never cut out of video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from reelgym.data.sample import Sample, Split
from reelgym.errors import RequestError
from reelgym.tasks.base import Task
from reelgym.video import Frames, FrameSpec, Video


@dataclass(frozen=True, kw_only=True)
class RecordedConfig:
    """Nothing to set: what decides is in the records."""


class Recorded(Task):
    """A task that scores and refuses to generate.

    Attributes:
        refusal: What a user is told who asks for it by `synth`.
    """

    refusal: ClassVar[str]
    Config: ClassVar[type[Any]] = RecordedConfig

    def wanted_frames(self) -> int:
        """Refuse: see `generate`."""
        self._refuse()

    def spec(self, fps: float) -> FrameSpec:
        """Refuse: see `generate`."""
        self._refuse()

    def shown(self, video: Video, fps: float) -> FrameSpec:
        """Refuse: see `generate`."""
        self._refuse()

    def generate(self, video: Video, frames: Frames, *, seed: int, split: Split, count: int) -> Iterator[Sample]:
        """Refuse: samples come from records.

        Raises:
            RequestError: Always, with `refusal`.
        """
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise RequestError(self.refusal)
