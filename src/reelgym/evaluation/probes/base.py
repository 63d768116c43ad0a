"""The protocol of a probe, and what several of them need: clips in their order, pools of frames, kinds of answers."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from reelgym.data.edits import Edit
from reelgym.data.messages import Clip, Message, Part
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.tasks.benchmark import BenchmarkQuestion
from reelgym.tasks.labelled import Labelled
from reelgym.video.types import FrameSpec

QUESTIONS = (BenchmarkQuestion.name, Labelled.name)
"""Tasks whose evidence says the kind of answer, its options and its spans."""

Order = Callable[[list[float], int], list[float]]
"""From the times of a pool's frames and the pool's number to the same times in another order."""


class NoMeaning(RequestError):
    """A probe says nothing about this question; the text says why, without naming the question."""


class Among:
    """All questions of an evaluation, among which a probe may look for another video.

    Attributes:
        seed: Of what is drawn.
    """

    def __init__(self, samples: Sequence[Sample], seed: int = 0) -> None:
        """Take the plain samples."""
        self.seed = seed
        self._clips: dict[str, Clip] = {}
        for sample in samples:
            for clip in clips_of(sample):
                held = self._clips.setdefault(sample.source, clip)
                if len(clip.times) > len(held.times):
                    self._clips[sample.source] = clip

    def other(self, source: str) -> Clip | None:
        """Return the longest clip of another video, the same for all questions about one; None where there is none."""
        others = sorted(name for name in self._clips if name != source)
        return self._clips[others[number_of("wrong_video", source, self.seed) % len(others)]] if others else None


class Probe(ABC):
    """What is shown instead, and what is right then.

    Attributes:
        name: As the command line calls it.
        leaves: What an answer can still go by, in a few words.
        without: What is taken away that the right answer should need: `video`, `order` or `evidence`. A score above
            chance without it is told in the leak report; empty where nothing is taken away.
    """

    name: ClassVar[str]
    leaves: ClassVar[str]
    without: ClassVar[str] = ""

    @abstractmethod
    def shown(self, sample: Sample, among: Among) -> Sample:
        """Return the sample as it is asked under the probe, its id and source unchanged, its answer the right one then.

        Raises:
            NoMeaning: The probe says nothing about this question.
        """


def kind_of(sample: Sample) -> str:
    """Return the kind of a question's answer (`choice`, `span`, ...); empty for the puzzles of other tasks."""
    return str(sample.evidence["kind"]) if sample.task in QUESTIONS else ""


def clips_of(sample: Sample) -> list[Clip]:
    """Return the clips of a prompt in their order."""
    return [part for message in sample.messages for part in message.parts if isinstance(part, Clip)]


def some_clips(sample: Sample) -> list[Clip]:
    """Return the clips of a prompt.

    Raises:
        NoMeaning: It shows none.
    """
    found = clips_of(sample)
    if not found:
        raise NoMeaning("shows no clip")
    return found


def mapped(sample: Sample, change: Callable[[Part], Part]) -> Sample:
    """Return the sample with every part of its prompt changed."""
    messages = tuple(Message(m.role, tuple(change(part) for part in m.parts)) for m in sample.messages)
    return replace(sample, messages=messages)


def with_clips(sample: Sample, clips: Sequence[Clip]) -> Sample:
    """Return the sample with these clips in place of its own, one for each."""
    queue = iter(clips)
    return mapped(sample, lambda part: next(queue) if isinstance(part, Clip) else part)


def told(clip: Clip) -> tuple[float, ...]:
    """Return the times that the model is told, seconds."""
    return clip.times if clip.shown_seconds is None else clip.shown_seconds


def reordered(sample: Sample, order: Order) -> Sample:
    """Return the sample with the frames of its clips in another order, the times told unchanged.

    Frames are exchanged between clips of the same video taken and edited in the same way; an edit of a span goes with
    its frames. Images stay.

    Raises:
        NoMeaning: No clip, or none with two frames that differ.
    """
    clips = some_clips(sample)
    pools: dict[tuple[str, FrameSpec, tuple[Edit, ...]], list[int]] = defaultdict(list)
    for place, clip in enumerate(clips):
        pools[clip.video, _timeless(clip.spec), clip.edits].append(place)
    if all(len({time for place in places for time in clips[place].times}) < 2 for places in pools.values()):
        raise NoMeaning("shows no two frames that could change places")
    dealt = list(clips)
    for number, places in enumerate(pools.values()):
        pool = [clips[place] for place in places]
        times = order([time for clip in pool for time in clip.times], number)
        for place, clip in zip(places, _dealt(pool, times), strict=True):
            dealt[place] = clip
    return with_clips(sample, dealt)


def number_of(*names: object) -> int:
    """Return a number of 64 bits that these names decide."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, names)).encode()).digest()[:8], "little")


def _timeless(spec: FrameSpec) -> FrameSpec:
    """Return the spec without its own list of times, so that two clips cut by explicit times still pool."""
    return spec if spec.times is None else replace(spec, times=())


def _dealt(clips: Sequence[Clip], times: Sequence[float]) -> list[Clip]:
    """Return the clips with these times dealt out over all of them, and a spec that holds all."""
    spec = clips[0].spec
    if spec.times is not None:
        spec = replace(spec, times=tuple(sorted({t for clip in clips for t in clip.spec.times or ()})))
    out, start = [], 0
    for clip in clips:
        stop = start + len(clip.times)
        out.append(replace(clip, spec=spec, times=tuple(times[start:stop]), shown_seconds=told(clip)))
        start = stop
    return out
