"""Temporal jigsaw: the contract, both forms, and what the trim is for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise, permutations
from typing import ClassVar

import numpy as np
import pytest
from task_contract import VIDEO, TaskContract, World, moving_frames, swapped

from reelgym import tasks
from reelgym.data.messages import Clip, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.tasks.jigsaw import Jigsaw, JigsawConfig


class _OrderContract(TaskContract):
    def corruptions(self, sample: Sample) -> Iterable[str]:
        yield from (", ".join(map(str, row)) for row in swapped(sample.answer))

    def replies(self, sample: Sample) -> Iterable[str]:
        return [" ".join(map(str, row)) for row in permutations(sample.answer)]


class TestVisualJigsaw(_OrderContract):
    name = "jigsaw"

    def solve(self, sample: Sample, world: World) -> str:
        clips = world.recognise(sample)
        return ", ".join(str(n) for _, n in sorted((np.mean(times), n) for n, times in enumerate(clips, 1)))


class TestVideoSSR(_OrderContract):
    name = "jigsaw"
    options: ClassVar = {"form": "videossr", "clips": 4}

    def solve(self, sample: Sample, world: World) -> str:
        (times,) = world.recognise(sample)
        clips = np.array(times).reshape(len(sample.answer), -1).mean(axis=1)
        return "".join(str(n + 1) for n in np.argsort(clips))


def made(**options: object) -> list[Sample]:
    task = Jigsaw(JigsawConfig(short_side=28, **options))  # type: ignore[arg-type]
    frames = moving_frames(task, 90, fps=2.0)
    return list(task.generate(VIDEO, frames, seed=0, split="train", count=6))


@pytest.mark.parametrize("trim", [0.0, 0.05, 0.2, 0.4])
def test_clips_lie_apart_by_their_trimmed_ends_and_tell_no_time(trim: float) -> None:
    for sample in made(trim=trim, clip_frames=3):
        clips = [part for part in sample.messages[0].parts if isinstance(part, Clip)]
        ordered = [clips[number - 1].times for number in sample.answer]
        starts = [times[0] for times in ordered]
        lengths = {round(b - a, 6) for a, b in pairwise(starts)}
        assert len(clips) == 6 and starts == sorted(starts) and len(lengths) == 1
        (length,) = lengths
        for one, after in pairwise(ordered):
            assert list(one) == sorted(one) and len(one) == 3
            # The step between neighbouring frames comes on top of what is cut off on both sides.
            assert after[0] - one[-1] >= 2 * trim * length + 0.5 - 1e-6
        assert all(part.shown_seconds is not None and part.shown_seconds[0] == 0 for part in clips)


def test_videossr_shows_one_video_on_an_even_clock_and_drops_the_ends() -> None:
    for sample in made(form="videossr", trim=0.0, clip_frames=8):
        clip, asked = sample.messages[0].parts
        assert isinstance(clip, Clip) and isinstance(asked, Text) and "6 digits" in asked.text
        assert len(clip.times) == 48 and clip.shown_seconds is not None
        assert len({round(b - a, 4) for a, b in pairwise(clip.shown_seconds)}) == 1
        assert min(clip.times) >= 0.05 * 45 - 0.5 and max(clip.times) <= 0.95 * 45
        segments = np.array(clip.times).reshape(6, 8)
        assert [int(n) for n in Jigsaw().gold(sample)] == list(np.argsort(segments[:, 0]) + 1)


def test_each_form_is_paid_as_published() -> None:
    ours, theirs = made()[0], made(form="videossr", trim=0.0)[0]
    # Two neighbours exchanged: 4 of 6 places right; both moved by 1 of 18.
    for sample, value in ((ours, 0.2 * 4 / 6), (theirs, 1 - 2 / 18)):
        reply = " ".join(map(str, next(swapped(sample.answer))))
        assert tasks.get("jigsaw").score(reply, sample).value == pytest.approx(value)


def test_wrong_settings_say_what_is_allowed() -> None:
    for options in ({"form": "x"}, {"clips": 9}, {"trim": 0.5}, {"smooth": "x"}, {"reward": "x"}, {"fps": 0}):
        with pytest.raises(RequestError, match=next(iter(options))):
            JigsawConfig(**options)  # type: ignore[arg-type]
