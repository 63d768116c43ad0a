"""The proving ground: puzzles on rendered videos, at the size that the embedded models learn from in minutes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reelgym import __version__, world
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.sample import Sample, Split
from reelgym.synthesis.local import synthesize
from reelgym.tasks.mvp import MVPConfig
from reelgym.video import Store
from reelgym.world import Facts, Settings

Progress = Callable[[int, int], None]

PUZZLE = MVPConfig(
    fps=1.0,
    frames=8,
    hidden=3,
    distractors=2,
    margin=0,
    against="last",
    kappa=0.8,
    gap=0.2,
    short_side=28,
    analysis_side=56,
)
"""Eight frames a second apart, three of them hidden, two look-alikes, one token per frame. Ours."""

OWN = replace(PUZZLE, kappa=None, gap=None)
"""The same for a user's own files, whose frames differ less or more: the threshold is found for each."""

SCENES = Settings(speed=(1.2, 1.7), curve=0.05, distractors=(0, 2), pan=(0.0, 0.02), texture=(0.0, 5.0))
"""What the embedded models are trained and measured on. Ours."""

KINDS = ("moving",)
"""Kinds of scene whose puzzles a model of a million parameters learns within the demo's minutes."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Puzzles on rendered videos, with the facts of every video.

    Attributes:
        videos: Folder of the MP4 files.
        dataset: The puzzles.
        facts: Identity of a video to its facts.
    """

    videos: Path
    dataset: Dataset
    facts: dict[str, Facts]

    def word(self, sample: Sample) -> Callable[[float], str]:
        """Return what names the state of the sample's video at a time in seconds."""
        return self.facts[sample.source].word


def cache_folder() -> Path:
    """Return where rendered videos and decoded frames are kept: `REELGYM_CACHE`, or `~/.cache/reelgym`."""
    return Path(os.environ.get("REELGYM_CACHE") or Path.home() / ".cache" / "reelgym")


def world_folder(name: str) -> Path:
    """Return where a recipe keeps its rendered videos and puzzles: another folder for other settings or versions."""
    made_of = hashlib.sha256(repr((__version__, PUZZLE, SCENES, KINDS)).encode()).hexdigest()[:8]
    return cache_folder() / "world" / f"{name}-{made_of}"


def store() -> Store:
    """Return the frame store of this machine."""
    return Store(cache_folder() / "frames")


def prepare(
    folder: Path,
    *,
    split: Split,
    videos: int,
    per_video: int,
    seed: int = 0,
    config: MVPConfig = PUZZLE,
    kinds: Sequence[str] = KINDS,
    settings: Settings = SCENES,
    workers: int | None = None,
    progress: Callable[[str], Progress] | None = None,
) -> Ground:
    """Render videos and cut puzzles out of them; what is already there is kept.

    Args:
        folder: Holds `SPLIT/videos` and `SPLIT/puzzles` afterwards.
        split: Of the scenes and of all puzzles.
        videos: How many to render.
        per_video: Most puzzles of one video.
        seed: Of scenes and puzzles.
        config: How puzzles are cut.
        kinds: Kinds of scene, taken in turn.
        settings: How hard the scenes are.
        workers: Processes; all cores by default.
        progress: From a stage's name to what is told (done, total).
    """
    workers = workers or os.cpu_count() or 1
    told: Callable[[str], Progress | None] = progress or (lambda _: None)
    place = folder / split
    made = world.make(
        place / "videos",
        count=videos,
        split=split,
        seed=seed,
        kinds=kinds,
        settings=settings,
        workers=workers,
        progress=told(f"render {split} videos"),
    )
    synthesize(
        [place / "videos"],
        place / "puzzles",
        config=config,
        fps=config.fps,
        per_video=per_video,
        seed=seed,
        workers=workers,
        split=split,
        progress=told(f"cut {split} puzzles"),
    )
    facts = {video.identity: video.facts for video in made}
    return Ground(place / "videos", read_dataset(place / "puzzles"), facts)
