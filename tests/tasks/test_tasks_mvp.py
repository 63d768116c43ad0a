"""Masked video prediction: the construction, the answer key, the score, the shortcuts."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym import tasks
from reelgym.data.dataset import sample_from_row, sample_to_row
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.errors import MediaError, RequestError
from reelgym.tasks.chains import smoothest
from reelgym.tasks.mvp import KAPPAS, MVP, MVPConfig
from reelgym.tasks.shown import model_size
from reelgym.video import Frames, FrameSpec, GridDescriptor, Video, deduplicate

VIDEO = Video(
    path="v.mp4",
    identity="full:v",
    size_bytes=1,
    duration_seconds=60.0,
    height=720,
    width=1280,
    frame_rate=25.0,
    rotation=0,
    codec="h264",
    start_seconds=0.0,
)
SMALL = MVPConfig(frames=8, hidden=3, distractors=2, margin=0, short_side=28)


def film(count: int, seed: int = 0, fps: float = 1.0) -> Frames:
    """Frames of random blocks: any two differ plainly."""
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)
    return Frames(blocks.repeat(8, 1).repeat(8, 2), np.arange(count) / fps, FrameSpec(fps=fps, short_side=48))


def sweep(count: int) -> Frames:
    """A bright bar that moves steadily: neighbours in time are neighbours in looks."""
    pixels = np.zeros((count, 48, 48, 3), np.uint8)
    for place in range(count):
        pixels[place, :, place * 40 // count : place * 40 // count + 12] = 255
    return Frames(pixels, np.arange(count, dtype=float), FrameSpec(fps=1.0, short_side=48))


def made(config: MVPConfig, frames: Frames, *, count: int = 8, seed: int = 0, split: str = "train") -> list[Sample]:
    return list(MVP(config).generate(VIDEO, frames, seed=seed, split=split, count=count))  # type: ignore[arg-type]


def media_of(frames: Frames):  # type: ignore[no-untyped-def]
    return lambda part: frames.pick((part.time,) if isinstance(part, Image) else part.times)


@st.composite
def configs(draw: st.DrawFn) -> MVPConfig:
    hidden, distractors = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    before, after = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return MVPConfig(
        frames=hidden + before + after + draw(st.integers(0, 4)),
        hidden=hidden,
        distractors=distractors,
        min_before=before,
        min_after=after,
        margin=draw(st.integers(0, 2)),
        against=draw(st.sampled_from(["last", "all"])),
        decoys=draw(st.sampled_from(["scattered", "run"])),
        short_side=28,
    )


@settings(deadline=None, max_examples=60)
@given(configs(), st.integers(0, 1000))
def test_every_puzzle_is_built_as_described(config: MVPConfig, seed: int) -> None:
    frames = film(40, seed)
    samples = made(config, frames, seed=seed, count=3)
    assert 1 <= len(samples) <= 3
    for sample in samples:
        hidden, pool = sample.evidence["hidden_times"], sample.evidence["candidate_times"]
        before, after = sample.evidence["context_times"]
        wrong = sorted(set(pool) - set(hidden))
        assert [pool[index - 1] for index in sample.answer] == hidden == sorted(hidden)
        assert len(hidden) == config.hidden and len(wrong) == config.distractors
        assert len(before) + len(after) + len(hidden) == config.frames
        assert len(before) >= config.min_before and len(after) >= config.min_after
        shown = [*before, *after, *pool]
        assert len(set(shown)) == len(shown) == config.frames + config.distractors
        assert before == sorted(before) and after == sorted(after)
        # The hidden run is continuous: between the frames beside the gap lie only it and the margins (all differ here).
        assert hidden == [hidden[0] + step for step in range(config.hidden)]
        assert hidden[0] - before[-1] == after[0] - hidden[-1] == config.margin + 1
        assert not any(before[-1] <= time <= after[0] for time in wrong)
        if config.decoys == "run":
            assert wrong == [wrong[0] + step for step in range(config.distractors)]


def test_the_prompt_shows_context_with_times_and_candidates_without() -> None:
    sample = made(SMALL, film(20))[0]
    parts = sample.messages[0].parts
    clips = [part for part in parts if isinstance(part, Clip)]
    images = [part for part in parts if isinstance(part, Image)]
    assert [list(clip.times) for clip in clips] == sample.evidence["context_times"]
    assert [image.time for image in images] == sample.evidence["candidate_times"]
    assert {part.spec for part in (*clips, *images)} == {FrameSpec(fps=1.0, size=(28, 56))}
    assert {part.video for part in (*clips, *images)} == {VIDEO.identity}
    for number, image in enumerate(images, 1):
        assert parts[parts.index(image) - 1] == Text(f"\nCandidate {number}: ")
    words = " ".join(part.text for part in parts if isinstance(part, Text)).split()
    assert len(words) <= 60
    before, after = sample.evidence["context_times"]
    assert parts[0] == Text(f"Before the gap, {before[0]:.1f} to {before[-1]:.1f} s:\n")
    assert parts[2] == Text(f"\nAfter the gap, {after[0]:.1f} to {after[-1]:.1f} s:\n")


def test_the_same_seed_gives_the_same_samples_and_another_seed_or_split_others() -> None:
    first = [sample_to_row(sample) for sample in made(SMALL, film(30))]
    assert [sample_to_row(sample) for sample in made(SMALL, film(30))] == first
    assert len({row["id"] for row in first}) == len(first) == 8
    for other in (made(SMALL, film(30), seed=1), made(SMALL, film(30), split="test")):
        assert not {sample.id for sample in other} & {row["id"] for row in first}
        assert [sample.evidence for sample in other] != [sample_from_row(row).evidence for row in first]
    assert [sample_from_row(row) for row in first] == made(SMALL, film(30))


def test_asking_for_more_samples_keeps_the_first_ones() -> None:
    assert made(SMALL, film(30), count=5)[:2] == made(SMALL, film(30), count=2)


def test_no_question_is_asked_twice_of_one_video() -> None:
    config = MVPConfig(frames=4, hidden=1, distractors=1, min_before=1, min_after=1, margin=0)
    # 5 distinct frames, all shown or asked: few puzzles exist, and none comes twice.
    keys = [
        (*sample.evidence["hidden_times"], *sorted(sample.evidence["candidate_times"]))
        for sample in made(config, film(5), count=60)
    ]
    assert len(keys) == len(set(keys)) < 60


def test_frames_shown_twice_are_taken_once() -> None:
    frames = film(20)
    held = Frames(frames.pixels.repeat(3, 0), frames.times.repeat(3), frames.spec)
    plain = made(SMALL, frames)
    assert [s.evidence for s in made(SMALL, held)] == [s.evidence for s in plain]


def test_a_view_that_comes_back_is_shown_once_only_when_compared_with_all_kept_frames() -> None:
    one = film(14)
    twice = Frames(np.concatenate([one.pixels, one.pixels]), np.arange(28.0), one.spec)
    for sample in made(replace(SMALL, kappa=0.9, against="all"), twice):
        shown = [*chain(*sample.evidence["context_times"]), *sample.evidence["candidate_times"]]
        assert len({time % 14 for time in shown}) == len(shown)
    kept = deduplicate(GridDescriptor().describe(twice.pixels), 0.9, against="last")
    assert len(kept) == 28  # the paper's rule keeps both


def test_no_candidate_looks_like_another_or_like_the_context_even_where_the_context_repeats_itself() -> None:
    one = film(14)
    twice = Frames(np.concatenate([one.pixels, one.pixels]), np.arange(28.0), one.spec)
    samples = made(replace(SMALL, frames=16, kappa=0.9, against="last"), twice, count=20)
    assert samples
    repeats = 0
    for sample in samples:
        pool = [time % 14 for time in sample.evidence["candidate_times"]]
        context = [time % 14 for time in chain(*sample.evidence["context_times"])]
        assert len(set(pool)) == len(pool) and not set(pool) & set(context)
        repeats += len(context) - len(set(context))
    assert repeats  # else this would hold by itself


def test_a_gap_that_no_puzzle_keeps_is_a_reason() -> None:
    with pytest.raises(MediaError, match=r"v\.mp4: task: no puzzle keeps the gap of 0\.99"):
        made(replace(SMALL, kappa=0.999, gap=0.99), sweep(40))


def test_distractors_come_from_the_neighbourhood() -> None:
    for sample in made(replace(SMALL, neighbourhood_seconds=4.0), film(40), count=20):
        first, last = sample.evidence["hidden_times"][0], sample.evidence["hidden_times"][-1]
        assert all(first - 4 <= time <= last + 4 for time in sample.evidence["candidate_times"])


def test_the_automatic_threshold_is_the_strictest_that_leaves_a_window() -> None:
    frames, config = sweep(40), replace(SMALL, frames=20)
    kappa = made(config, frames)[0].provenance["kappa"]
    rows = GridDescriptor().describe(frames.pixels)
    enough = [k for k in KAPPAS if len(deduplicate(rows, k, against="all")) >= config.window]
    assert kappa == enough[0] > KAPPAS[0]
    assert made(replace(SMALL, kappa=0.995), frames)[0].provenance["kappa"] == 0.995


@pytest.mark.parametrize(
    ("seconds", "frame_rate", "told"),
    [
        (9.0, 25.0, "too short: 9 frames at 1 fps, a puzzle takes 10; --fps auto reads it at 4"),
        (1.0, 25.0, "too short: 9 frames at 1 fps, a puzzle takes 10"),  # Eight a second are too few as well.
        (9.0, 1.0, "too short: 9 frames at 1 fps, a puzzle takes 10"),  # The file has no more of them.
    ],
)
def test_a_short_video_is_told_of_fps_auto_where_that_helps(seconds: float, frame_rate: float, told: str) -> None:
    video = replace(VIDEO, duration_seconds=seconds, frame_rate=frame_rate)
    with pytest.raises(MediaError) as caught:
        list(MVP(SMALL).generate(video, film(9), seed=0, split="train", count=1))
    assert caught.value.reason == told


def test_short_and_static_videos_are_left_out_with_their_reason() -> None:
    assert SMALL.window == 10
    with pytest.raises(MediaError, match="task: too short: 9 frames at 1 fps, a puzzle takes 10"):
        made(SMALL, film(9))
    still = Frames(np.full((30, 48, 48, 3), 90, np.uint8), np.arange(30.0), FrameSpec(fps=1.0))
    with pytest.raises(MediaError, match="task: static: 1 of 30 frames differ"):
        made(SMALL, still)
    nine = film(9)
    held = Frames(nine.pixels.repeat(3, 0), np.arange(27.0), nine.spec)
    with pytest.raises(MediaError, match="task: static: 9 of 27 frames differ"):
        made(SMALL, held)
    assert made(SMALL, film(10))


def test_starts_and_gaps_vary() -> None:
    samples = made(SMALL, film(60), count=30)
    assert len({sample.evidence["context_times"][0][0] for sample in samples}) > 10
    assert len({len(sample.evidence["context_times"][0]) for sample in samples}) == 2  # 2 or 3 of the 5 come before
    assert len({tuple(sample.answer) for sample in samples}) > 10


# Scores


@pytest.fixture(scope="module")
def sample() -> Sample:
    return made(SMALL, film(20))[0]


def test_the_gold_reply_scores_one_and_every_other_valid_one_less(sample: Sample) -> None:
    task = tasks.get("mvp")
    gold = task.score(task.gold(sample), sample)
    assert gold.value == 1 and gold.valid and gold.parsed == tuple(sample.answer)
    assert all(value == pytest.approx(1) for value in gold.parts.values())
    for reply in permutations(range(1, 6), 3):
        score = task.score(f"<think>x</think><answer>{list(reply)}</answer>", sample)
        assert score.valid and score.parsed == reply
        assert (score.value == 1) == (reply == tuple(sample.answer))
        assert 0 <= score.value <= 1


@pytest.mark.parametrize(
    "reply", ["", "1, 2", "1, 1, 2", "1, 2, 9", "no idea", "<think>1, 2, 3</think>", "<answer>1, 2"]
)
def test_an_invalid_reply_scores_nothing_and_less_than_a_guess(sample: Sample, reply: str) -> None:
    score = tasks.get("mvp").score(reply, sample)
    chance = tasks.get("mvp").chance(sample)
    assert (score.valid, score.parsed, score.value) == (False, None, 0.0)
    for name, value in score.parts.items():
        if name.endswith("_corrected"):
            base = chance[name.removesuffix("_corrected")]
            assert value == pytest.approx(-base / (1 - base))
        else:
            assert value == 0.0


def test_chance_is_the_mean_of_the_scores_of_all_valid_replies(sample: Sample) -> None:
    task = tasks.get("mvp")
    scores = [task.score(str(reply), sample) for reply in permutations(range(1, 6), 3)]
    chance = task.chance(sample)
    assert set(chance) == {*scores[0].parts, "value"}
    assert chance["value"] == pytest.approx(sum(score.value for score in scores) / 60)
    for name in scores[0].parts:
        assert chance[name] == pytest.approx(sum(score.parts[name] for score in scores) / 60, abs=1e-12)


def test_renumbering_the_candidates_renumbers_the_answer_and_keeps_its_score(sample: Sample) -> None:
    turned = replace(sample, answer=[6 - index for index in sample.answer])
    task = tasks.get("mvp")
    for reply in ((1, 2, 3), (5, 1, 4), tuple(sample.answer)):
        moved = [6 - index for index in reply]
        assert task.score(str(moved), turned).parts == task.score(str(reply), sample).parts


def test_a_task_with_default_settings_scores_any_sample() -> None:
    sample = made(MVPConfig(frames=6, hidden=2, distractors=4, min_before=1, min_after=1, margin=0), film(20))[0]
    assert tasks.get("mvp").score(", ".join(map(str, sample.answer)), sample).value == 1


# Shortcuts


def test_similarity_solves_a_steady_sweep_and_not_random_frames() -> None:
    task = MVP(SMALL)

    def exact(frames: Frames, name: str) -> float:
        samples = made(SMALL, frames, count=20)
        scores = [task.score(task.baselines(s, media_of(frames))[name], s) for s in samples]
        assert all(score.valid for score in scores)
        return sum(score.parts["exact"] for score in scores) / len(scores)

    assert exact(sweep(40), "order_by_similarity") > 0.9
    assert exact(film(40), "order_by_similarity") < 0.4
    # Without the context the direction is a coin's.
    assert exact(sweep(40), "context_free") < 0.8


def test_the_smoothest_chain_is_the_best_of_all_and_the_smaller_direction_wins() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = rng.normal(size=(5, 4))
        among, first, last = rows @ rows.T, rng.normal(size=5), rng.normal(size=5)
        every = list(permutations(range(5), 3))
        worth = [first[a] + among[a, b] + among[b, c] + last[c] for a, b, c in every]
        assert smoothest(among, 3, first, last) == every[int(np.argmax(worth))]
        free = smoothest(among, 3)
        assert free[0] < free[-1]
    assert smoothest(np.ones((4, 4)), 2) == (0, 1)


# Settings


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hidden": 0}, "hidden=0, distractors=3: hide at least 1"),
        ({"hidden": 1, "distractors": 0}, "pool of 2 to 12"),
        ({"hidden": 7, "distractors": 6}, "pool of 2 to 12"),
        ({"frames": 6}, r"frames=6 is less than hidden \+ min_before \+ min_after = 7"),
        ({"min_after": 0}, "context needs at least 1 frame on each side"),
        ({"kappa": 1.5}, r"kappa=1.5 is outside \(0, 1\]"),
        ({"gap": -1}, r"gap=-1 is outside \[0, 1\)"),
        ({"against": "none"}, "against='none'"),
        ({"decoys": "none"}, "decoys='none'"),
        ({"frames": "many"}, "settings of task mvp"),
        ({"distractor": 2}, "unknown setting of task mvp 'distractor'; did you mean 'distractors'"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        tasks.configure("mvp", wrong)


def test_tasks_are_found_by_name() -> None:
    assert "mvp" in tasks.names()
    assert tasks.configure("mvp", {"size": [28, 56]}).config.size == (28, 56)
    with pytest.raises(RequestError, match="unknown task 'mpv'; did you mean 'mvp'"):
        tasks.get("mpv")


@given(st.integers(28, 4000), st.integers(28, 4000), st.sampled_from([None, 28, 56, 224]), st.sampled_from([28, 32]))
def test_model_sizes_are_multiples_within_the_largest_area(
    height: int, width: int, short_side: int | None, multiple: int
) -> None:
    high, wide = model_size(height, width, short_side, 128 * 28 * 28, multiple)
    assert high % multiple == wide % multiple == 0
    assert 0 < high * wide <= 128 * 28 * 28
    assert (high - wide) * (height - width) >= 0
