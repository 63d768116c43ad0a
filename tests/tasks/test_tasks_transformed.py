"""Rotation, reversal and patch swap: each keeps the contract in every form, and shows what its answer says."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import ClassVar

import numpy as np
from pixel_facts import media_parts, nearest, relit, shown, unchanged
from task_contract import VIDEO, TaskContract, World, moving_frames

from reelgym import tasks
from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.scoring.choice import LETTERS

PAIRS = list(combinations(range(4), 2))


class ChoiceContract(TaskContract):
    """The answer is one letter."""

    refuses_static = False

    def replies(self, sample: Sample) -> Iterable[str]:
        return LETTERS[: len(sample.evidence["options"])]

    def corruptions(self, sample: Sample) -> Iterable[str]:
        return [letter for letter in self.replies(sample) if letter != LETTERS[sample.answer[0] - 1]]

    def place(self, sample: Sample, world: World) -> int:
        raise NotImplementedError

    def solve(self, sample: Sample, world: World) -> str:
        return LETTERS[self.place(sample, world)]


class TestRotationOfClips(ChoiceContract):
    name = "rotation"

    def place(self, sample: Sample, world: World) -> int:
        upright = unchanged(sample, world, keep=["crop"])
        return nearest(shown(sample, world), [relit(sample, np.rot90(upright, -k, axes=(1, 2))) for k in range(4)])


class TestRotationOfImages(TestRotationOfClips):
    options: ClassVar = {"form": "image"}
    shortest = 0


class TestReversal(ChoiceContract):
    name = "reversal"
    refuses_static = True

    def place(self, sample: Sample, world: World) -> int:
        forward = unchanged(sample, world)
        return nearest(shown(sample, world), [relit(sample, forward), relit(sample, forward[::-1])])


class TestPatchSwapOfImages(ChoiceContract):
    name = "patch_swap"
    shortest = 0

    def place(self, sample: Sample, world: World) -> int:
        whole = unchanged(sample, world, keep=["crop"])
        high, wide = whole.shape[1] // 2, whole.shape[2] // 2
        candidates = []
        for first, second in PAIRS:
            out = whole.copy()
            at = [
                (slice(None), slice(k // 2 * high, (k // 2 + 1) * high), slice(k % 2 * wide, (k % 2 + 1) * wide))
                for k in (first, second)
            ]
            out[at[0]], out[at[1]] = whole[at[1]], whole[at[0]]
            candidates.append(relit(sample, out))
        return nearest(shown(sample, world), candidates)


class TestPatchSwapOfClips(TestPatchSwapOfImages):
    options: ClassVar = {"form": "clip"}
    shortest = 2


class TestPatchSwapOfGroups(ChoiceContract):
    name = "patch_swap"
    options: ClassVar = {"form": "groups"}
    refuses_static = True

    def place(self, sample: Sample, world: World) -> int:
        groups = np.split(unchanged(sample, world), 4)
        candidates = []
        for first, second in PAIRS:
            out = list(groups)
            out[first], out[second] = groups[second], groups[first]
            candidates.append(relit(sample, np.concatenate(out)))
        return nearest(shown(sample, world), candidates)


def _samples(name: str, **options: object) -> list[Sample]:
    task = tasks.configure(name, options)
    return list(task.generate(VIDEO, moving_frames(task, 40, fps=4.0), seed=0, split="train", count=12))


def test_a_turned_frame_is_square_so_that_its_shape_tells_nothing() -> None:
    for sample in _samples("rotation", short_side=28):
        (part,) = media_parts(sample)
        assert part.spec.size == (28, 56) and part.edits[0].args == (0.25, 0.0, 0.75, 1.0)
    assert {sample.answer[0] for sample in _samples("rotation")} == {1, 2, 3, 4}


def test_a_turn_by_90_degrees_is_nearer_to_0_than_to_270_is_to_90() -> None:
    task = tasks.get("rotation")
    for sample in _samples("rotation", reward="smooth"):
        right = sample.answer[0] - 1
        # By hand: half of 1 - 90/180 is a quarter; the opposite turn earns nothing.
        assert [task.score(LETTERS[(right + k) % 4], sample).value for k in range(4)] == [1.0, 0.25, 0.0, 0.25]


def test_a_reversed_clip_has_a_clock_that_runs_forward() -> None:
    for sample in _samples("reversal"):
        (clip,) = media_parts(sample)
        assert isinstance(clip, Clip)
        told = clip.times if clip.shown_seconds is None else clip.shown_seconds
        assert list(told) == sorted(told)
        assert (list(clip.times) == sorted(clip.times)) == (sample.answer == [1])


def test_groups_have_an_even_clock_whatever_was_exchanged() -> None:
    for sample in _samples("patch_swap", form="groups"):
        (clip,) = media_parts(sample)
        assert isinstance(clip, Clip) and clip.shown_seconds is not None
        assert np.allclose(np.diff(clip.shown_seconds), np.diff(clip.shown_seconds)[0], atol=2e-6)
        order = [int(np.argsort(np.argsort(clip.times))[k * 2]) // 2 for k in range(4)]
        first, second = PAIRS[sample.answer[0] - 1]
        assert [place for place in range(4) if order[place] != place] == [first, second]
