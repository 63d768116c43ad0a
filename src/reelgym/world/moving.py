"""Things that move, bounce off the walls and collide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from random import Random
from typing import Any

import numpy as np

from reelgym.world.base import Kind, Play, Shot
from reelgym.world.facts import CELLS, Event, Facts, Thing
from reelgym.world.questions import Asker, Question
from reelgym.world.sprites import COLOURS
from reelgym.world.stage import Actor, Array, act

FOCUS_SHAPES = ("disc", "square", "diamond", "hexagon", "star")
OTHER_SHAPES = ("disc", "ring", "square", "triangle", "diamond", "cross")
WALLS = ("left", "right", "top", "bottom")
SUBSTEPS = 4
"""Steps of the simulation per frame."""
SHALLOWEST = math.sin(math.radians(20))
"""Nothing leaves a wall at less than 20 degrees: no hugging of walls."""
APART_SECONDS = 0.3
"""Seconds without touching after which two things that touch again are said to collide again."""
WALL = 0.015
"""Width of the rim between the board and the farthest view of the camera."""


@dataclass
class Body:
    """A self-propelled disc: it keeps its speed through every bounce and turns only."""

    name: str
    x: float
    y: float
    angle: float
    speed: float
    curve: float
    radius: float
    mass: float

    def step(self, seconds: float) -> None:
        """Go on along the path's curve."""
        self.angle += self.curve * seconds
        self.x += self.speed * math.cos(self.angle) * seconds
        self.y += self.speed * math.sin(self.angle) * seconds

    def bounce(self, low: float, high: float) -> list[str]:
        """Turn back at the walls of the board (low, high) and return the names of those touched."""
        walls: list[str] = []
        east, south = math.cos(self.angle), math.sin(self.angle)
        low, high = low + self.radius, high - self.radius
        if (self.x <= low and east < 0) or (self.x >= high and east > 0):
            walls.append("left" if east < 0 else "right")
            east = math.copysign(max(abs(east), SHALLOWEST), -east)
        if (self.y <= low and south < 0) or (self.y >= high and south > 0):
            walls.append("top" if south < 0 else "bottom")
            south = math.copysign(max(abs(south), SHALLOWEST), -south)
        if walls:
            self.angle = math.atan2(south, east)
            self.curve *= (-1) ** len(walls)
        self.x, self.y = min(max(self.x, low), high), min(max(self.y, low), high)
        return walls


def _meet(a: Body, b: Body, share: float) -> bool:
    """Part two bodies that overlap, and turn them as elastic discs if they approach; return whether they touched.

    `share` is how much of the parting and turning falls to a: b's part of their mass, or 1 if b cannot give way.
    """
    dx, dy = b.x - a.x, b.y - a.y
    distance = math.hypot(dx, dy) or 1e-9
    overlap = a.radius + b.radius - distance
    if overlap <= 0:
        return False
    nx, ny = dx / distance, dy / distance
    a.x, a.y = a.x - nx * overlap * share, a.y - ny * overlap * share
    b.x, b.y = b.x + nx * overlap * (1 - share), b.y + ny * overlap * (1 - share)
    ax, ay = a.speed * math.cos(a.angle), a.speed * math.sin(a.angle)
    bx, by = b.speed * math.cos(b.angle), b.speed * math.sin(b.angle)
    push = 2 * max(0.0, (ax - bx) * nx + (ay - by) * ny)
    a.angle = math.atan2(ay - push * share * ny, ax - push * share * nx)
    b.angle = math.atan2(by + push * (1 - share) * ny, bx + push * (1 - share) * nx)
    return True


def _advance(bodies: Sequence[Body], seconds: float, low: float, high: float) -> list[tuple[str, dict[str, Any]]]:
    """Move all bodies on and return what they did: (event name, details)."""
    happened: list[tuple[str, dict[str, Any]]] = []
    for body in bodies:
        body.step(seconds)
    pairs = list(combinations(bodies, 2))
    for a, b in pairs:
        if _meet(a, b, b.mass / (a.mass + b.mass)):
            happened.append(("collision", {"things": [a.name, b.name]}))
    held: dict[str, bool] = {}
    for body in bodies:
        before = (body.x, body.y)
        happened += [("bounce", {"thing": body.name, "wall": wall}) for wall in body.bounce(low, high)]
        held[body.name] = before != (body.x, body.y)
    for a, b in pairs:
        _meet(a, b, 0.0 if held[a.name] and not held[b.name] else 1.0)
    return happened


def simulate(bodies: Sequence[Body], shot: Shot, low: float, high: float) -> tuple[Array, list[Event]]:
    """Return the paths (bodies, F, 2) in the world and the events `bounce` and `collision`.

    Bodies that stay in touch collide once; again only after `APART_SECONDS` without touching.
    """
    paths = np.zeros((len(bodies), shot.frames, 2))
    touches: list[Event] = []
    for k in range(shot.frames):
        paths[:, k] = [(body.x, body.y) for body in bodies]
        for part in range(1, SUBSTEPS + 1):
            now = round((k + part / SUBSTEPS) / shot.fps, 3)
            happened = _advance(bodies, 1 / (shot.fps * SUBSTEPS), low, high)
            touches += [Event(time=now, name=name, details=details) for name, details in happened]
    return paths, [touch for touch in _apart(touches) if touch.time < shot.seconds]


def _apart(touches: Sequence[Event]) -> Iterator[Event]:
    """Yield the events that no equal one comes before within `APART_SECONDS`."""
    last: dict[str, float] = {}
    for touch in touches:
        key = str((touch.name, touch.details))
        if touch.time - last.get(key, -1.0) > APART_SECONDS:
            yield touch
        last[key] = touch.time


def drifters(shot: Shot, taken: Sequence[str], low: float) -> tuple[list[Thing], list[Actor]]:
    """Return at most one distractor that drifts behind everything, for kinds whose own things are elsewhere."""
    random, settings = shot.random, shot.settings
    free = sorted(set(COLOURS) - set(taken))
    if not free or random.randint(*settings.distractors) == 0:
        return [], []
    thing = _thing(random, random.choice(free), OTHER_SHAPES, settings.distractor_radius, "distractor")
    body = _place(thing, [], shot, low)
    assert body is not None, "an empty board has room"
    paths, _ = simulate([body], shot, low, 1 - low)
    return [thing], [_actor(shot, thing, paths[0], random.uniform(*settings.dimness))]


class Moving(Kind):
    """Things that move, bounce off the walls and collide; the focus is the largest and the most saturated."""

    name = "moving"
    version = 1

    def compose(self, shot: Shot) -> Play:
        """Return the focus and its distractors on a walled board that stays within every view of the camera."""
        random, settings = shot.random, shot.settings
        low = shot.pan + WALL
        colours = random.sample(sorted(COLOURS), 1 + random.randint(*settings.distractors))
        focus = _thing(random, colours[0], FOCUS_SHAPES, settings.radius, "focus")
        others = [_thing(random, c, OTHER_SHAPES, settings.distractor_radius, "distractor") for c in colours[1:]]
        bodies: list[Body] = []
        for thing in (focus, *others):
            body = _place(thing, bodies, shot, low)
            if body is not None:
                bodies.append(body)
        things = [thing for thing in (focus, *others) if thing.name in {body.name for body in bodies}]
        paths, events = simulate(bodies, shot, low, 1 - low)
        dim = random.uniform(*settings.dimness)
        actors = [_actor(shot, thing, path, dim) for thing, path in zip(things, paths, strict=True)]
        return Play(things=things, actors=actors, events=events, board=(low, low, 1 - low, 1 - low))

    def questions(self, facts: Facts) -> list[Question]:
        """Return questions about the focus, its way and the walls it touches."""
        ask, focus = Asker(facts), facts.thing(facts.focus)
        ask.choose("what", "What colour is the largest thing?", focus.colour, COLOURS)
        ask.choose("what", "What shape has the largest thing?", focus.shape, {*FOCUS_SHAPES, *OTHER_SHAPES})
        ask.count("How many things move?", len(facts.things))
        ask.where(focus.name)
        touches = [event for event in facts.named("bounce") if event.details["thing"] == focus.name]
        if touches:
            _ask_walls(ask, focus.name, [(event.time, event.details["wall"]) for event in touches])
        return ask.asked


def _ask_walls(ask: Asker, name: str, touches: Sequence[tuple[float, str]]) -> None:
    """Ask when, how often, in what order and next the focus touches walls: (time, wall) in order of time."""
    first: dict[str, float] = {}
    for time, wall in touches:
        first.setdefault(wall, time)
    wall = ask.random.choice(WALLS)
    ask.count(f"How many times does the {name} touch the {wall} wall?", sum(touched == wall for _, touched in touches))
    wall = ask.random.choice(sorted(first))
    ask.when(f"When does the {name} first touch the {wall} wall?", first[wall])
    times = list(first.values())
    if all(later - time > APART_SECONDS for time, later in pairwise(times)):
        ask.order(f"In what order does the {name} first touch these walls?", list(first))
    clear = [
        (time, later, wall)
        for (time, _), (later, wall), (after, _) in zip(touches, touches[1:], [*touches[2:], (1e9, "")], strict=False)
        if later - time > 2 * APART_SECONDS and after - later > APART_SECONDS
    ]
    if clear:
        time, later, wall = ask.random.choice(clear)
        ask.choose("next", f"Which wall does the {name} touch next after {(time + later) / 2:.2f} s?", wall, WALLS)


def _thing(random: Random, colour: str, shapes: Sequence[str], radius: tuple[float, float], role: str) -> Thing:
    shape = random.choice(shapes)
    return Thing(
        name=f"{colour} {shape}", colour=colour, shape=shape, size=round(random.uniform(*radius), 4), role=role
    )


def _place(thing: Thing, bodies: Sequence[Body], shot: Shot, low: float) -> Body | None:
    """Return a body for a thing where it touches no other, or None if the board is full."""
    random, settings, focus = shot.random, shot.settings, thing.role == "focus"
    speed = random.uniform(*(settings.speed if focus else settings.distractor_speed)) / CELLS
    angle = math.radians(random.uniform(20, 70)) + math.pi / 2 * random.randrange(4)
    curve = random.uniform(-settings.curve, settings.curve)
    for _ in range(200):
        x, y = (random.uniform(low + thing.size, 1 - low - thing.size) for _ in range(2))
        if all(math.hypot(x - b.x, y - b.y) > thing.size + b.radius + 0.02 for b in bodies):
            mass = thing.size**2 * (settings.mass if focus else 1.0)
            return Body(thing.name, x, y, angle, speed, curve, thing.size, mass)
    return None


def _actor(shot: Shot, thing: Thing, path: Array, dim: float) -> Actor:
    """Return the actor of a thing; distractors fade into the board and lie behind the focus."""
    focus, random = thing.role == "focus", shot.random
    turn = random.choice((-1, 1)) * random.uniform(30, 90) if random.random() < shot.settings.spin else 0.0
    return act(
        thing.name,
        thing.shape,
        COLOURS[thing.colour] if focus else shot.fade(thing.colour, dim),
        path,
        thing.size,
        degrees=random.uniform(0, 360) + turn * shot.times,
        depth=1.0 if focus else 0.0,
        shadow=0.22 if focus else 0.12,
    )
