"""Facts: the grid of squares, the frame of a time, the focus word, and the form on disk."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym import world
from reelgym.errors import RequestError
from reelgym.world.facts import canonical

KINDS = sorted(world.kinds())


def by_hand() -> world.Facts:
    """Three frames at 2 per second: the focus goes a1, b1, c2; the other thing is seen once."""
    focus = world.Thing(name="red disc", colour="red", shape="disc", size=0.1, role="focus")
    other = world.Thing(name="blue ring", colour="blue", shape="ring", size=0.05, role="distractor")
    return world.Facts(
        kind="moving",
        version=1,
        seed=0,
        fps=2,
        frames=3,
        side=112,
        focus="red disc",
        things=(focus, other),
        tracks={
            "red disc": world.Track(x=(0.1, 0.2, 0.3), y=(0.1, 0.1, 0.2), visible=(True, True, True)),
            "blue ring": world.Track(x=(0.5, 0.5, 0.5), y=(0.9, 0.9, 0.9), visible=(False, True, False)),
        },
        events=(world.Event(time=0.7, name="bounce", details={"thing": "red disc", "wall": "left"}),),
        settings={},
    )


def test_the_grid_reads_like_a_board_with_rows_from_the_top() -> None:
    corners = {(0.0, 0.0): "a1", (0.999, 0.0): "h1", (0.0, 0.999): "a8", (0.999, 0.999): "h8", (0.5, 0.25): "e3"}
    assert {point: world.square(*point) for point in corners} == corners
    assert world.square(-0.2, 1.4) == "a8"  # outside counts as on the edge


@given(st.integers(0, 7), st.integers(0, 7), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_every_point_of_a_square_has_its_name(column: int, row: int, right: float, down: float) -> None:
    assert world.square((column + right) / 8, (row + down) / 8) == "abcdefgh"[column] + "12345678"[row]


def test_a_time_means_the_last_frame_not_after_it() -> None:
    facts = by_hand()
    assert [facts.frame_at(t) for t in (0, 0.49, 0.5, 0.9, 1.0, 1.5)] == [0, 0, 1, 1, 2, 2]
    assert facts.frame_at(0.499999) == 1  # a container rounds 1/2 down to its own ticks
    assert [facts.word(t) for t in (0, 0.5, 1)] == ["a1", "b1", "c2"]
    assert facts.at(0.6)["blue ring"] == world.State(0.5, 0.9, True)
    assert not facts.at(1.2)["blue ring"].visible
    assert [second["red disc"].x for second in facts.per_second] == [0.1, 0.3]
    assert [event.time for event in facts.named("bounce")] == [0.7]


@pytest.mark.parametrize("t", [-0.1, 1.6, 100.0])
def test_a_time_outside_the_video_is_an_error(t: float) -> None:
    with pytest.raises(RequestError, match=r"lies outside the video; give 0 to 1.5 s"):
        by_hand().word(t)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), t=st.floats(0, 8), fps=st.integers(8, 12))
def test_the_word_is_the_square_of_the_focus_at_any_time(kind: str, seed: int, t: float, fps: int) -> None:
    facts = world.render(kind, seed, seconds=8, fps=fps, side=32).facts
    shown = max(k for k in range(facts.frames) if k == 0 or k / fps <= t + 1e-3)  # loop oracle
    track = facts.tracks[facts.focus]
    row, column = int(track.y[shown] * 8), int(track.x[shown] * 8)
    assert facts.word(t) == chr(ord("a") + column) + str(row + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_facts_survive_json(kind: str) -> None:
    facts = world.render(kind, 5, seconds=9.3, fps=9, side=32).facts
    text = canonical(facts.to_json())
    again = world.Facts.from_json(json.loads(text))
    assert again == facts
    assert canonical(again.to_json()) == text
    assert math.isclose(facts.seconds, 84 / 9)  # 9.3 s * 9 = 83.7 frames


def test_damaged_facts_are_refused_in_one_line() -> None:
    good = by_hand().to_json()
    with pytest.raises(RequestError, match="facts of version 'list' cannot be read; this release reads version 1"):
        world.Facts.from_json([])
    with pytest.raises(RequestError, match="facts of version 2 cannot be read"):
        world.Facts.from_json(good | {"facts_version": 2})
    with pytest.raises(RequestError, match=r"damaged facts \('tracks'\); render the video again"):
        world.Facts.from_json({name: value for name, value in good.items() if name != "tracks"})
    with pytest.raises(RequestError, match="the track of 'red disc' has not 4 entries"):
        world.Facts.from_json(good | {"frames": 4})
    with pytest.raises(RequestError, match="include focus 'cat'"):
        world.Facts.from_json(good | {"focus": "cat"})
    with pytest.raises(RequestError, match="one track per thing"):
        world.Facts.from_json(good | {"tracks": {"red disc": good["tracks"]["red disc"]}})
    with pytest.raises(RequestError, match="damaged facts"):
        world.Facts.from_json(good | {"nonsense": 1})
