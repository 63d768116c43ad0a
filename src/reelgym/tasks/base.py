"""The protocol of a task, and how tasks are found and configured by name."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample, Split
from reelgym.errors import MediaError, RequestError, unknown
from reelgym.registry import discover, lookup
from reelgym.scoring import Score
from reelgym.video.types import Frames, FrameSpec, Video


class MediaReader(Protocol):
    """Turns a named image or clip into its pixels, (F, H, W, 3) uint8; `data.media.Media` is one."""

    def __call__(self, part: Image | Clip) -> NDArray[np.uint8]:
        """Return the pixels of one part; an image has F = 1."""
        ...


def too_short(video: Video, fps: float, found: int, wanted: tuple[int, int], what: str) -> MediaError:
    """Return the line of a video that has too few frames; it says so where `--fps auto` would find enough.

    Args:
        video: The file.
        fps: Frames per second that it was read at.
        found: Different frames found.
        wanted: Frames that one sample takes, and `Task.wanted_frames`, by which `--fps auto` chooses.
        what: The word for a sample.
    """
    from reelgym.video import auto_fps  # Scoring needs no reader of videos.

    least, many = wanted
    reason = f"too short: {found} frames at {fps:g} fps, a {what} takes {least}"
    rate = auto_fps(video.duration_seconds, many)
    # A file of few frames a second gives no more of them, however fast it is read.
    has = int(min(rate, video.frame_rate or rate) * video.duration_seconds)
    if rate > fps and has >= least:
        reason += f"; --fps auto reads it at {rate:g}"
    return MediaError(video.path, "task", reason)


class Task(ABC):
    """Makes samples from the frames of one video, and scores replies to them.

    A concrete task sets `name`, `version` (raised whenever the same seed would give other samples) and `Config`, a
    frozen dataclass. `score`, `chance`, `gold` and `baselines` read everything they need from the sample, so a task
    with default settings scores the samples of any other.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[Any]]
    avoids: ClassVar[frozenset[str]] = frozenset()
    """What its samples may not run into where nothing else is asked for: names of `synthesis.structure.FACETS`."""

    def __init__(self, config: Any = None) -> None:
        """Take a `Config`; None means its defaults."""
        self.config = self.Config() if config is None else config

    @classmethod
    def expand(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings with shorthands replaced by the fields of `Config` they stand for; there are none here."""
        return dict(settings)

    def eased(self, sample: Sample) -> Sample | None:
        """Return the same question in the next easier form, under an id of its own; None where there is none."""
        return None

    @abstractmethod
    def wanted_frames(self) -> int:
        """Return how many frames of a video make a good pool to draw from: what `--fps auto` aims at."""

    @abstractmethod
    def spec(self, fps: float) -> FrameSpec:
        """Return how `generate` wants its frames decoded."""

    @abstractmethod
    def shown(self, video: Video, fps: float) -> FrameSpec:
        """Return how the prompts of a video name its frames: what a store can be filled with in the same pass."""

    @abstractmethod
    def generate(self, video: Video, frames: Frames, *, seed: int, split: Split, count: int) -> Iterator[Sample]:
        """Yield up to `count` samples of one video; the same arguments give the same samples.

        Args:
            video: The source.
            frames: Decoded by `spec`.
            seed: Of the dataset.
            split: Which side the video is on.
            count: How many samples at most.

        Raises:
            MediaError: With the boundary `task` and the reason, where the video can give none (too short, static).
        """

    @abstractmethod
    def score(self, reply: str, sample: Sample) -> Score:
        """Return what a reply is worth. Never raises on any reply."""

    @abstractmethod
    def chance(self, sample: Sample) -> dict[str, float]:
        """Return what a uniformly random valid answer gets: for every part of `score`, and for `value`."""

    @abstractmethod
    def gold(self, sample: Sample) -> str:
        """Return the right answer as the text that stands inside the answer tags."""

    @abstractmethod
    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return replies of shortcuts that need no model, by name."""


@lru_cache(maxsize=256)
def get(name: str) -> Task:
    """Return the task of this name with its default settings.

    Raises:
        RequestError: No such task; names the nearest.
    """
    return lookup("reelgym.tasks", Task, "task", name)()


def names() -> list[str]:
    """Return the names of all tasks, sorted."""
    return sorted(discover("reelgym.tasks", Task))


def configure(name: str, settings: Mapping[str, Any] | None = None) -> Task:
    """Return a task with the given settings, the others at their defaults.

    Args:
        name: Of the task.
        settings: Field of the task's `Config` to value; a list becomes a tuple.

    Raises:
        RequestError: Unknown task or setting (names the nearest), or a value that is not allowed.
    """
    task = type(get(name))
    settings = task.expand(settings or {})
    allowed = [field.name for field in fields(task.Config)]
    for key in settings:
        if key not in allowed:
            raise unknown(f"setting of task {name}", key, allowed)
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
    try:
        return task(task.Config(**values))
    except TypeError as error:
        raise RequestError(f"settings of task {name} {values}: {error}; give each the type of its default") from error


def sample_key(task: Task, *, split: str, seed: int, source: str, index: int) -> str:
    """Return 64 hex digits that name one sample: the hash of (task, version, split, seed, source, index)."""
    named = [task.name, task.version, split, seed, source, index]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def stream(key: str) -> np.random.Generator:
    """Return the random stream of a `sample_key`."""
    return np.random.default_rng(int(key, 16))
