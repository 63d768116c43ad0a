"""A pen that draws a figure stroke by stroke, or fills bars one by one, and takes it away again in the same order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np

from reelgym.world.base import Kind, Play, Shot
from reelgym.world.course import Course, duration
from reelgym.world.facts import CELLS, Event, Facts, Thing
from reelgym.world.moving import WALL, drifters
from reelgym.world.questions import Asker, Question, ordinal
from reelgym.world.sprites import COLOURS
from reelgym.world.stage import Actor, Array, act

Point = tuple[float, float]
TIP_SHAPES = ("disc", "diamond", "hexagon", "star")
HURRY = 1.2
"""The tip's speed over `Settings.speed`."""


@dataclass(frozen=True)
class Plan:
    """What is drawn: a word for it, its strokes from point to point in their order, and half a stroke's width."""

    word: str
    strokes: tuple[tuple[Point, Point], ...]
    half_width: float


def _polygon(random: Random, reach: float) -> Plan:
    """Return the closed outline of 3 to 6 corners, drawn around, or the pentagram."""
    corners, step = random.choice(((3, 1), (4, 1), (5, 1), (6, 1), (5, 2)))
    turn = random.uniform(0, 2 * math.pi)
    way = random.choice((-1, 1)) * step
    points = [
        (
            0.5 + reach * math.cos(turn + 2 * math.pi * way * i / corners),
            0.5 + reach * math.sin(turn + 2 * math.pi * way * i / corners),
        )
        for i in range(corners)
    ]
    return Plan("line", tuple(zip(points, points[1:] + points[:1], strict=True)), 0.022)


def _zigzag(random: Random, reach: float) -> Plan:
    """Return an open line of 4 to 6 strokes from one side of the board to the other."""
    count, upright = random.randint(4, 6), random.random() < 0.5
    heights = [0.5 + (-1) ** i * random.uniform(0.5, 1) * reach for i in range(count + 1)]
    along = [0.5 - reach + 2 * reach * i / count for i in range(count + 1)]
    if random.random() < 0.5:
        along.reverse()
    points = [(y, x) if upright else (x, y) for x, y in zip(along, heights, strict=True)]
    return Plan("line", tuple(pairwise(points)), 0.022)


def _bars(random: Random, reach: float) -> Plan:
    """Return 3 to 5 upright bars of different heights, filled from below in any order."""
    count = random.randint(3, 5)
    columns = [0.5 - reach + 2 * reach * i / (count - 1) for i in range(count)]
    random.shuffle(columns)
    foot = 0.5 + reach
    return Plan("bar", tuple(((x, foot), (x, foot - random.uniform(1.0, 2.0) * reach)) for x in columns), 0.045)


PLANS = (_polygon, _zigzag, _bars)


def _cut(stroke: tuple[Point, Point], done: Array, gone: Array) -> tuple[Array, Array]:
    """Return the middle (F, 2) and half the length (F,) of what stands of a stroke, from share `gone` to `done`."""
    origin, target = (np.asarray(point) for point in stroke)
    middle = origin + ((done + gone) / 2)[:, None] * (target - origin)
    return middle, (done - gone) / 2 * math.dist(*stroke)


@dataclass
class Pen:
    """The tip on its way over the strokes."""

    plan: Plan
    names: Sequence[str]
    speed: float
    course: Course
    now: float = 0.0

    def trace(self, index: int) -> tuple[float, float]:
        """Go to where a stroke begins, follow it, and return when the following began and ended."""
        origin, target = self.plan.strokes[index]
        if math.dist(self.course.place, origin) > 1e-6:
            seconds = duration(self.course.place, origin, 1.5 * self.speed)
            self.now = self.course.go(*origin, start=self.now, seconds=seconds)
        start = self.now
        self.now = self.course.go(*target, start=start, seconds=duration(origin, target, self.speed))
        return start, self.now


def _shares(pen: Pen, shot: Shot) -> tuple[list[Array], list[Array], list[Event]]:
    """Draw and take away by turns; return for every stroke the shares (F,) done and gone, and the steps."""
    count = len(pen.plan.strokes)
    done, gone = ([np.zeros(shot.frames) for _ in range(count)] for _ in range(2))
    events, drawing = [], True
    while pen.now < shot.seconds:
        for index in range(count):
            start, stop = pen.trace(index)
            leg = Course(0.0, 0.0)
            leg.go(1.0, 0.0, start=start, seconds=stop - start)
            share = leg.sample(shot.times)[:, 0]
            after = shot.times >= start
            if drawing:
                done[index] = np.where(after, share, done[index])
                gone[index] = np.where(after, 0.0, gone[index])
            else:
                gone[index] = np.where(after, share, gone[index])
            details = {"thing": pen.names[index], "start": round(start, 3)}
            events.append(Event(time=round(stop, 3), name="draw" if drawing else "erase", details=details))
        drawing = not drawing
    return done, gone, events


class Process(Kind):
    """A tip that draws a figure or fills bars in coloured steps, then takes them away; the focus is the tip."""

    name = "process"
    version = 1

    def compose(self, shot: Shot) -> Play:
        """Return the tip and its strokes, each of its own colour."""
        random, settings = shot.random, shot.settings
        low, radius = shot.pan + WALL, round(random.uniform(*settings.radius), 4)
        plan = random.choice(PLANS)(random, 0.5 - low - radius - 0.01)
        colours = random.sample(sorted(COLOURS), 1 + len(plan.strokes))
        tip = Thing(name="tip", colour=colours[0], shape=random.choice(TIP_SHAPES), size=radius, role="focus")
        strokes = [
            Thing(name=f"{c} {plan.word}", colour=c, shape="stroke", size=plan.half_width, role="stroke")
            for c in colours[1:]
        ]
        speed = HURRY * random.uniform(*settings.speed) / CELLS
        start = (random.uniform(0.3, 0.7), random.uniform(0.3, 0.7))
        pen = Pen(plan, [thing.name for thing in strokes], speed, Course(*start))
        done, gone, events = _shares(pen, shot)
        dim = random.uniform(*settings.dimness)
        parts = zip(plan.strokes, done, gone, strict=True)
        actors = [_stroke(shot, thing, plan, part, dim) for thing, part in zip(strokes, parts, strict=True)]
        others, extra = drifters(shot, colours, low)
        tip_actor = act(tip.name, tip.shape, COLOURS[tip.colour], pen.course.sample(shot.times), radius, depth=9.0)
        return Play(
            things=[tip, *strokes, *others],
            actors=[*extra, *actors, tip_actor],
            events=[event for event in events if event.time < shot.seconds],
            board=(low, low, 1 - low, 1 - low),
        )

    def questions(self, facts: Facts) -> list[Question]:
        """Return questions about the tip's way and the order of the steps."""
        ask, steps, tip = Asker(facts), facts.named("draw", "erase"), facts.thing(facts.focus)
        drawn = [event.details["thing"] for event in facts.named("draw")]
        strokes = [thing.name for thing in facts.with_role("stroke")]
        ask.choose("what", "What colour is the tip?", tip.colour, COLOURS)
        ask.where(tip.name)
        ask.count("How many steps (drawn or erased) are finished at the end?", len(steps))
        if not steps:
            return ask.asked
        k = ask.random.randrange(len(steps))
        ask.when(f"When is the {ordinal(k + 1)} step finished?", steps[k].time)
        ask.choose("what", "What is drawn first?", drawn[0], strokes)
        ask.order("In what order are these drawn first?", drawn[: min(4, len(strokes))])
        if len(steps) > 1:
            k = ask.random.randrange(len(steps) - 1)
            text = f"Which is drawn or erased next after the {ordinal(k + 1)} step?"
            ask.choose("next", text, steps[k + 1].details["thing"], strokes)
        return ask.asked


def _stroke(shot: Shot, thing: Thing, plan: Plan, part: tuple[tuple[Point, Point], Array, Array], dim: float) -> Actor:
    """Return the actor of a stroke whose ends move as it is drawn and taken away."""
    stroke, done, gone = part
    middle, half = _cut(stroke, done, gone)
    (ax, ay), (bx, by) = stroke
    return act(
        thing.name,
        "stroke",
        shot.fade(thing.colour, dim),
        middle,
        half + plan.half_width,
        plan.half_width,
        degrees=math.degrees(math.atan2(by - ay, bx - ax)),
        painted=done - gone > 1e-6,
        depth=1.0,
        shadow=0.0,
        gloss=0.0,
    )
