"""Masked video prediction keeps the contract of every task."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import ClassVar

from task_contract import TaskContract, World, swapped

from reelgym.data.sample import Sample


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
