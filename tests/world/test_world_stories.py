"""What the kinds promise of their stories, checked on the tracks: the ball, the piles, the strokes."""

from __future__ import annotations

import itertools

import pytest

from reelgym import world
from reelgym.world.tower import BLOCK_HEIGHT

SEEDS = range(12)
STILL = world.Settings(pan=(0.0, 0.0))


def facts_of(kind: str, seed: int) -> world.Facts:
    return world.render(kind, seed, seconds=20, fps=10, side=32, settings=STILL).facts


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ball_is_seen_under_a_lifted_cup_and_never_while_cups_are_swapped(seed: int) -> None:
    facts = facts_of("cups", seed)
    for event in facts.named("lift"):
        if event.time + 0.1 < facts.seconds:
            assert facts.state("ball", event.time).visible == event.details["ball"]
    for event in facts.named("swap"):
        assert not any(facts.state("ball", event.details["start"] + part).visible for part in (0.1, 0.2))
    first = facts.named("lift", "swap")[0]
    assert first.name == "lift" and first.details["ball"], "the game begins by showing the ball"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_swap_exchanges_two_cups_and_leaves_the_others(seed: int) -> None:
    facts = facts_of("cups", seed)
    cups = [thing.name for thing in facts.with_role("cup")]
    for event in facts.named("swap"):
        before, after = facts.at(event.details["start"]), facts.at(min(facts.seconds, event.time + 0.1))
        if event.time + 0.1 > facts.seconds:
            continue
        held, passed = event.details["held"], event.details["passed"]
        assert after[held].x == pytest.approx(before[passed].x, abs=0.02)
        assert after[passed].x == pytest.approx(before[held].x, abs=0.02)
        assert all(after[cup].x == before[cup].x for cup in cups if cup not in (held, passed))


def pips_seen(facts: world.Facts, t: float) -> int:
    return sum(facts.state(pip.name, t).visible for pip in facts.with_role("pip"))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_count_is_seen_while_the_shutter_is_open_and_never_while_it_changes(seed: int) -> None:
    facts = facts_of("counter", seed)
    assert facts.events[0].name == "open", "the game begins by showing the count"
    for event in facts.named("open"):
        if event.time + 0.3 < facts.seconds:
            assert pips_seen(facts, event.time + 0.2) == event.details["count"]
    for event in facts.named("press"):
        assert pips_seen(facts, event.details["start"] + 0.1) == pips_seen(facts, event.time) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_press_steps_the_count_by_one_within_its_bounds(seed: int) -> None:
    facts = facts_of("counter", seed)
    count = facts.events[0].details["count"]
    for event in facts.named("press", "open", "close"):
        if event.name == "press":
            count += {"plus": 1, "minus": -1}[event.details["button"]]
        assert event.details["count"] == count and 0 <= count <= len(facts.with_role("pip"))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_hand_takes_the_pressed_button_down_and_no_other(seed: int) -> None:
    facts = facts_of("counter", seed)
    for event in facts.named("press"):
        start, middle = facts.at(event.details["start"]), facts.at((event.details["start"] + event.time) / 2)
        sunk = [name for name in ("plus button", "minus button") if middle[name].y > start[name].y + 0.01]
        assert sunk == [f"{event.details['button']} button"]
        assert middle["hand"].x == pytest.approx(middle[sunk[0]].x, abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_at_rest_stand_on_the_floor_or_on_another_block_and_never_in_one(seed: int) -> None:
    facts = facts_of("tower", seed)
    blocks = [thing.name for thing in facts.with_role("block")]
    floor = max(facts.state(name, 0).y for name in blocks)
    for event in facts.named("step"):  # between two steps nothing is carried
        t = event.time + 0.1  # the first frame after the step
        if t > facts.seconds - 0.2:
            continue
        places = {name: facts.state(name, t) for name in blocks}
        for a, b in itertools.combinations(places.values(), 2):
            assert abs(a.x - b.x) > 0.1 or abs(a.y - b.y) > 2 * BLOCK_HEIGHT - 1e-3
        for a in places.values():
            below = [b for b in places.values() if abs(b.x - a.x) < 1e-3 and abs(b.y - a.y - 2 * BLOCK_HEIGHT) < 1e-3]
            assert below or a.y == pytest.approx(floor, abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_uppermost_block_of_a_pile_is_taken(seed: int) -> None:
    facts = facts_of("tower", seed)
    for event in facts.named("step"):
        start = facts.at(event.details["start"] - 0.1)
        taken = start[event.details["thing"]]
        others = [start[b.name] for b in facts.with_role("block") if b.name != event.details["thing"]]
        assert not any(abs(b.x - taken.x) < 1e-3 and b.y < taken.y for b in others)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stroke_is_seen_from_when_it_is_drawn_to_when_it_is_erased(seed: int) -> None:
    facts = facts_of("process", seed)
    scene = world.render("process", seed, seconds=20, fps=10, side=32, settings=STILL)
    painted = {actor.thing: actor.painted for actor in scene.painter.actors}
    standing = {thing.name: False for thing in facts.with_role("stroke")}
    for event in facts.named("draw", "erase"):
        k, changing = facts.frame_at(event.details["start"] + 0.1), event.details["thing"]
        assert painted[changing][k]
        assert all(painted[name][k] == stands for name, stands in standing.items() if name != changing)
        standing[changing] = event.name == "draw"
