"""How things move: bounces against the unfolded straight line, collisions by hand, courses leg by leg."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym import world
from reelgym.errors import RequestError
from reelgym.world.base import Shot
from reelgym.world.course import Course, duration
from reelgym.world.moving import Body, _meet, simulate


def shot(frames: int = 100, fps: int = 10) -> Shot:
    return Shot(random=Random(0), frames=frames, fps=fps, settings=world.Settings(), pan=0.0, ground=(255, 255, 255))


def folded(value: float, low: float, high: float) -> float:
    """Return where a point that runs straight to `value` is if walls at low and high throw it back: a triangle wave."""
    phase = (value - low) % (2 * (high - low))
    return low + min(phase, 2 * (high - low) - phase)


@settings(max_examples=40, deadline=None)
@given(x=st.floats(0.3, 0.7), y=st.floats(0.3, 0.7), degrees=st.floats(25, 65), speed=st.floats(0.1, 0.3))
def test_a_lone_body_follows_the_unfolded_straight_line(x: float, y: float, degrees: float, speed: float) -> None:
    angle = math.radians(degrees)
    paths, events = simulate([Body("a", x, y, angle, speed, 0.0, 0.1, 1.0)], shot(), 0.0, 1.0)
    walls = 0
    for k in range(0, 100, 9):
        run = speed * k / 10
        want = [folded(at + run * part, 0.1, 0.9) for at, part in ((x, math.cos(angle)), (y, math.sin(angle)))]
        walls = len([event for event in events if event.time <= k / 10])
        assert math.dist(paths[0, k], want) <= (walls + 1) * 2 * speed / 40  # each bounce loses at most a substep
    assert {event.name for event in events} <= {"bounce"}


def test_bounces_name_the_wall_and_the_time() -> None:
    # from x = 0.5 at 0.2 per second: the edge 0.9 is reached after 2 s, then 0.1 after 4 s more
    body = Body("a", 0.5, 0.5, 0.0, 0.2, 0.0, 0.1, 1.0)
    _, events = simulate([body], shot(70), 0.0, 1.0)
    assert [(event.name, event.details["wall"]) for event in events] == [("bounce", "right"), ("bounce", "left")]
    assert [event.time for event in events] == pytest.approx([2.0, 6.0], abs=0.06)


def test_equal_bodies_head_on_go_back_and_collide_once() -> None:
    # the gap of 0.4 less two radii closes at 0.2 per second: contact after 1 s
    bodies = [Body("a", 0.3, 0.5, 0.0, 0.1, 0.0, 0.1, 1.0), Body("b", 0.7, 0.5, math.pi, 0.1, 0.0, 0.1, 1.0)]
    paths, events = simulate(bodies, shot(15), 0.0, 1.0)
    assert [(event.name, event.details["things"]) for event in events] == [("collision", ["a", "b"])]
    assert events[0].time == pytest.approx(1.0, abs=0.06)
    assert paths[0, 14, 0] == pytest.approx(0.36, abs=0.01) and paths[1, 14, 0] == pytest.approx(0.64, abs=0.01)


def test_a_glancing_collision_keeps_momentum_before_speeds_are_restored() -> None:
    # a (mass 3) meets b (mass 1) at rest: v_a' = (3 - 1) / (3 + 1) = 0.5 and v_b' = 1.5, both to the right
    a, b = Body("a", 0.4, 0.5, 0.0, 1.0, 0.0, 0.06, 3.0), Body("b", 0.5, 0.5, 1.0, 0.0, 0.0, 0.06, 1.0)
    assert _meet(a, b, b.mass / (a.mass + b.mass))
    assert (a.angle, b.angle) == (pytest.approx(0.0), pytest.approx(0.0))
    assert b.x - a.x == pytest.approx(0.12)  # parted, the light one by three quarters of the overlap
    assert b.x == pytest.approx(0.515)


def test_a_body_that_cannot_give_way_acts_like_a_wall() -> None:
    a, b = Body("a", 0.4, 0.5, 0.0, 1.0, 0.0, 0.06, 3.0), Body("b", 0.5, 0.5, 1.0, 0.0, 0.0, 0.06, 1.0)
    assert _meet(a, b, 1.0)
    assert abs(a.angle) == pytest.approx(math.pi) and b.x == 0.5


@pytest.mark.parametrize("seed", range(8))
def test_things_hardly_overlap(seed: int) -> None:
    crowded = world.Settings(distractors=(5, 5), pan=(0.0, 0.0))
    facts = world.render("moving", seed, seconds=15, fps=10, side=32, settings=crowded).facts
    for k in range(facts.frames):
        for i, a in enumerate(facts.things):
            for b in facts.things[i + 1 :]:
                apart = math.dist(*((facts.tracks[n.name].x[k], facts.tracks[n.name].y[k]) for n in (a, b)))
                assert apart > 0.7 * (a.size + b.size)


def test_a_course_goes_leg_by_leg_and_rests_between() -> None:
    course = Course(0.0, 0.0)
    assert course.go(1.0, 0.0, start=1.0, seconds=2.0, bulge=-0.5) == 3.0
    assert course.go(1.0, 1.0, start=5.0, seconds=1.0) == 6.0
    path = course.sample(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.5, 9.0]))
    want = [[0, 0], [0, 0], [0.5, -0.5], [1, 0], [1, 0], [1, 0.5], [1, 1]]
    assert path == pytest.approx(np.array(want), abs=1e-9)


def test_a_leg_takes_its_length_over_the_speed() -> None:
    assert duration((0, 0), (0.3, 0.4), 0.25) == pytest.approx(2.0)  # 0.5 long
    assert duration((0, 0), (0.3, 0.0), 0.25, bulge=0.2) == pytest.approx(2.0)  # hypot(0.3, 0.4)
    assert duration((0, 0), (0.001, 0), 0.25) == 0.25


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"speed": (2.0, 1.0)}, r"speed=\(2.0, 1.0\) is no range: give \(low, high\)"),
        ({"speed": (0.0, 1.0)}, "speed and mass are above 0"),
        ({"radius": (0.1, 0.3)}, "radius goes up to 0.2"),
        ({"pan": (0.0, 0.2)}, "pan goes up to 0.1"),
        ({"spin": 2.0}, "spin is within 0 to 1"),
        ({"distractors": (0, 9)}, "distractors up to 6"),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        world.Settings(**wrong)


def test_unknown_kinds_and_sizes_are_refused() -> None:
    with pytest.raises(RequestError, match=r"unknown kind of scene 'cupz'; did you mean 'cups'\?"):
        world.render("cupz", 0, seconds=8, fps=8)
    with pytest.raises(RequestError, match="give 1 to 600 seconds, 1 to 60 fps and an even side from 32"):
        world.render("cups", 0, seconds=8, fps=8, side=33)


@pytest.mark.parametrize("kind", sorted(world.kinds()))
def test_scenes_can_be_drawn_at_the_ends_of_the_settings(kind: str) -> None:
    plain = world.Settings(
        distractors=(0, 0), pan=(0, 0), light=(0, 0), texture=(0, 0), curve=0, spin=0, dimness=(0, 0)
    )
    wild = world.Settings(
        distractors=(6, 6),
        pan=(0.1, 0.1),
        light=(0.4, 0.4),
        radius=(0.2, 0.2),
        distractor_radius=(0.1, 0.12),
        speed=(4, 5),
    )
    for extreme in (plain, wild):
        scene = world.render(kind, 1, seconds=4, fps=8, side=32, settings=extreme)
        assert len(list(scene.frames())) == 32
        track = scene.facts.tracks[scene.facts.focus]
        assert all(0 <= value <= 1 for value in (*track.x, *track.y))
