"""Cups that a hand swaps, and a ball under one of them: a hidden state changed by visible operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from random import Random

import numpy as np

from reelgym.world.base import Kind, Play, Shot
from reelgym.world.course import Course, duration
from reelgym.world.facts import CELLS, Event, Facts, Thing
from reelgym.world.moving import WALL, drifters
from reelgym.world.questions import Asker, Question, ordinal
from reelgym.world.sprites import COLOURS, mix
from reelgym.world.stage import Actor, Array, act

HAND_SHAPES = ("disc", "hexagon", "square")
CUP_HEIGHT = 0.12
"""Half the height of a cup."""
GRIP = 0.4
"""From the top of a cup up to the centre of the hand that holds it, over the hand's radius."""
BALL = 0.045
"""Radius of the ball."""
RISE = 0.2
"""How far up a held cup goes: on its arc, or to show what is below."""
DIP = 0.13
"""How far down the other cup goes on its arc."""
HURRY = 1.8
"""The hand's speed over `Settings.speed`: its ways are longer than a bounce apart."""


@dataclass
class Table:
    """The state of the game while it is played, and the courses that come of it."""

    random: Random
    speed: float
    slots: Sequence[tuple[float, float]]
    hand: Course
    radius: float
    """Half the width of the hand."""
    cups: list[Course]
    order: list[int]
    """Which cup stands at each slot."""
    ball: int
    """The cup over the ball."""
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    fronts: list[tuple[int, float, float]] = field(default_factory=list)
    """(cup, start, stop): when a cup passes in front of the others."""

    def top(self, slot: int) -> tuple[float, float]:
        """Return where the hand grips the cup at a slot."""
        x, y = self.slots[slot]
        return x, y - CUP_HEIGHT - GRIP * self.radius

    def reach(self, slot: int) -> None:
        """Let the hand go to the cup at a slot."""
        bulge = -0.5 * RISE
        seconds = duration(self.hand.place, self.top(slot), self.speed, bulge)
        self.now = self.hand.go(*self.top(slot), start=self.now, seconds=seconds, bulge=bulge)

    def lift(self, slot: int) -> None:
        """Lift the cup at a slot and set it down again."""
        cup, (x, y), (hand_x, hand_y) = self.order[slot], self.slots[slot], self.top(slot)
        seconds = RISE / self.speed
        for height, name in ((RISE, "lift"), (0.0, "lower")):
            self.hand.go(hand_x, hand_y - height, start=self.now, seconds=seconds)
            self.now = self.cups[cup].go(x, y - height, start=self.now, seconds=seconds)
            details = {"cup": _cup_name(cup), "slot": slot + 1, "ball": cup == self.ball}
            self.events.append(Event(time=round(self.now, 3), name=name, details=details))

    def swap(self, slot: int, other: int) -> None:
        """Carry the cup at a slot over to another slot while the other cup slides back below."""
        held, passed = self.order[slot], self.order[other]
        start, seconds = self.now, duration(self.slots[slot], self.slots[other], self.speed, RISE)
        self.hand.go(*self.top(other), start=start, seconds=seconds, bulge=-RISE)
        self.cups[held].go(*self.slots[other], start=start, seconds=seconds, bulge=-RISE)
        self.now = self.cups[passed].go(*self.slots[slot], start=start, seconds=seconds, bulge=DIP)
        self.fronts.append((passed, start, self.now))
        self.order[slot], self.order[other] = passed, held
        details = {
            "slots": sorted((slot + 1, other + 1)),
            "held": _cup_name(held),
            "passed": _cup_name(passed),
            "start": round(start, 3),
            "ball_slot": self.order.index(self.ball) + 1,
        }
        self.events.append(Event(time=round(self.now, 3), name="swap", details=details))


def _cup_name(cup: int) -> str:
    return f"cup {cup + 1}"


def play(table: Table, seconds: float) -> None:
    """Show the ball, then swap, now and then showing what is under a cup, until the time is over."""
    first = table.order.index(table.ball)
    table.reach(first)
    table.lift(first)
    at = first
    since_lift = 0
    while table.now < seconds:
        slots = range(len(table.slots))
        if since_lift >= 2 and table.random.random() < 0.25:
            at = table.order.index(table.ball) if table.random.random() < 0.7 else table.random.choice(slots)
            table.reach(at)
            table.lift(at)
            since_lift = 0
            continue
        start = table.random.choice([slot for slot in slots if slot != at])
        stop = table.random.choice([slot for slot in slots if slot != start])
        table.reach(start)
        table.swap(start, stop)
        at, since_lift = stop, since_lift + 1


class Cups(Kind):
    """Cups that a hand swaps with a ball under one of them; the focus is the hand."""

    name = "cups"
    version = 1

    def compose(self, shot: Shot) -> Play:
        """Return the hand, three or four cups and the ball; cups look alike in half of the scenes."""
        random, settings = shot.random, shot.settings
        low, count = shot.pan + WALL, random.choice((3, 3, 4))
        colours = random.sample(sorted(COLOURS), 3 + count)
        if random.random() < 0.5:
            colours[3:] = [colours[2]] * count
        level, tilt = random.uniform(0.6, 0.65), random.uniform(-0.05, 0.05)
        half = 0.11 if count == 3 else 0.085
        edge = low + half + 0.02
        slots = [
            (edge + (1 - 2 * edge) * i / (count - 1), level + tilt * (2 * i / (count - 1) - 1)) for i in range(count)
        ]
        radius = round(random.uniform(*settings.radius), 4)
        table = Table(
            random=random,
            speed=HURRY * random.uniform(*settings.speed) / CELLS,
            slots=slots,
            hand=Course(random.uniform(0.3, 0.7), random.uniform(0.2, 0.3)),
            radius=radius,
            cups=[Course(*slot) for slot in slots],
            order=list(range(count)),
            ball=random.randrange(count),
        )
        play(table, shot.seconds)
        things = _things(random, colours, half, radius)
        actors = _actors(shot, table, things)
        others, extra = drifters(shot, colours, low)
        events = [event for event in table.events if event.time < shot.seconds]
        return Play(
            things=[*things, *others], actors=[*extra, *actors], events=events, board=(low, low, 1 - low, 1 - low)
        )

    def questions(self, facts: Facts) -> list[Question]:
        """Return questions about the ball's place and the swaps; places count from the left, from 1."""
        ask, swaps = Asker(facts), facts.named("swap")
        places = [str(place + 1) for place in range(len(facts.with_role("cup")))]
        ask.choose("what", "What colour is the ball?", facts.thing("ball").colour, COLOURS)
        ask.where(facts.focus)
        ask.count("How many swaps are finished at the end?", len(swaps))
        if not swaps:
            return ask.asked
        pairs = [_pair(event) for event in swaps]
        k = ask.random.randrange(len(swaps))
        text = f"At which place, counted from the left, is the ball after the {ordinal(k + 1)} swap?"
        ask.choose("where", text, str(swaps[k].details["ball_slot"]), places)
        ask.when(f"When is the {ordinal(k + 1)} swap finished?", swaps[k].time)
        ask.order("In what order are these places swapped?", pairs[:3] if len(set(pairs[:3])) == 3 else pairs[:2])
        if len(swaps) > 1:
            k = ask.random.randrange(len(swaps) - 1)
            others = (f"{a} with {b}" for a, b in combinations(places, 2))
            ask.choose("next", f"Which places are swapped next after the {ordinal(k + 1)} swap?", pairs[k + 1], others)
        return ask.asked


def _pair(swap: Event) -> str:
    low, high = swap.details["slots"]
    return f"{low} with {high}"


def _things(random: Random, colours: Sequence[str], half: float, radius: float) -> list[Thing]:
    hand = Thing(name="hand", colour=colours[0], shape=random.choice(HAND_SHAPES), size=radius, role="focus")
    ball = Thing(name="ball", colour=colours[1], shape="disc", size=BALL, role="ball")
    cups = [
        Thing(name=_cup_name(i), colour=colour, shape="cup", size=half, role="cup")
        for i, colour in enumerate(colours[3:])
    ]
    return [hand, ball, *cups]


def _actors(shot: Shot, table: Table, things: Sequence[Thing]) -> list[Actor]:
    hand, ball, *cups = things
    times, dim = shot.times, shot.random.uniform(*shot.settings.dimness)
    paths = [course.sample(times) for course in table.cups]
    home = np.asarray(table.slots)
    actors = [_ball(ball, paths[table.ball], home)]
    for index, (thing, path) in enumerate(zip(cups, paths, strict=True)):
        depth = np.full(shot.frames, 2.0)
        for cup, start, stop in table.fronts:
            if cup == index:
                depth[(times >= start) & (times < stop)] = 3.0
        colour = shot.fade(thing.colour, dim)
        actors.append(act(thing.name, "cup", colour, path, thing.size, CUP_HEIGHT, depth=depth))
    return actors + arm(shot, hand, table.hand.sample(times))


def _ball(thing: Thing, cup: Array, home: Array) -> Actor:
    """Return the ball: it stays on the table while its cup is lifted, else it goes along unseen."""
    nearest = home[np.abs(home[None, :, 0] - cup[:, None, 0]).argmin(axis=1)]
    lifted = (np.abs(cup[:, 0] - nearest[:, 0]) < 1e-6) & (cup[:, 1] < nearest[:, 1] - 0.03)
    path = np.where(lifted[:, None], nearest, cup) + np.array([0.0, CUP_HEIGHT - BALL])
    return act(thing.name, "disc", COLOURS[thing.colour], path, thing.size, painted=lifted, depth=1.0, shadow=0.15)


def arm(shot: Shot, hand: Thing, path: Array) -> list[Actor]:
    """Return the hand, nearest of all, and the arm that holds it from above the image."""
    grey = mix(shot.ground, (96, 104, 118), 0.75)
    return [
        act("", "bar", grey, path - np.array([0.0, 0.6]), 0.016, 0.6, depth=8.0, shadow=0.0),
        act(hand.name, hand.shape, COLOURS[hand.colour], path, hand.size, depth=9.0),
    ]
