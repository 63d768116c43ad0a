"""What the tasks about changed pixels share: frames to change, the loop that makes samples, and choices by letter."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Message, Part
from reelgym.data.sample import Sample, Split
from reelgym.errors import MediaError
from reelgym.scoring import Score, answer_text
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.graded import choice_chance, choice_parts, graded_chance, graded_score
from reelgym.tasks.base import Task, sample_key, stream, too_short
from reelgym.tasks.easing import one_option_less
from reelgym.tasks.timeline import TRIES, ClipConfig
from reelgym.video import Frames, FrameSpec, GridDescriptor, Video


@dataclass(frozen=True, eq=False)
class Reel:
    """The frames of one video that differ in time, and what names them in a prompt.

    Attributes:
        identity: Of the video.
        times: (F,) seconds, increasing.
        pixels: (F, H, W, 3) at the size at which frames are compared.
        shown: The spec that prompts name.
    """

    identity: str
    times: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    shown: FrameSpec

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times)

    def seconds(self, places: Sequence[int]) -> tuple[float, ...]:
        """Return the times of some frames."""
        return tuple(float(self.times[place]) for place in places)

    @cached_property
    def rows(self) -> NDArray[np.float32]:
        """(F, D) unit rows of `GridDescriptor`: their dot product says how alike two frames are."""
        return GridDescriptor().describe(self.pixels)


@dataclass(frozen=True)
class Draft:
    """One question before it becomes a sample.

    Attributes:
        parts: The prompt.
        answer: As in the sample.
        signature: What makes two drafts of one video the same question.
        evidence: As in the sample; the reward is added.
        facets: As in the sample.
        times: Of the frames used; goes into the provenance.
    """

    parts: tuple[Part, ...]
    answer: Any
    signature: tuple[Any, ...]
    evidence: dict[str, Any] = field(default_factory=dict)
    facets: dict[str, str | int | float] = field(default_factory=dict)
    times: tuple[float, ...] = ()


class Pretext(Task):
    """Makes samples out of drafts. A concrete task draws a draft, and says what frames it needs."""

    config: ClipConfig

    @property
    @abstractmethod
    def least(self) -> int:
        """Frames that a video has at least."""

    @abstractmethod
    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question about the video, or None where this draw gives none."""

    def spec(self, fps: float) -> FrameSpec:
        """Return the spec at which frames are compared."""
        return self.config.analysed(fps)

    def shown(self, video: Video, fps: float) -> FrameSpec:
        """Return the spec that the prompts of a video name."""
        return self.config.shown(video, fps)

    def generate(self, video: Video, frames: Frames, *, seed: int, split: Split, count: int) -> Iterator[Sample]:
        """Yield up to `count` samples, no question twice; see `Task.generate`."""
        reel = self._reel(video, frames)
        seen: set[tuple[Any, ...]] = set()
        for index in range(count):
            key = sample_key(self, split=split, seed=seed, source=video.identity, index=index)
            draft = self._fresh(reel, stream(key), seen)
            if draft is None:
                continue
            seen.add(draft.signature)
            yield Sample(
                id=f"{self.name}-{split}-{key[:16]}",
                task=self.name,
                split=split,
                messages=(Message("user", draft.parts),),
                answer=draft.answer,
                evidence=draft.evidence | {"reward": self.config.reward},
                facets=draft.facets,
                provenance={"source": video.identity, "fps": reel.shown.fps, "seed": seed, "index": index}
                | {"times": list(draft.times)},
            )
        if not seen:
            raise MediaError(video.path, "task", "static: no frames of it make a question with one right answer")

    def _fresh(self, reel: Reel, rng: np.random.Generator, seen: set[tuple[Any, ...]]) -> Draft | None:
        for _ in range(TRIES):
            draft = self.draft(reel, rng)
            if draft is not None and draft.signature not in seen:
                return draft
        return None

    def _reel(self, video: Video, frames: Frames) -> Reel:
        fresh = np.flatnonzero(np.diff(frames.times, prepend=-1.0) > 0)
        if len(fresh) < self.least:
            fps = float(frames.spec.fps or 1)
            raise too_short(video, fps, len(fresh), (self.least, self.wanted_frames()), "sample")
        shown = self.shown(video, float(frames.spec.fps or 1))
        return Reel(video.identity, frames.times[fresh], frames.pixels[fresh], shown)


class Choice(Pretext):
    """A pretext task whose answer is one lettered option; `answer` is `[number]`, counted from 1.

    `evidence.options` are the options, `evidence.closeness` how near each comes to the right one, in [0, 1].
    """

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of a reply; a wrong option earns half of its closeness under the smooth reward."""
        text = answer_text(reply)
        chosen = None if text is None else parse_choice(text, sample.evidence["options"])
        if chosen is None:
            return graded_score(None, self._chances(sample), sample.evidence["reward"], None)
        parts = choice_parts(chosen + 1, sample.answer[0], sample.evidence["closeness"])
        return graded_score(parts, self._chances(sample), sample.evidence["reward"], (chosen + 1,))

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all options."""
        return graded_chance(self._chances(sample), sample.evidence["reward"])

    def gold(self, sample: Sample) -> str:
        """Return the letter of the right option."""
        return LETTERS[sample.answer[0] - 1]

    def eased(self, sample: Sample) -> Sample | None:
        """Return the question with one wrong option less, None where only one is left."""
        return one_option_less(sample, lettered)

    def _chances(self, sample: Sample) -> dict[str, float]:
        return choice_chance(sample.answer[0], sample.evidence["closeness"])


def lettered(options: Sequence[str]) -> str:
    """Return the options as lines that begin with their letter, and the demand for one.

    >>> lettered(["same", "different"]).split(chr(10))
    ['', 'A. same', 'B. different', 'Answer with the letter.']
    """
    lines = "".join(f"\n{LETTERS[place]}. {text}" for place, text in enumerate(options))
    return f"{lines}\nAnswer with the letter."


def stretch(rng: np.random.Generator, total: int, count: int) -> list[int]:
    """Return `count` places at equal distance, from a random start at a random distance; all of them if too few."""
    count = min(count, total)
    step = int(rng.integers(1, max(1, (total - 1) // max(1, count - 1)) + 1))
    start = int(rng.integers(total - step * (count - 1)))
    return [start + step * place for place in range(count)]


def likeness(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Return the mean similarity of (F, H, W, 3) frames, one by one, by `GridDescriptor`; sizes may differ."""
    first, second = GridDescriptor().describe(left), GridDescriptor().describe(right)
    return float(np.einsum("fd,fd->f", first, second).mean())


def exactly(place: int, count: int) -> list[float]:
    """Return the closeness of options that are all equally far from the right one at `place`."""
    return [float(other == place) for other in range(count)]
