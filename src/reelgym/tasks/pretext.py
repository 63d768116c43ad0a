"""What pretext tasks share: frames to draw from, the loop that makes samples, and common forms of answers."""

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
from reelgym.scoring import Score, answer_text, parse_indices
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.graded import choice_chance, choice_parts, graded_chance, graded_score
from reelgym.scoring.permutation import parse_order, permutation_chance, permutation_parts
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
    """Makes samples out of drafts, and scores replies with a strict and a smooth reward (`scoring.graded`).

    A concrete task draws a draft, says what frames it needs, and how an answer is read and measured.
    """

    config: ClipConfig

    @property
    @abstractmethod
    def least(self) -> int:
        """Frames that a video has at least."""

    @abstractmethod
    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question about the video, or None where this draw gives none."""

    @abstractmethod
    def read(self, text: str, sample: Sample) -> Any:
        """Return the answer that a text states, None where it states none that is allowed. Never raises."""

    @abstractmethod
    def parts(self, said: Any, sample: Sample) -> dict[str, float]:
        """Return the measures of an answer that was read, `strict` and `smooth` among them."""

    @abstractmethod
    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean of each of `parts` over all answers that a guesser may give."""

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of a reply; one without an allowed answer earns 0."""
        text = answer_text(reply)
        said = None if text is None else self.read(text, sample)
        parts = None if said is None else self.parts(said, sample)
        return graded_score(parts, self.chances(sample), sample.evidence["reward"], said)

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return what a guesser gets: `chances`, and 0 for what is corrected by them."""
        return graded_chance(self.chances(sample), sample.evidence["reward"])

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


class Numbered(Pretext):
    """A pretext task whose answer is one of n numbers; `answer` is `[number]`, counted from 1.

    `evidence.closeness` is how near each comes to the right one, in [0, 1]: a wrong one earns half of it under the
    smooth reward.
    """

    def read(self, text: str, sample: Sample) -> tuple[int, ...] | None:
        """Return one number in range."""
        return parse_indices(text, 1, len(sample.evidence["closeness"]))

    def parts(self, said: Sequence[int], sample: Sample) -> dict[str, float]:
        """Return `strict` and `smooth`."""
        return choice_parts(said[0], sample.answer[0], sample.evidence["closeness"])

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all n numbers."""
        return choice_chance(sample.answer[0], sample.evidence["closeness"])

    def gold(self, sample: Sample) -> str:
        """Return the right number."""
        return str(sample.answer[0])


class Choice(Numbered):
    """The same with options under letters instead of numbers; `evidence.options` are the options."""

    def read(self, text: str, sample: Sample) -> tuple[int, ...] | None:
        """Return the number of the one option that is named."""
        chosen = parse_choice(text, sample.evidence["options"])
        return None if chosen is None else (chosen + 1,)

    def gold(self, sample: Sample) -> str:
        """Return the letter of the right option."""
        return LETTERS[sample.answer[0] - 1]

    def eased(self, sample: Sample) -> Sample | None:
        """Return the question with one wrong option less, None where only one is left."""
        return one_option_less(sample, lettered)


class Ordering(Pretext):
    """A pretext task whose answer is an order of K things; `evidence.smooth` names the smooth reward's measure."""

    def read(self, text: str, sample: Sample) -> tuple[int, ...] | None:
        """Return a permutation of 1 to K."""
        return parse_order(text, len(sample.answer))

    def parts(self, said: Sequence[int], sample: Sample) -> dict[str, float]:
        """Return the measures of `scoring.permutation`."""
        return permutation_parts(said, sample.answer, sample.evidence["smooth"])

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all K! orders."""
        return permutation_chance(len(sample.answer), sample.evidence["smooth"])

    def gold(self, sample: Sample) -> str:
        """Return the right order, such as `2, 4, 1, 3`."""
        return ", ".join(map(str, sample.answer))


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
