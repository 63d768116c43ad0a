from __future__ import annotations

from dataclasses import replace

import pytest
from evaluation_samples import SPEC, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym.data.messages import GREY, Clip, Image, Message, Text, to_json
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation import probes
from reelgym.video.types import FrameSpec


def parts(given_sample: Sample, kind: type) -> list:
    return [part for message in given_sample.messages for part in message.parts if isinstance(part, kind)]


def test_blind_greys_every_frame_and_nothing_else() -> None:
    plain = sample(0)
    blind = probes.blind(plain)
    assert {part.video for part in parts(blind, Image) + parts(blind, Clip)} == {GREY}
    restored = tuple(
        Message(m.role, tuple(p if isinstance(p, Text) else replace(p, video=plain.source) for p in m.parts))
        for m in blind.messages
    )
    assert replace(blind, messages=restored) == plain


def test_blind_refuses_media_without_a_size() -> None:
    bare = replace(sample(0), messages=(Message("user", (Image(video="full:a", spec=FrameSpec(fps=1.0), time=0.0),)),))
    with pytest.raises(RequestError, match="mvp-000 shows media without a size"):
        probes.blind(bare)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(0, 5))
def test_shuffled_context_moves_frames_between_the_clips_and_keeps_the_times_told(index: int, seed: int) -> None:
    plain = sample(index)
    before, after = parts(plain, Clip), parts(probes.shuffled_context(plain, seed), Clip)
    flat = [[time for clip in clips for time in clip.times] for clips in (before, after)]
    assert sorted(flat[1]) == flat[0] and flat[1] != flat[0]
    assert [len(clip.times) for clip in after] == [len(clip.times) for clip in before]
    assert [clip.shown_seconds for clip in after] == [clip.times for clip in before]


def test_shuffled_context_keeps_everything_but_the_clips() -> None:
    plain, shuffled = sample(3), probes.shuffled_context(sample(3), 1)
    assert parts(shuffled, Image) == parts(plain, Image)
    assert parts(shuffled, Text) == parts(plain, Text)
    assert (shuffled.id, shuffled.answer, shuffled.evidence) == (plain.id, plain.answer, plain.evidence)


def test_shuffled_context_repeats_by_seed_and_differs_between_samples() -> None:
    orders = {to_json(probes.shuffled_context(sample(i, videos=1), 0).messages).__repr__() for i in range(12)}
    assert len(orders) > 6
    assert probes.shuffled_context(sample(1), 4) == probes.shuffled_context(sample(1), 4)


def clips_only(*clips: Clip) -> Sample:
    return replace(sample(0), messages=(Message("user", clips),))


def test_frames_that_are_all_the_same_stay() -> None:
    same = clips_only(Clip(video="full:a", spec=SPEC, times=(1.0, 1.0)))
    assert parts(probes.shuffled_context(same, 0), Clip)[0].times == (1.0, 1.0)


def test_two_frames_always_change_places() -> None:
    two = clips_only(Clip(video="full:a", spec=SPEC, times=(1.0,)), Clip(video="full:a", spec=SPEC, times=(2.0,)))
    for seed in range(8):
        assert [clip.times for clip in parts(probes.shuffled_context(two, seed), Clip)] == [(2.0,), (1.0,)]


def test_frames_never_move_to_a_clip_of_another_video_or_size() -> None:
    larger = SPEC.resized((56, 56))
    mixed = clips_only(
        Clip(video="full:a", spec=SPEC, times=(1.0, 2.0)),
        Clip(video="full:b", spec=SPEC, times=(3.0, 4.0)),
        Clip(video="full:a", spec=larger, times=(5.0, 6.0)),
    )
    times = [clip.times for clip in parts(probes.shuffled_context(mixed, 0), Clip)]
    assert times == [(2.0, 1.0), (4.0, 3.0), (6.0, 5.0)]


def test_clips_cut_by_explicit_times_get_a_spec_that_holds_all_of_them() -> None:
    first, second = (FrameSpec(times=times, size=(28, 28)) for times in ((0.0, 1.0), (4.0,)))
    cut = clips_only(
        Clip(video="full:a", spec=first, times=(0.0, 1.0)), Clip(video="full:a", spec=second, times=(4.0,))
    )
    for clip in parts(probes.shuffled_context(cut, 2), Clip):
        assert set(clip.times) <= set(clip.spec.times) == {0.0, 1.0, 4.0}


def test_told_times_that_are_there_already_stay() -> None:
    told = clips_only(Clip(video="full:a", spec=SPEC, times=(1.0, 2.0), shown_seconds=(7.0, 9.0)))
    assert parts(probes.shuffled_context(told, 0), Clip)[0].shown_seconds == (7.0, 9.0)


def test_probes_are_found_by_name_and_a_wrong_name_lists_them() -> None:
    assert probes.get("blind") is probes.blind
    with pytest.raises(RequestError, match="did you mean 'shuffled_context'"):
        probes.get("shuffled")
