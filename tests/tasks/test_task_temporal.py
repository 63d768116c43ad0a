"""The tasks about time keep the contract of every task, and what each adds to it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations, product
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from task_contract import VIDEO, TaskContract, World, cross_cut, moving_frames, swapped

from reelgym import tasks
from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample
from reelgym.errors import MediaError, RequestError
from reelgym.scoring.placed import tenths
from reelgym.tasks.arrow_of_time import WORDS, apart, parse_directions
from reelgym.tasks.timeline import balanced


def made(name: str, count: int = 8, frames: int = 120, **options: object) -> list[Sample]:
    """Samples of a video of random blocks, any two frames of which differ plainly."""
    task = tasks.configure(name, {"short_side": 28, **options})
    shown = moving_frames(task, frames, fps=2.0)
    return list(task.generate(VIDEO, shown, seed=0, split="train", count=count))


def clips_of(sample: Sample) -> list[Clip]:
    return [part for part in sample.messages[0].parts if isinstance(part, Clip)]


class _Choice(TaskContract):
    def replies(self, sample: Sample) -> Iterable[str]:
        return [str(number) for number in range(1, len(sample.evidence["closeness"]) + 1)]

    def corruptions(self, sample: Sample) -> Iterable[str]:
        return [reply for reply in self.replies(sample) if reply != str(sample.answer[0])]


class TestArrowOfTime(TaskContract):
    name = "arrow_of_time"

    def replies(self, sample: Sample) -> Iterable[str]:
        return [" ".join(words) for words in product(WORDS, repeat=len(sample.answer))]

    def corruptions(self, sample: Sample) -> Iterable[str]:
        for place in range(len(sample.answer)):
            turned = [WORDS[(word == WORDS[0]) ^ (at != place)] for at, word in enumerate(sample.answer)]
            yield ", ".join(turned)

    def solve(self, sample: Sample, world: World) -> str:
        return ", ".join(WORDS[0 if times[-1] > times[0] else 1] for times in world.recognise(sample))


class TestOddClip(_Choice):
    name = "odd_clip"

    def solve(self, sample: Sample, world: World) -> str:
        middles = [float(np.mean(times)) for times in world.recognise(sample)]
        # Without the odd one the rest runs evenly, but for the hole that it leaves.
        places = np.arange(len(middles))
        rest = [np.polyfit(np.delete(places, k), np.delete(middles, k), 1, full=True)[1] for k in places]
        off = [float(residual[0]) if len(residual) else 0.0 for residual in rest]
        return str(int(np.argmin(off)) + 1)


class TestNextSegment(_Choice):
    name = "next_segment"

    def solve(self, sample: Sample, world: World) -> str:
        before, *clips = world.recognise(sample)
        after = [times[0] - before[-1] for times in clips]
        return str(1 + min((wait, k) for k, wait in enumerate(after) if wait > 0)[1])


class TestPlacementInSeconds(TaskContract):
    name = "placement"

    def replies(self, sample: Sample) -> Iterable[str]:
        return [f"{time:.1f}" for time in tenths(sample.evidence["length"])]

    def corruptions(self, sample: Sample) -> Iterable[str]:
        for off in (-1, 1):
            wrong = sample.answer + off * (sample.evidence["tolerance"] + 0.1)
            if 0 <= wrong <= sample.evidence["length"]:
                yield f"{wrong:.3f} s"

    def solve(self, sample: Sample, world: World) -> str:
        context, (hidden,) = world.recognise(sample)
        return f"{hidden - context[0]:.1f}"


class TestPlacementByInterval(_Choice):
    name = "placement"
    options: ClassVar = {"answer": "interval"}

    def solve(self, sample: Sample, world: World) -> str:
        context, (hidden,) = world.recognise(sample)
        return str(sum(time < hidden for time in context))


class TestShotOrder(TaskContract):
    name = "shot_order"

    @pytest.fixture
    def world_set(self, edited_set: World) -> World:
        """Edited videos: the world's own have no cuts."""
        return edited_set

    def corruptions(self, sample: Sample) -> Iterable[str]:
        yield from (", ".join(map(str, row)) for row in swapped(sample.answer))

    def replies(self, sample: Sample) -> Iterable[str]:
        return [" ".join(map(str, row)) for row in permutations(sample.answer)]

    def solve(self, sample: Sample, world: World) -> str:
        shots = world.recognise(sample)
        return ", ".join(str(n) for _, n in sorted((np.mean(times), n) for n, times in enumerate(shots, 1)))

    def test_no_shot_shown_holds_a_cut(self, samples: list[Sample], world_set: World) -> None:
        for sample in samples:
            facts = world_set.facts[sample.source]
            for clip in clips_of(sample):
                seen = {facts.at(time)[facts.focus].x == -1.0 for time in clip.times}
                assert len(seen) == 1


def test_videos_without_cuts_have_no_order_of_shots(world_set: World) -> None:
    task, video = tasks.get("shot_order"), world_set.videos[0]
    frames = world_set.frames(video, task.spec(4.0))
    with pytest.raises(MediaError, match=r"too few shots: [01] "):
        list(task.generate(video, frames, seed=0, split="train", count=1))


def test_each_clip_runs_as_its_word_says_on_a_clock_that_tells_nothing() -> None:
    words = []
    for sample in made("arrow_of_time", 40, clips=2, clip_frames=5):
        for word, clip in zip(sample.answer, clips_of(sample), strict=True):
            forward = list(clip.times) == sorted(clip.times)
            assert forward == (word == "forward") and (forward or list(clip.times) == sorted(clip.times, reverse=True))
            assert clip.shown_seconds == (0.0, 0.5, 1.0, 1.5, 2.0)
            words.append(word)
    # 80 fair coins: 40 and at most 4 standard deviations of 4.5.
    assert 22 <= words.count("forward") <= 58


def test_runs_that_lie_apart_never_overlap_and_are_all_possible() -> None:
    rng = np.random.default_rng(0)
    drawn = {tuple(apart(rng, 7, 2, 3)) for _ in range(200)}
    assert drawn == {(0, 3), (0, 4), (1, 4)}
    assert apart(rng, 6, 2, 3) == [0, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("forward, backward", ("forward", "backward")),
        ("F B", ("forward", "backward")),
        ("Clip 1: Forwards. Clip 2: b", ("forward", "backward")),
        ("forward", None),
        ("forward, backward, forward", None),
        ("forward or backward", None),
        ("fb", None),
        ("", None),
    ],
)
def test_directions_are_read_as_words_and_never_picked_out_of_a_sentence(text: str, said: object) -> None:
    assert parse_directions(text, 2) == said


@pytest.mark.parametrize("odd", ["elsewhere", "reversed", "shuffled"])
def test_the_odd_clip_is_the_only_one_that_does_not_follow(odd: str) -> None:
    for sample in made("odd_clip", 12, odd=odd):
        clips = [list(clip.times) for clip in clips_of(sample)]
        place = sample.answer[0] - 1
        rest = [times for k, times in enumerate(clips) if k != place]
        flat = [time for times in rest for time in times]
        assert flat == sorted(flat)
        inside = flat[0] <= np.mean(clips[place]) <= flat[-1]
        if odd == "elsewhere":
            assert clips[place] == sorted(clips[place]) and clips[place] != sample.evidence["replaced_times"]
            assert not inside or place in (0, len(clips) - 1)
        else:
            assert sorted(clips[place]) == sample.evidence["replaced_times"] != clips[place]


def test_the_right_clip_begins_after_the_gap_and_no_other_overlaps_what_is_shown() -> None:
    for sample in made("next_segment", gap_frames=3):
        before, *clips = clips_of(sample)
        right = clips[sample.answer[0] - 1]
        # Frames half a second apart: three unseen ones make two seconds.
        assert right.times[0] - before.times[-1] == 2.0
        shown = [time for clip in (before, *clips) for time in clip.times]
        assert len(shown) == len(set(shown))
        assert sample.evidence["closeness"][sample.answer[0] - 1] == 1.0
        assert min(sample.evidence["closeness"]) == 0.0


def test_the_hidden_frame_lies_between_the_two_frames_of_its_interval() -> None:
    for sample, other in zip(made("placement", answer="interval"), made("placement"), strict=True):
        (context,), image = clips_of(sample), sample.messages[0].parts[3]
        assert isinstance(image, Image)
        assert context.times[sample.answer[0] - 1] < image.time < context.times[sample.answer[0]]
        (context,), image = clips_of(other), other.messages[0].parts[3]
        assert isinstance(image, Image)
        assert image.time - context.times[0] == pytest.approx(other.answer)
        # The middle of the right interval is right, whichever frame of its middle half was hidden.
        place = np.searchsorted(context.times, image.time)
        middle = (context.times[place - 1] + context.times[place]) / 2 - context.times[0]
        assert tasks.get("placement").score(f"{middle:.1f}", other).value == 1.0


def test_a_second_too_far_off_earns_less_the_farther_it_is() -> None:
    sample = made("placement", 1)[0]
    known = sample.evidence
    for off, value in ((0.0, 1.0), (known["reach"] / 2, 0.5), (known["reach"], 0.0)):
        sign = 1 if sample.answer + known["tolerance"] + off <= known["length"] else -1
        reply = f"{sample.answer + sign * (known['tolerance'] + off):.6f}"
        assert tasks.get("placement").score(reply, sample).parts["smooth"] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("name", ["jigsaw", "odd_clip", "next_segment", "shot_order", "placement"])
def test_every_clip_stands_in_a_light_of_its_own_unless_told_otherwise(name: str, tmp_path: Path) -> None:
    options = {"short_side": 56}
    if name == "shot_order":
        world = cross_cut(tmp_path, videos=1, side=56)
        task, plain = tasks.configure(name, options), tasks.configure(name, options | {"jitter": 0.0})
        (sample,), (flat,) = world.samples(task, count=1), world.samples(plain, count=1)
    else:
        sample, flat = made(name, 1)[0], made(name, 1, jitter=0.0)[0]
    edits = [part.edits for part in sample.messages[0].parts if isinstance(part, Clip | Image)]
    lit = [edit for edit in edits if edit]
    assert len(lit) == len(set(lit)) >= (1 if name == "placement" else 4)
    assert not any(part.edits for part in flat.messages[0].parts if isinstance(part, Clip | Image))
    assert flat.answer == sample.answer


def test_a_balanced_draw_takes_every_rank_equally_often() -> None:
    rng = np.random.default_rng(0)
    # Most options have rank 0; each of four ranks is still drawn about a quarter of 400 times (4 sigma: 35).
    drawn = [balanced([0] * 20 + [1, 2, 3], 4, rng) for _ in range(400)]
    counts = [sum(place < 20 for place in drawn), *(drawn.count(place) for place in (20, 21, 22))]
    assert all(65 <= count <= 135 for count in counts)
    assert balanced([2, 2], 9, rng) in (0, 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("arrow_of_time", {"clips": 0}),
        ("odd_clip", {"odd": "x"}),
        ("odd_clip", {"longest": 0.9}),
        ("next_segment", {"options": 1}),
        ("next_segment", {"gap_frames": -1}),
        ("placement", {"answer": "x"}),
        ("placement", {"context_frames": 2}),
        ("shot_order", {"shots": 1}),
        ("shot_order", {"smooth": "x"}),
        ("jigsaw", {"jitter": 0.6}),
        ("jigsaw", {"reward": "x"}),
    ],
)
def test_wrong_settings_say_what_is_allowed(name: str, options: dict[str, object]) -> None:
    with pytest.raises(RequestError, match=next(iter(options))):
        tasks.configure(name, options)
