"""What every task must keep, on rendered videos whose facts are known. One subclass of `TaskContract` per task.

    class TestJigsaw(TaskContract):
        name = "jigsaw"

        def corruptions(self, sample): ...   # answers that are wrong in exactly one way
        def replies(self, sample): ...       # every valid answer, or None where there are too many
        def guess(self, sample, rng): ...    # one valid answer, evenly drawn; used where `replies` gives None
        def solve(self, sample, world): ...  # the answer from the world's facts (see `World.recognise`)

`world_set` (tests/tasks/conftest.py) gives the videos: two of every kind of scene at the world's default settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym import tasks, world
from reelgym.data.dataset import Source, read_dataset, sample_to_row, write_dataset
from reelgym.data.media import Media
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.errors import MediaError
from reelgym.tasks.base import Task
from reelgym.video import Frames, FrameSpec, Store, Video, auto_fps, probe, write_mp4
from reelgym.world import Facts, Track

SMALL: dict[str, Any] = {"short_side": 56}
"""Prompts show smaller pictures than by default, for speed."""

SIGMAS = 4.5
"""A simulated mean may stray this many standard errors from the stated chance."""

VIDEO = Video(
    path="v.mp4",
    identity="full:v",
    size_bytes=1,
    duration_seconds=60.0,
    height=72,
    width=128,
    frame_rate=25.0,
    rotation=0,
    codec="h264",
    start_seconds=0.0,
)


class World:
    """Rendered videos, their facts, and a perfect eye."""

    def __init__(self, videos: Mapping[str, Facts], folder: Path) -> None:
        """Take {path: facts} and a folder for decoded frames."""
        self.videos = [probe(path) for path in videos]
        self.facts = {video.identity: videos[video.path] for video in self.videos}
        self.store = Store(folder)
        self.media = Media(self.store, {video.identity: video.path for video in self.videos})
        self._states: dict[str, list[tuple[Any, ...]]] = {}

    def frames(self, video: Video, spec: FrameSpec) -> Frames:
        """Return the video's frames, decoded once."""
        return self.store.frames(video.identity, video.path, spec)

    def samples(self, task: Task, *, count: int, seed: int = 0, split: Any = "train") -> list[Sample]:
        """Return `count` samples per video at the rate that `synth` would take; a video that gives none is skipped."""
        found: list[Sample] = []
        for video in self.videos:
            frames = self.frames(video, task.spec(self.rate(task, video)))
            try:
                found += task.generate(video, frames, seed=seed, split=split, count=count)
            except MediaError as error:
                assert error.boundary == "task"
        return found

    def rate(self, task: Task, video: Video) -> float:
        """Return the task's own rate, or what `--fps auto` makes of it."""
        own = getattr(task.config, "fps", "auto")
        return float(auto_fps(video.duration_seconds, task.wanted_frames()) if own == "auto" else own)

    def recognise(self, sample: Sample) -> list[list[float]]:
        """Return for every image and clip of the prompt when its frames were, found by what is where in them.

        Frame states are compared with the facts of the whole video, so a frame that looks like another one at another
        time may be taken for it: what a solver with perfect sight and the facts at hand would say.
        """
        return [self._when(part) for m in sample.messages for part in m.parts if not isinstance(part, Text)]

    def _when(self, part: Image | Clip) -> list[float]:
        facts = self.facts[part.video]
        timeline = self._timeline(part.video)
        times = (part.time,) if isinstance(part, Image) else part.times
        possible = [_places(timeline, timeline[facts.frame_at(time)]) for time in times]
        sure = [places[0] for places in possible if len(places) == 1] or possible[0][:1]
        middle = sum(sure) / len(sure)
        return [min(places, key=lambda k: abs(k - middle)) / facts.fps for places in possible]

    def _timeline(self, identity: str) -> list[tuple[Any, ...]]:
        if identity not in self._states:
            tracks = self.facts[identity].tracks
            columns = [column for name in sorted(tracks) for column in (tracks[name].x, tracks[name].y)]
            self._states[identity] = [tuple(round(v, 3) for v in state) for state in zip(*columns, strict=True)]
        return self._states[identity]


def _places(timeline: list[tuple[Any, ...]], state: tuple[Any, ...]) -> list[int]:
    return [place for place, other in enumerate(timeline) if other == state]


def moving_frames(task: Task, count: int, *, fps: float, seed: int = 0) -> Frames:
    """Return frames of random blocks at the task's own spec: any two differ plainly."""
    return _frames(task, np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8), fps)


def static_frames(task: Task, count: int, *, fps: float) -> Frames:
    """Return the same picture `count` times."""
    return _frames(task, np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype(np.uint8).repeat(count, 0), fps)


def _frames(task: Task, blocks: np.ndarray, fps: float) -> Frames:
    spec = task.spec(fps)
    short = spec.short_side or 64
    height, width = spec.size or (short, short * VIDEO.width // VIDEO.height)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return Frames(blocks[:, rows][:, :, columns], np.arange(len(blocks)) / fps, spec)


GARBAGE = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="0123456789,.-> <>/abcdefnswr%:\n", max_size=40),
    st.lists(st.sampled_from(["<answer>", "</answer>", "<think>", "1", "2", ", ", "forward", "9" * 30, "\x00"])).map(
        "".join
    ),
)


class TaskContract:
    """The tests; a subclass sets `name` and the four methods, and whatever else is not as usual."""

    name: ClassVar[str] = ""
    options: ClassVar[dict[str, Any]] = {}
    """Settings of the task under test; `SMALL` comes below them."""
    per_video: ClassVar[int] = 3
    refuses_static: ClassVar[bool] = True
    """Whether a video that never changes gives no sample (False for tasks about single images)."""
    shortest: ClassVar[int] = 2
    """A video of this many frames is too short; 0 where none is."""
    guesses: ClassVar[int] = 600
    """Simulated answers per sample, where valid answers are too many to list."""
    rewards: ClassVar[tuple[str, ...]] = ("strict", "smooth")

    def corruptions(self, sample: Sample) -> Iterable[str]:
        """Return answers that are wrong in exactly one way."""
        raise NotImplementedError

    def replies(self, sample: Sample) -> Iterable[str] | None:
        """Return every valid answer, or None where they are too many."""
        return None

    def guess(self, sample: Sample, rng: np.random.Generator) -> str:
        """Return one valid answer, evenly drawn."""
        raise NotImplementedError

    def solve(self, sample: Sample, world: World) -> str:
        """Return the answer from the world's facts."""
        raise NotImplementedError

    def settings_of(self, **more: Any) -> dict[str, Any]:
        """Return the settings under test with more of them."""
        return SMALL | dict(self.options) | more

    @cached_property
    def task(self) -> Task:
        """The task under test."""
        return tasks.configure(self.name, self.settings_of())

    @pytest.fixture
    def samples(self, world_set: World) -> list[Sample]:
        """A few samples of every world video, made once per class."""
        kept: dict[int, list[Sample]] = type(self).__dict__.get("_made") or {}
        if id(world_set) not in kept:
            kept = {id(world_set): world_set.samples(self.task, count=self.per_video)}
            type(self)._made = kept  # type: ignore[attr-defined]
        assert kept[id(world_set)], f"no world video gave a sample of {self.name}"
        return kept[id(world_set)]

    def test_a_gold_reply_scores_1_in_every_form(self, samples: list[Sample]) -> None:
        scorer = tasks.get(self.name)
        for sample in samples:
            gold = scorer.gold(sample)
            for reply in (gold, f"<observation>o</observation><think>1 2</think><answer>{gold}</answer>"):
                score = scorer.score(reply, sample)
                assert score.valid and score.value == 1.0, (reply, score)
                assert all(score.parts[part] == 1.0 for part in self.rewards)

    def test_each_single_corruption_scores_less_under_both_rewards(self, samples: list[Sample]) -> None:
        scorer = tasks.get(self.name)
        for sample in samples[:12]:
            corrupted = list(self.corruptions(sample))
            assert corrupted and scorer.gold(sample) not in corrupted
            for reply in corrupted:
                score = scorer.score(reply, sample)
                assert score.valid, (reply, sample.answer)
                assert all(score.parts[part] < 1.0 for part in ("value", *self.rewards) if part in score.parts)
                assert score.value < 1.0

    def test_the_setting_reward_decides_the_value(self, world_set: World) -> None:
        for reward in self.rewards:
            task = tasks.configure(self.name, self.settings_of(reward=reward))
            sample = next(iter(world_set.samples(task, count=1)))
            for reply in (task.gold(sample), *list(self.corruptions(sample))[:4]):
                score = tasks.get(self.name).score(reply, sample)
                assert score.value == score.parts[reward]
            assert task.chance(sample)["value"] == task.chance(sample)[reward]

    def test_chance_is_the_mean_over_all_valid_answers(self, samples: list[Sample]) -> None:
        scorer = tasks.get(self.name)
        for sample in samples[:3]:
            listed = self.replies(sample)
            if listed is None:
                self._simulate(scorer, sample)
                continue
            scores = [scorer.score(reply, sample) for reply in listed]
            assert all(score.valid for score in scores)
            for part, chance in scorer.chance(sample).items():
                mean = math.fsum(s.value if part == "value" else s.parts[part] for s in scores) / len(scores)
                assert mean == pytest.approx(chance, abs=1e-9), part

    def _simulate(self, scorer: Task, sample: Sample) -> None:
        rng = np.random.default_rng(7)
        scores = [scorer.score(self.guess(sample, rng), sample) for _ in range(self.guesses)]
        assert all(score.valid for score in scores)
        for part, chance in scorer.chance(sample).items():
            drawn = np.array([s.value if part == "value" else s.parts[part] for s in scores])
            # Of an event never seen in n draws the rate may still be a few over n.
            slack = SIGMAS * drawn.std() / math.sqrt(len(drawn)) + 10 * np.ptp(drawn) / len(drawn)
            rare = 10 / len(drawn) if np.ptp(drawn) == 0 else 0.0
            assert abs(drawn.mean() - chance) <= slack + rare + 1e-9, (part, drawn.mean(), chance)

    def test_chance_and_score_name_the_same_parts(self, samples: list[Sample]) -> None:
        scorer = tasks.get(self.name)
        for sample in samples:
            parts, chance = scorer.score(scorer.gold(sample), sample).parts, scorer.chance(sample)
            assert set(chance) == {*parts, "value"}
            assert set(scorer.score("?!", sample).parts) <= set(parts)
            assert all(math.isfinite(value) for value in chance.values()) and 0 <= chance["value"] < 1
            raw = {name: v for name, v in parts.items() if not name.endswith("_corrected")}
            assert all(0 <= value <= 1 for value in raw.values())

    def test_a_solver_that_reads_the_facts_scores_95_percent(self, samples: list[Sample], world_set: World) -> None:
        scorer = tasks.get(self.name)
        values = [scorer.score(self.solve(sample, world_set), sample).value for sample in samples]
        assert np.mean(values) >= 0.95, values

    def test_no_baseline_goes_half_of_the_way_from_chance_to_1(self, samples: list[Sample], world_set: World) -> None:
        rows = baseline_values(samples, world_set)
        chance = float(np.mean([tasks.get(self.name).chance(sample)["value"] for sample in samples]))
        assert rows
        for name, values in rows.items():
            print(f"{self.name}: chance {chance:.3f}, {name} {np.mean(values):.3f} of {len(values)}")
            assert len(values) == len(samples)
            assert np.mean(values) <= (1 + chance) / 2, name

    def test_no_reply_raises(self, samples: list[Sample]) -> None:
        scorer = tasks.get(self.name)

        # Inside, since Hypothesis takes a test that several classes inherit for one run by different executors.
        @settings(max_examples=40, database=None)
        @given(reply=GARBAGE)
        def hold(reply: str) -> None:
            for sample in samples[:2]:
                score = scorer.score(reply, sample)
                assert 0 <= score.value <= 1
                assert score.valid or (score.value == 0 and score.parsed is None)

        hold()

    def test_the_same_seed_gives_the_same_bytes_and_another_seed_or_split_others(self, world_set: World) -> None:
        first, again, other, side = (
            [sample_to_row(s) for s in world_set.samples(tasks.configure(self.name, self.settings_of()), **asked)]
            for asked in (
                {"count": 2},
                {"count": 2},
                {"count": 2, "seed": 1},
                {"count": 2, "split": "test"},
            )
        )
        assert first == again
        for changed in (other, side):
            assert not {row["id"] for row in first} & {row["id"] for row in changed}
            assert [row["messages"] + row["answer"] for row in first] != [
                row["messages"] + row["answer"] for row in changed
            ]

    def test_asking_for_more_samples_keeps_the_first_ones(self, world_set: World, samples: list[Sample]) -> None:
        fewer = {sample_to_row(sample)["id"]: sample for sample in world_set.samples(self.task, count=1)}
        made = {sample.id: sample for sample in samples}
        assert all(made[name] == sample for name, sample in fewer.items())

    def test_ids_are_unique_and_media_are_named_at_an_exact_size(self, samples: list[Sample]) -> None:
        assert len({sample.id for sample in samples}) == len(samples)
        for sample in samples:
            assert sample.task == self.name and sample.provenance["source"]
            media = [part for m in sample.messages for part in m.parts if not isinstance(part, Text)]
            assert media and all(part.spec.size is not None for part in media)

    def test_a_static_or_too_short_video_is_refused_with_a_reason(self) -> None:
        refused = [static_frames(self.task, 240, fps=4.0)] if self.refuses_static else []
        refused += [moving_frames(self.task, self.shortest, fps=4.0)] if self.shortest else []
        for frames in refused:
            with pytest.raises(MediaError) as caught:
                list(self.task.generate(VIDEO, frames, seed=0, split="train", count=3))
            assert caught.value.boundary == "task" and caught.value.reason

    def test_samples_survive_a_dataset_on_disk(self, samples: list[Sample], tmp_path: Path) -> None:
        known = {sample.source for sample in samples}
        sources = [
            Source(
                identity=identity,
                path=identity[-8:],
                split="train",
                size_bytes=1,
                duration_seconds=1.0,
                height=1,
                width=1,
                frame_rate=1.0,
                codec="h264",
            )
            for identity in sorted(known)
        ]
        write_dataset(tmp_path / "d", samples, sources)
        assert list(read_dataset(tmp_path / "d").samples) == samples


def baseline_values(samples: list[Sample], world: World) -> dict[str, list[float]]:
    """Return the value of every baseline's reply, by name, one per sample."""
    found: dict[str, list[float]] = {}
    for sample in samples:
        task = tasks.get(sample.task)
        for name, reply in task.baselines(sample, world.media).items():
            found.setdefault(name, []).append(task.score(reply, sample).value)
    return found


def swapped(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Yield the sequence with two neighbours exchanged, for every pair of neighbours."""
    row = list(numbers)
    for place in range(len(row) - 1):
        yield [*row[:place], row[place + 1], row[place], *row[place + 2 :]]


def without_media(sample: Sample) -> Sample:
    """Return the sample with its texts only."""
    texts = (tuple(part for part in m.parts if isinstance(part, Text)) for m in sample.messages)
    return replace(sample, messages=tuple(replace(m, parts=t) for m, t in zip(sample.messages, texts, strict=True)))


def cross_cut(folder: Path, *, videos: int, side: int = 112) -> World:
    """Return videos that cut to and fro between two scenes of the world at its default settings, and their facts.

    Both scenes go on while the other is shown. What is not shown stands outside the picture, unseen.
    """
    made: dict[str, Facts] = {}
    kinds = sorted(world.kinds())
    for number in range(videos):
        one, *others = (
            world.render(kinds[(number + k) % len(kinds)], 100 * number + k, seconds=24.0, fps=8, side=side)
            for k in range(8)
        )
        first = _ground(one)
        # Scenes on boards of the same colour would make cuts that nobody could see.
        pair = [one, max(others, key=lambda scene: float(np.abs(_ground(scene) - first).mean()))]
        shots = np.random.default_rng(number).integers(16, 33, 20).cumsum()
        on = np.searchsorted(shots, np.arange(pair[0].facts.frames), side="right") % 2
        path = str(folder / f"cut-{number}.mp4")
        write_mp4(
            path,
            (both[which] for which, both in zip(on, zip(*(s.frames() for s in pair), strict=True), strict=True)),
            8,
        )
        made[path] = _joined([scene.facts for scene in pair], on)
    return World(made, folder / "frames")


def _ground(scene: world.Scene) -> np.ndarray:
    return next(scene.frames()).astype(float).mean(axis=(0, 1))


def _joined(facts: list[Facts], on: np.ndarray) -> Facts:
    things, tracks = [], {}
    for number, one in enumerate(facts):
        shown = (on == number).tolist()
        for thing in one.things:
            track, name = one.tracks[thing.name], f"{number} {thing.name}"
            things.append(replace(thing, name=name))
            tracks[name] = Track(
                x=tuple(x if seen else -1.0 for x, seen in zip(track.x, shown, strict=True)),
                y=tuple(y if seen else -1.0 for y, seen in zip(track.y, shown, strict=True)),
                visible=tuple(v and seen for v, seen in zip(track.visible, shown, strict=True)),
            )
    return replace(facts[0], focus=things[0].name, things=tuple(things), tracks=tracks, events=())
