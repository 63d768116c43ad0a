"""Edits: each against hand-made pixels, their span, their trip through JSON, and grey that stays grey."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.data import edits
from reelgym.data.edits import Edit, apply
from reelgym.data.media import Media
from reelgym.data.messages import GREY, Clip, Image, Message, Text, from_json, to_json
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.evaluation import probes
from reelgym.video import FrameSpec, Store

SPEC = FrameSpec(fps=1.0, size=(28, 56))
EVERY = (
    Edit("rotate", (90,)),
    Edit("flip", ("vertical",)),
    Edit("crop", (0.0, 0.25, 0.5, 1.0)),
    Edit("tiles", (2, 2, 0.1, 1, 0, 2, 3)),
    Edit("channels", (2, 1, 0)),
    Edit("tone", (1.2, -0.1, 0.5)),
    Edit("shade", (30.0, 0.5)),
    Edit("dapple", (1, 2, 0.5, 1.5)),
    Edit("zoom_out", (1.3,)),
    Edit("shape", ("triangle", 0.5, 0.5, 0.4, 10.0, 255, 0, 0), 1.0, 2.0),
)


def ramp(frames: int = 1, height: int = 4, width: int = 6) -> np.ndarray:
    """Every pixel of every frame differs from every other."""
    count = frames * height * width
    return np.arange(count * 3, dtype=np.uint16).reshape(frames, height, width, 3).astype(np.uint8)


def one(pixels: np.ndarray, name: str, *args: float | str) -> np.ndarray:
    return apply(pixels, [0.0] * len(pixels), [Edit(name, args)])


def test_a_quarter_turn_clockwise_brings_the_left_column_to_the_top() -> None:
    pixels = ramp()
    turned = one(pixels, "rotate", 90)
    assert turned.shape == (1, 6, 4, 3)
    assert np.array_equal(turned[0, 0], pixels[0, ::-1, 0])
    assert np.array_equal(one(turned, "rotate", 270), pixels)
    assert np.array_equal(one(pixels, "rotate", 180), pixels[:, ::-1, ::-1])


def test_flips_crops_and_channels_move_pixels_and_change_none() -> None:
    pixels = ramp()
    assert np.array_equal(one(pixels, "flip", "horizontal"), pixels[:, :, ::-1])
    assert np.array_equal(one(pixels, "flip", "vertical"), pixels[:, ::-1])
    assert np.array_equal(one(pixels, "channels", 2, 1, 0), pixels[..., ::-1])
    assert np.array_equal(one(pixels, "crop", 0.5, 0.0, 1.0, 0.5), pixels[:, :2, 3:])
    assert one(pixels, "crop", 0.99, 0.99, 1.0, 1.0).shape == (1, 1, 1, 3)


def test_tiles_show_at_each_place_what_the_order_names() -> None:
    pixels = ramp()
    swapped = one(pixels, "tiles", 2, 2, 0.0, 3, 1, 2, 0)
    assert np.array_equal(swapped[:, :2, :3], pixels[:, 2:, 3:]) and np.array_equal(
        swapped[:, 2:, 3:], pixels[:, :2, :3]
    )
    assert np.array_equal(swapped[:, :2, 3:], pixels[:, :2, 3:]) and np.array_equal(
        swapped[:, 2:, :3], pixels[:, 2:, :3]
    )
    assert np.array_equal(one(swapped, "tiles", 2, 2, 0.0, 3, 1, 2, 0), pixels)
    odd = ramp(1, 5, 7)
    assert np.array_equal(one(odd, "tiles", 2, 2, 0.0, 3, 2, 1, 0)[:, 4], odd[:, 4])  # 5 = 2 * 2 + 1: the rest stays
    barred = one(ramp(1, 20, 20), "tiles", 2, 2, 0.2, 0, 1, 2, 3)
    assert (barred[:, 9:11] == 128).all() and (barred[:, :, 9:11] == 128).all()  # 0.2 of 10 pixels: 2


def test_tone_is_gain_offset_and_distance_from_grey() -> None:
    pixels = np.array([[[[200, 100, 0]]]], np.uint8)
    # Grey: 0.299 * 200 + 0.587 * 100 = 118.5; half of the saturation: 159.25, 109.25, 59.25.
    assert one(pixels, "tone", 1.0, 0.0, 0.5).tolist() == [[[[159, 109, 59]]]]
    assert one(pixels, "tone", 1.5, 0.1, 1.0).tolist() == [[[[255, 176, 26]]]]  # 150 + 25.5 and 25.5, rounded half up
    assert len(set(one(pixels, "tone", 1.0, 0.0, 0.0).ravel().tolist())) == 1


def test_shade_darkens_the_side_away_from_the_light() -> None:
    grey = np.full((1, 4, 4, 3), 100, np.uint8)
    # Pixel centres at -0.75, -0.25, 0.25, 0.75 of the way: 100 * (1 + 0.8 * (x - 1) / 2).
    assert one(grey, "shade", 0.0, 0.8)[0, 0, :, 0].tolist() == [30, 50, 70, 90]
    assert one(grey, "shade", 270.0, 0.8)[0, :, 0, 0].tolist() == [90, 70, 50, 30]


def test_dapple_brightens_each_place_by_its_own_factor() -> None:
    grey = np.full((1, 5, 4, 3), 100, np.uint8)
    # The fifth row is over: it goes with the last place.
    assert one(grey, "dapple", 2, 2, 0.5, 1.0, 1.5, 2.0)[0, :, ::2, 0].tolist() == [[50, 100]] * 2 + [[150, 200]] * 3


def test_zooming_out_leaves_a_black_border_and_keeps_the_size() -> None:
    bright = np.full((2, 20, 40, 3), 200, np.uint8)
    small = one(bright, "zoom_out", 2.0)
    assert small.shape == bright.shape
    assert (small[:, 5:15, 10:30] == 200).all() and small.sum() == 2 * 10 * 20 * 3 * 200


def test_shapes_are_as_large_as_they_say_and_have_a_white_rim() -> None:
    black = np.zeros((1, 100, 200, 3), np.uint8)
    for kind, area in (("circle", np.pi * 20**2), ("square", 40**2), ("triangle", np.sqrt(3) / 4 * 40**2)):
        for degrees in (0.0, 30.0):
            drawn = one(black, "shape", kind, 0.25, 0.5, 0.4, degrees, 255, 0, 0)
            assert drawn[..., 0].sum() / 255 == pytest.approx(area, rel=0.01)
            assert drawn[0, 50, 50].tolist() == [255, 0, 0]
            rows, columns = np.nonzero(drawn[0, :, :, 1])
            assert (drawn[0, rows, columns].max(-1) == drawn[0, rows, columns, 0]).all() and len(rows) > 50
    assert one(black, "shape", "triangle", 0.5, 0.5, 0.4, 0.0, 9, 9, 9)[0, 35, 100].any()  # it points upwards
    assert not one(black, "shape", "triangle", 0.5, 0.5, 0.4, 0.0, 9, 9, 9)[0, 65, 100].any()


def test_an_edit_of_a_span_changes_its_frames_only_whatever_their_order() -> None:
    pixels, times = ramp(4), (3.0, 0.0, 2.0, 1.0)
    changed = apply(pixels, times, [Edit("flip", ("horizontal",), start=1.0, stop=3.0)])
    for place, inside in enumerate((False, False, True, True)):
        wanted = pixels[place, :, ::-1] if inside else pixels[place]
        assert np.array_equal(changed[place], wanted)
    assert np.array_equal(pixels, ramp(4))


def test_an_edit_of_a_span_that_would_change_the_size_is_refused() -> None:
    with pytest.raises(RequestError, match="crop to a square first"):
        apply(ramp(2), (0.0, 1.0), [Edit("rotate", (90,), start=1.0)])


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        ("rotate", (45,), "give 0, 90, 180 or 270"),
        ("flip", ("left",), "'horizontal' or 'vertical'"),
        ("crop", (0.5, 0.0, 0.5, 1.0), "0 <= left < right <= 1"),
        ("tiles", (2, 2, 0.0, 0, 0, 1, 2), "a permutation"),
        ("tiles", (2, 2, 3.0, 0, 1, 2, 3), "0 to 0.8"),
        ("channels", (0, 1), "0, 1, 2 in another order"),
        ("tone", (9.0, 0.0, 1.0), "give 0 to 4"),
        ("shade", (0, 2.0), "strength of 0 to 1"),
        ("dapple", (1, 2, 0.5), "a factor for each place"),
        ("dapple", (1, 1, 9.0), "factors of 0 to 4"),
        ("zoom_out", (0.5,), "give 1 to 8"),
        ("shape", ("star", 0.5, 0.5, 0.2, 0, 1, 2, 3), "unknown shape"),
        ("shape", ("circle", 0.5, 0.5, 9.0, 0, 1, 2, 3), "size is above 0"),
        ("rotate", (), "missing 1 required"),
        ("tone", ("much", 0.0, 1.0), "not supported"),
    ],
)
def test_arguments_out_of_range_are_refused_in_one_line(name: str, args: tuple[float | str, ...], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        one(ramp(), name, *args)


def test_an_unknown_edit_and_too_many_are_refused() -> None:
    with pytest.raises(RequestError, match="did you mean 'rotate'"):
        Edit.from_json({"name": "rotat"})
    with pytest.raises(RequestError, match="no finite number"):
        Edit("rotate", (float("nan"),))
    with pytest.raises(RequestError, match="at most 512"):
        apply(ramp(), (0.0,), [Edit("rotate", (180,))] * 513)


@pytest.mark.parametrize("edits", [3, "rotate", [{"name": "rotate"}] * 513, [7], [{"name": "rotate", "args": 90}]])
def test_edits_of_another_form_are_refused_when_read(edits: object) -> None:
    image = {"image": {"video": "v", "spec": {"fps": 1.0}, "time": 0.0, "edits": edits}}
    with pytest.raises(RequestError, match="edit"):
        from_json([{"role": "user", "parts": [image]}])


def test_every_edit_survives_the_trip_through_json() -> None:
    assert {edit.name for edit in EVERY} == set(edits.names())
    parts = (
        Image(video="full:v", spec=SPEC, time=1.0, edits=EVERY),
        Clip(video="v", spec=SPEC, times=(0.0,), edits=EVERY),
    )
    messages = (Message("user", parts),)
    assert from_json(to_json(messages)) == messages


def test_media_without_edits_are_written_as_before() -> None:
    parts = (Text("?"), Image(video="v", spec=SPEC, time=1.0), Clip(video="v", spec=SPEC, times=(0.0, 1.0)))
    spec = {"fps": 1.0, "size": [28, 56]}
    assert to_json((Message("user", parts),)) == [
        {
            "role": "user",
            "parts": [
                {"text": "?"},
                {"image": {"video": "v", "spec": spec, "time": 1.0}},
                {"clip": {"video": "v", "spec": spec, "times": [0.0, 1.0]}},
            ],
        }
    ]


@given(st.lists(st.sampled_from(EVERY), max_size=4))
def test_grey_stays_grey_and_takes_the_size_of_the_edited_part(chosen: list[Edit]) -> None:
    media = Media(Store(Path("unused")), {})
    whole = [replace(edit, start=None, stop=None) for edit in chosen]
    part = Clip(video=GREY, spec=SPEC, times=(0.0, 1.0), edits=tuple(whole))
    shown = media(part)
    assert (shown == 128).all()
    assert shown.shape == apply(np.zeros((2, 28, 56, 3), np.uint8), (0.0, 1.0), whole).shape


def test_the_blind_probe_hides_what_is_drawn() -> None:
    drawn = Edit("shape", ("circle", 0.5, 0.5, 0.4, 0.0, 255, 0, 0))
    parts = (Clip(video="full:v", spec=SPEC, times=(0.0,), edits=(drawn,)),)
    sample = Sample(id="a", task="mvp", messages=(Message("user", parts),), answer=[1], split="test")
    (part,) = probes.get("blind").shown(sample, probes.Among([])).messages[0].parts
    assert isinstance(part, Clip)
    assert (Media(Store(Path("unused")), {})(part) == 128).all()


def test_shuffling_deals_frames_only_between_clips_edited_alike() -> None:
    turned = (Edit("rotate", (180,)),)
    clips = [Clip(video="v", spec=SPEC, times=(t, t + 1), edits=e) for t, e in ((0.0, ()), (2.0, ()), (4.0, turned))]
    sample = Sample(id="a", task="mvp", messages=(Message("user", tuple(clips)),), answer=[1], split="test")
    shuffled = probes.get("shuffled").shown(sample, probes.Among([], 1))
    shown = [part for part in shuffled.messages[0].parts if isinstance(part, Clip)]
    assert sorted([*shown[0].times, *shown[1].times]) == [0.0, 1.0, 2.0, 3.0]
    assert shown[2].times == (5.0, 4.0) and [clip.edits for clip in shown] == [(), (), turned]
