"""Masked video prediction keeps the contract of every task."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any, ClassVar

import numpy as np
import pytest
from task_contract import TaskContract, World, swapped

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.synthesis.audit import scores
from reelgym.tasks.base import Task
from reelgym.video import auto_fps


class TestMVP(TaskContract):
    name = "mvp"
    options: ClassVar = {"fps": 2.0, "frames": 8, "hidden": 3, "distractors": 2, "margin": 1, "short_side": 28}
    rewards = ()

    def corruptions(self, sample: Sample) -> Iterable[str]:
        wrong = next(i for i in range(1, sample.evidence["pool"] + 1) if i not in sample.answer)
        yield from (", ".join(map(str, row)) for row in swapped(sample.answer))
        for place in range(len(sample.answer)):
            yield ", ".join(str(wrong if at == place else i) for at, i in enumerate(sample.answer))

    def replies(self, sample: Sample) -> Iterable[str]:
        indices = range(1, sample.evidence["pool"] + 1)
        return [", ".join(map(str, row)) for row in permutations(indices, len(sample.answer))]

    def solve(self, sample: Sample, world: World) -> str:
        before, after, *pool = world.recognise(sample)
        inside = [(time[0], number) for number, time in enumerate(pool, 1) if before[-1] < time[0] < after[0]]
        return ", ".join(str(number) for _, number in sorted(inside))


def made(name: str, settings: dict[str, Any], world: World, count: int = 2) -> tuple[Task, list[Sample]]:
    """Samples of every video at the rate of `--fps auto`; each video must give some."""
    task = tasks.configure(name, {"short_side": 56, **settings})
    found: list[Sample] = []
    for video in world.videos:
        frames = world.frames(video, task.spec(auto_fps(video.duration_seconds, task.wanted_frames())))
        found += task.generate(video, frames, seed=0, split="train", count=count)
    return task, found


@pytest.mark.parametrize(
    ("name", "settings"), [("mvp", {}), ("odd_clip", {}), ("patch_swap", {"form": "clip"})], ids=str
)
def test_by_default_no_shortcut_goes_half_of_the_way_from_chance_to_1(
    name: str, settings: dict[str, Any], world_set: World
) -> None:
    task, found = made(name, settings, world_set)
    earned: dict[str, list[float]] = {}
    for sample in found:
        for shortcut, parts in scores(sample, world_set.media).items():
            earned.setdefault(shortcut, []).append(parts["value"])
    bar = (1 + np.mean([task.chance(sample)["value"] for sample in found])) / 2
    assert len(found) >= 8 and {shortcut: v for shortcut, v in earned.items() if np.mean(v) > bar} == {}


def test_puzzles_of_the_defaults_are_solved_by_the_facts(world_set: World) -> None:
    task, found = made("mvp", {}, world_set)
    assert len({sample.source for sample in found}) == len(world_set.videos)
    assert np.mean([task.score(TestMVP().solve(sample, world_set), sample).value for sample in found]) >= 0.95
