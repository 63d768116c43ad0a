"""What every probe shows and holds for right, by kind of answer, and where it is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation_samples import SPEC, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_questions import OPTIONS, TIMES, choice, every_kind, question

from reelgym import tasks
from reelgym.data.edits import Edit, apply
from reelgym.data.messages import GREY, Clip, Image, Message, Text, to_json
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation import probes
from reelgym.evaluation.probes.base import Among, NoMeaning, clips_of
from reelgym.evaluation.runner import grade
from reelgym.scoring.choice import LETTERS
from reelgym.video.types import FrameSpec


def parts(given_sample: Sample, kind: type) -> list:
    return [part for message in given_sample.messages for part in message.parts if isinstance(part, kind)]


def shown(probe: str, plain: Sample, seed: int = 0, others: tuple[Sample, ...] = ()) -> Sample:
    return probes.get(probe).shown(plain, Among([plain, *others], seed))


OTHER = choice(number=9, video="full:b")


@pytest.mark.parametrize("probe", probes.names())
def test_a_probe_keeps_id_source_facets_and_split_and_repeats(probe: str) -> None:
    for plain in (*every_kind().values(), sample(0)):
        try:
            changed = shown(probe, plain, 3, (OTHER,))
        except NoMeaning:
            continue
        assert changed != plain
        assert (changed.id, changed.source, changed.facets, changed.split) == (
            plain.id,
            plain.source,
            plain.facets,
            plain.split,
        )
        assert changed == shown(probe, plain, 3, (OTHER,))
        assert 0 <= tasks.get(plain.task).chance(changed)["value"] <= 1
        if plain.task == "benchmark":
            assert grade(changed, tasks.get("benchmark").gold(changed)).value == 1.0, "gold is right under every probe"


REFUSED = {
    "blind": "",
    "text_only": "",
    "single_frame": "",
    "shuffled": "",
    "reversed": "",
    "wrong_video": "",
    "option_rotation": "number span spans order labelled-span text puzzle",
    "evidence_only": "number span spans order labelled-span text puzzle",
    "evidence_masked": "number span spans order labelled-span text puzzle",
}


@pytest.mark.parametrize("probe", probes.names())
def test_each_probe_is_defined_or_refused_for_every_kind_of_answer(probe: str) -> None:
    refused = []
    for kind, plain in [*every_kind().items(), ("puzzle", sample(0))]:
        try:
            shown(probe, plain, others=(OTHER,))
        except NoMeaning:
            refused.append(kind.replace(" ", "-"))
    assert " ".join(refused) == REFUSED[probe]


def test_blind_greys_every_frame_and_nothing_else() -> None:
    plain = sample(0)
    blind = shown("blind", plain)
    assert {part.video for part in parts(blind, Image) + parts(blind, Clip)} == {GREY}
    restored = tuple(
        Message(m.role, tuple(p if isinstance(p, Text) else replace(p, video=plain.source) for p in m.parts))
        for m in blind.messages
    )
    assert replace(blind, messages=restored) == plain


def test_text_only_shows_no_media_and_all_text() -> None:
    plain = sample(0)
    bare = shown("text_only", plain)
    assert parts(bare, Text) == parts(plain, Text) and not parts(bare, Clip) + parts(bare, Image)


def test_a_single_frame_is_the_middle_one_with_its_own_time() -> None:
    (clip,) = clips_of(shown("single_frame", choice()))
    assert clip.times == (5.0,) and clip.shown_seconds is None and clip.spec.times == TIMES
    told = question("choice", "A", options=["x", "y"])
    told = replace(told, messages=(Message("user", (replace(clips_of(told)[0], shown_seconds=(4.0, 5.0, 6.0, 9.0)),)),))
    assert clips_of(shown("single_frame", told))[0].shown_seconds == (6.0,)


def test_reversed_runs_backwards_on_a_clock_that_runs_forwards() -> None:
    uneven = Clip(video="full:a", spec=SPEC, times=(0.0, 1.0, 4.0))
    turned = shown("reversed", clips_only(uneven))
    # Spaces of 1 and 3 seconds become 3 and 1, between the same two ends.
    assert clips_of(turned)[0].times == (4.0, 1.0, 0.0) and clips_of(turned)[0].shown_seconds == (0.0, 3.0, 4.0)


def test_reversed_turns_intervals_and_orders_and_leaves_other_answers() -> None:
    kinds = every_kind()
    turned = {kind: shown("reversed", plain) for kind, plain in kinds.items()}
    # Frames at 1 and 7 s: t becomes 8 - t.
    assert turned["span"].evidence["spans"] == [[4.0, 7.0]] and turned["span"].answer is None
    assert turned["labelled span"].answer == [4.0, 7.0]
    assert turned["spans"].evidence["spans"] == [[2.0, 3.0], [6.0, 8.0]]
    assert turned["grounded"].evidence["spans"] == [[0.0, 2.0]] and turned["grounded"].answer == "A"
    # The first right step was shown second of four, so third of four backwards.
    assert turned["order"].answer == [3, 4, 1, 2]
    for kind in ("choice", "number", "text"):
        assert turned[kind].answer == kinds[kind].answer
    assert grade(turned["span"], "4 - 7").value == 1.0 and grade(kinds["span"], "4 - 7").value == 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 8), min_size=2, max_size=8, unique=True), st.floats(0, 7), st.floats(0.1, 8))
def test_reversing_twice_gives_back_frames_and_answers(times: list[float], start: float, length: float) -> None:
    times = sorted(round(time, 3) for time in times)
    if len(set(times)) < 2:
        return
    # The middle of the clock is that of the video, so that nothing is cut off.
    clip = Clip(video="full:a", spec=FrameSpec(times=tuple(times), size=(28, 28)), times=tuple(times))
    seconds = times[0] + times[-1]
    span = [min(start, seconds / 2), min(start + length, seconds)]
    plain = question("span", spans=[span])
    plain = replace(
        plain, messages=(Message("user", (clip,)),), evidence=plain.evidence | {"duration_seconds": seconds}
    )
    twice = shown("reversed", shown("reversed", plain))
    assert clips_of(twice)[0].times == clip.times
    assert np.allclose(clips_of(twice)[0].shown_seconds or (), clip.times, atol=2e-6)
    assert np.allclose(twice.evidence["spans"], [span], atol=1e-5)


def test_wrong_video_keeps_count_size_and_times_told_and_takes_the_frames_of_one_other_video() -> None:
    small = FrameSpec(times=(0.0, 4.0), size=(56, 56))
    other = replace(OTHER, messages=(Message("user", (Clip(video="full:b", spec=small, times=(0.0, 4.0)),)),))
    asked = [choice(number=n) for n in range(3)]
    among = Among([*asked, other])
    found = [clips_of(probes.get("wrong_video").shown(one, among))[0] for one in asked]
    # Two frames spread over four places.
    assert {clip.times for clip in found} == {(0.0, 0.0, 4.0, 4.0)} and found[0].shown_seconds == TIMES
    assert found[0].video == "full:b" and found[0].spec == small.resized((28, 28))
    (back,) = clips_of(probes.get("wrong_video").shown(other, among))
    assert back.times == (3.0, 7.0) and back.video == "full:a"
    with pytest.raises(NoMeaning, match="no other video"):
        probes.get("wrong_video").shown(choice(), Among(asked))


def test_wrong_video_never_shows_its_own_whatever_the_seed() -> None:
    asked = [choice(number=n, video=f"full:{n}") for n in range(5)]
    for seed in range(20):
        among = Among(asked, seed)
        assert all(clips_of(probes.get("wrong_video").shown(one, among))[0].video != one.source for one in asked)


def test_option_rotation_moves_every_option_on_by_a_letter_and_the_answer_with_it() -> None:
    turned = shown("option_rotation", choice("C"))
    assert turned.evidence["options"] == ["a cup", "a cat", "a dog"] and turned.answer == "A"
    assert "A. a cup\nB. a cat\nC. a dog" in parts(turned, Text)[0].text
    assert clips_of(turned) == clips_of(choice("C"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abcde fgh", min_size=1, max_size=9), min_size=2, max_size=6, unique=True), st.data())
def test_rotating_as_often_as_there_are_options_gives_the_question_back(
    options: list[str], data: st.DataObject
) -> None:
    letter = data.draw(st.sampled_from(LETTERS[: len(options)]))
    plain = turned = choice(letter, options=tuple(f"{at}{option}" for at, option in enumerate(options)))
    for _ in options:
        turned = shown("option_rotation", turned)
        kept = turned.evidence["options"][LETTERS.index(turned.answer)]
        assert kept == plain.evidence["options"][LETTERS.index(letter)]
    assert turned == plain


@pytest.mark.parametrize("option", ["All of the above", "Both A and B", "A and C.", "Option A is right", "b or c"])
def test_options_that_speak_of_each_other_are_not_rotated(option: str) -> None:
    with pytest.raises(NoMeaning, match="speaks of others"):
        shown("option_rotation", choice(options=(*OPTIONS, option)))


@pytest.mark.parametrize("option", ["above the table", "none of these", "a band", "an option"])
def test_options_that_only_look_so_are_rotated(option: str) -> None:
    assert shown("option_rotation", choice(options=(*OPTIONS, option))).answer == "C"


def test_evidence_is_shown_alone_or_greyed() -> None:
    plain = choice(spans=[[2.0, 3.0], [2.5, 5.5]])
    assert clips_of(shown("evidence_only", plain))[0].times == (3.0, 5.0)
    (clip,) = clips_of(shown("evidence_masked", plain))
    assert clip.times == TIMES
    pixels = np.arange(4 * 4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 4, 3)
    masked = apply(pixels, clip.times, clip.edits)
    assert (masked[1:3] == 128).all() and (masked[[0, 3]] == pixels[[0, 3]]).all()


def test_evidence_that_ends_on_a_frame_holds_it() -> None:
    plain = choice(spans=[[5.0, 7.0]])
    assert clips_of(shown("evidence_only", plain))[0].times == (5.0, 7.0)
    (clip,) = clips_of(shown("evidence_masked", plain))
    masked = apply(np.zeros((4, 2, 2, 3), np.uint8), clip.times, clip.edits)
    assert [bool((frame == 128).all()) for frame in masked] == [False, False, True, True]


@pytest.mark.parametrize(
    ("probe", "plain", "reason"),
    [
        ("evidence_only", choice(), "has no evidence spans"),
        ("evidence_masked", choice(spans=[[1.5, 2.5]]), "shows no frame of its evidence"),
        ("evidence_masked", choice(spans=[[0.0, 8.0]]), "shows nothing but its evidence"),
        ("evidence_only", question("span", spans=[[1.0, 4.0]]), "asks for the interval that the probe would show"),
        ("option_rotation", question("number", "3"), "has no lettered options"),
        ("option_rotation", replace(choice(), messages=()), "does not list its options"),
        ("reversed", replace(choice(), messages=()), "shows no clip"),
        ("blind", replace(choice(), messages=()), "shows no image and no clip"),
        ("wrong_video", choice(), "there is no other video"),
    ],
)
def test_a_probe_without_meaning_is_refused_in_one_line(probe: str, plain: Sample, reason: str) -> None:
    with pytest.raises(RequestError, match=f"the probe {probe} has no meaning for any of these questions: {reason}"):
        probes.apply(probe, [plain])


def test_what_a_probe_means_nothing_for_is_left_out_and_counted() -> None:
    asked = [choice(number=0), question("number", "3", number=1), question("number", "4", number=2)]
    found = probes.apply("option_rotation", asked)
    assert [one.id for one in found.samples] == ["q-0"]
    assert found.told() == "2 of 3 questions left out (2: has no lettered options)"
    assert probes.apply("blind", asked).told() == ""


def test_blind_refuses_media_without_a_size() -> None:
    bare = replace(sample(0), messages=(Message("user", (Image(video="full:a", spec=FrameSpec(fps=1.0), time=0.0),)),))
    with pytest.raises(RequestError, match="shows media without a size"):
        probes.apply("blind", [bare])


def test_edited_frames_have_no_wrong_video() -> None:
    drawn = replace(clips_of(choice())[0], edits=(Edit("rotate", (180,)),))
    edited = replace(choice(), messages=(Message("user", (drawn,)),))
    with pytest.raises(NoMeaning, match="edited"):
        shown("wrong_video", edited, others=(OTHER,))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(0, 5))
def test_shuffled_moves_frames_between_the_clips_and_keeps_the_times_told(index: int, seed: int) -> None:
    plain = sample(index)
    before, after = parts(plain, Clip), parts(shown("shuffled", plain, seed), Clip)
    flat = [[time for clip in clips for time in clip.times] for clips in (before, after)]
    assert sorted(flat[1]) == flat[0] and flat[1] != flat[0]
    assert [len(clip.times) for clip in after] == [len(clip.times) for clip in before]
    assert [clip.shown_seconds for clip in after] == [clip.times for clip in before]


@pytest.mark.parametrize("probe", ["shuffled", "reversed"])
def test_another_order_keeps_everything_but_the_clips(probe: str) -> None:
    plain, changed = sample(3), shown(probe, sample(3), 1)
    assert parts(changed, Image) == parts(plain, Image)
    assert parts(changed, Text) == parts(plain, Text)
    assert (changed.id, changed.answer, changed.evidence) == (plain.id, plain.answer, plain.evidence)


def test_shuffled_repeats_by_seed_and_differs_between_samples() -> None:
    orders = {to_json(shown("shuffled", sample(i, videos=1)).messages).__repr__() for i in range(12)}
    assert len(orders) > 6
    assert shown("shuffled", sample(1), 4) == shown("shuffled", sample(1), 4)


def clips_only(*clips: Clip) -> Sample:
    return replace(sample(0), messages=(Message("user", clips),))


def test_frames_that_are_all_the_same_have_no_order() -> None:
    same = clips_only(Clip(video="full:a", spec=SPEC, times=(1.0, 1.0)))
    for probe in ("shuffled", "reversed"):
        with pytest.raises(NoMeaning, match="no two frames"):
            shown(probe, same)


def test_two_frames_always_change_places() -> None:
    two = clips_only(Clip(video="full:a", spec=SPEC, times=(1.0,)), Clip(video="full:a", spec=SPEC, times=(2.0,)))
    for seed in range(8):
        assert [clip.times for clip in parts(shown("shuffled", two, seed), Clip)] == [(2.0,), (1.0,)]


def test_frames_never_move_to_a_clip_of_another_video_or_size() -> None:
    larger = SPEC.resized((56, 56))
    mixed = clips_only(
        Clip(video="full:a", spec=SPEC, times=(1.0, 2.0)),
        Clip(video="full:b", spec=SPEC, times=(3.0, 4.0)),
        Clip(video="full:a", spec=larger, times=(5.0, 6.0)),
    )
    times = [clip.times for clip in parts(shown("shuffled", mixed), Clip)]
    assert times == [(2.0, 1.0), (4.0, 3.0), (6.0, 5.0)]


def test_clips_cut_by_explicit_times_get_a_spec_that_holds_all_of_them() -> None:
    first, second = (FrameSpec(times=times, size=(28, 28)) for times in ((0.0, 1.0), (4.0,)))
    cut = clips_only(
        Clip(video="full:a", spec=first, times=(0.0, 1.0)), Clip(video="full:a", spec=second, times=(4.0,))
    )
    for clip in parts(shown("shuffled", cut, 2), Clip):
        assert set(clip.times) <= set(clip.spec.times) == {0.0, 1.0, 4.0}


def test_told_times_that_are_there_already_stay() -> None:
    told = clips_only(Clip(video="full:a", spec=SPEC, times=(1.0, 2.0), shown_seconds=(7.0, 9.0)))
    assert parts(shown("shuffled", told), Clip)[0].shown_seconds == (7.0, 9.0)


def test_probes_are_found_by_name_and_a_wrong_name_lists_them() -> None:
    assert probes.get("blind").name == "blind"
    assert probes.get("shuffled_context").name == "shuffled"
    with pytest.raises(RequestError, match="did you mean 'shuffled'"):
        probes.get("shuffeld")
