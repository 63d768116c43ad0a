"""The proving ground: puzzles on rendered videos, at the size that the embedded models learn from in minutes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reelgym import __version__, world
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.sample import Sample, Split
from reelgym.synthesis.local import synthesize
from reelgym.synthesis.pool import cores
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

OWN = replace(PUZZLE, kappa=None, gap=None, against="all")
"""The same for a user's own files, whose frames differ less or more: the threshold is found for each. Frames are
compared with all kept ones, since real scenes come back to what they showed, and a puzzle's frames must all differ."""

SCENES = Settings(speed=(1.2, 1.7), curve=0.05, distractors=(0, 2), pan=(0.0, 0.02), texture=(0.0, 5.0))
"""What the embedded models are trained and measured on. Ours."""

TRAIN, TEST = (120, 6), (32, 3)
"""How many videos the recipes train on and evaluate on, and the most samples of one. Ours."""

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
    """Return where a recipe keeps its rendered videos and puzzles: another folder for other settings or versions.

    Args:
        name: Of who keeps them; with the number of videos where that is not always the same, since all puzzles of a
            folder are taken for those that were asked for.
    """
    made_of = hashlib.sha256(repr((__version__, PUZZLE, SCENES, KINDS)).encode()).hexdigest()[:8]
    return cache_folder() / "world" / f"{name}-{made_of}"


def store() -> Store:
    """Return the frame store of this machine."""
    return Store(cache_folder() / "frames")


def ground(split: Split, videos: int, per_video: int, seed: int) -> Ground:
    """Return the ground that the recipes share under a seed: all of them see the same videos; see `prepare`."""
    return prepare(world_folder(f"mvp-{seed}"), split=split, videos=videos, per_video=per_video, seed=seed)


def prepare(
    folder: Path,
    *,
    split: Split,
    videos: int,
    per_video: int,
    seed: int = 0,
    progress: Callable[[str], Progress] | None = None,
) -> Ground:
    """Render videos and cut puzzles out of them; what is already there is kept.

    Args:
        folder: Holds `SPLIT/videos` and `SPLIT/puzzles` afterwards; one of other numbers is not taken up.
        split: Of the scenes and of all puzzles.
        videos: How many to render.
        per_video: Most puzzles of one video.
        seed: Of scenes and puzzles.
        progress: From a stage's name to what is told (done, total).
    """
    told: Callable[[str], Progress | None] = progress or (lambda _: None)
    place = folder / split / "videos"
    made = world.make(
        place,
        count=videos,
        split=split,
        seed=seed,
        kinds=KINDS,
        settings=SCENES,
        workers=cores(),
        progress=told(f"render {split} videos"),
    )
    tell = told(f"cut {split} puzzles")
    puzzles = cut(place, "puzzles", PUZZLE, split=split, per_video=per_video, seed=seed, progress=tell)
    return Ground(place, puzzles, {video.identity: video.facts for video in made})


def cut(
    videos: Path,
    name: str,
    config: Any,
    *,
    task: str = "mvp",
    split: Split,
    per_video: int,
    seed: int,
    progress: Progress | None = None,
) -> Dataset:
    """Return samples cut out of all videos of a folder; what is already there is kept.

    Args:
        videos: The folder.
        name: The samples are kept in a folder of this name beside it.
        config: How they are cut: the task's `Config`.
        task: Its name.
        split: Of all samples.
        per_video: Most samples of one video.
        seed: Of what is drawn.
        progress: Told (done, total).
    """
    place = videos.parent / name
    synthesize(
        [videos], place, task=task, config=config, per_video=per_video, seed=seed, split=split, progress=progress
    )
    return read_dataset(place)
