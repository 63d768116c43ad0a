"""A counter stepped by two buttons, its pips behind a shutter: a hidden count changed by visible operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from reelgym.world.base import Kind, Play, Shot
from reelgym.world.course import Course, duration
from reelgym.world.cups import HAND_SHAPES, arm
from reelgym.world.facts import CELLS, Event, Facts, Thing
from reelgym.world.moving import WALL, drifters
from reelgym.world.questions import Asker, Question, ordinal
from reelgym.world.sprites import COLOURS, Colour, mix
from reelgym.world.stage import Actor, Array, act

STEPS = {"plus": 1, "minus": -1}
"""What each button does to the count."""
MOST = 6
"""The largest count: as many pips there are."""
WINDOW = (0.28, 0.065)
"""Half the width and height of the window, and of its shutter."""
PIP = 0.036
"""Radius of a pip."""
BUTTON = 0.065
"""Radius of a button."""
SIGN = 0.05
"""Half the width of the sign below a button."""
GRIP = 0.4
"""From the top of what the hand holds or presses up to its centre, over its radius."""
LIFT = 0.14
"""How far up the shutter goes: the pips lie clear below it."""
PRESS = 0.03
"""How far down a button goes."""
ARC = 0.08
"""How far the hand rises on its way."""
HOLD_SECONDS = 0.4
"""How long the shutter is held open."""
HURRY = 1.8
"""The hand's speed over `Settings.speed`: its ways are longer than a bounce apart."""


@dataclass
class Machine:
    """The counter while it is operated, and the courses that come of it."""

    random: Random
    speed: float
    hand: Course
    radius: float
    """Half the width of the hand."""
    shutter: Course
    buttons: dict[str, Course]
    count: int
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    counts: list[tuple[float, int]] = field(default_factory=list)
    """(time, count): what the counter stands at from then on."""

    def reach(self, thing: Course, half_height: float) -> None:
        """Let the hand go to the top of a thing."""
        x, y = thing.place[0], thing.place[1] - half_height - GRIP * self.radius
        seconds = duration(self.hand.place, (x, y), self.speed, ARC)
        self.now = self.hand.go(x, y, start=self.now, seconds=seconds, bulge=-ARC)

    def shift(self, thing: Course, down: float) -> None:
        """Let the hand take a thing down, or up where `down` is negative."""
        (x, y), (hand_x, hand_y), seconds = thing.place, self.hand.place, max(0.25, abs(down) / self.speed)
        self.hand.go(hand_x, hand_y + down, start=self.now, seconds=seconds)
        self.now = thing.go(x, y + down, start=self.now, seconds=seconds)

    def show(self) -> None:
        """Open the shutter for a moment."""
        self.reach(self.shutter, WINDOW[1])
        self.shift(self.shutter, -LIFT)
        self._happened("open", count=self.count)
        self.now += HOLD_SECONDS
        self.shift(self.shutter, LIFT)
        self._happened("close", count=self.count)

    def press(self, sign: str) -> None:
        """Step the counter by a button."""
        self.reach(self.buttons[sign], BUTTON)
        start = self.now
        self.shift(self.buttons[sign], PRESS)
        self.shift(self.buttons[sign], -PRESS)
        self.count += STEPS[sign]
        self.counts.append((self.now, self.count))
        self._happened("press", button=sign, count=self.count, start=round(start, 3))

    def _happened(self, name: str, **details: str | int | float) -> None:
        self.events.append(Event(time=round(self.now, 3), name=name, details=details))


def operate(machine: Machine, seconds: float) -> None:
    """Show the count, then press buttons, now and then showing the count again, until the time is over."""
    machine.show()
    unseen = 0
    while machine.now < seconds:
        if unseen >= 2 and machine.random.random() < 0.25:
            machine.show()
            unseen = 0
            continue
        machine.press(machine.random.choice([sign for sign in STEPS if 0 <= machine.count + STEPS[sign] <= MOST]))
        unseen += 1


class Counter(Kind):
    """A counter behind a shutter that a hand steps by a plus and a minus button; the focus is the hand."""

    name = "counter"
    version = 1

    def compose(self, shot: Shot) -> Play:
        """Return the hand, the shutter with the pips behind it, and the two buttons, each side by chance."""
        random, settings = shot.random, shot.settings
        low = shot.pan + WALL
        colours = random.sample(sorted(COLOURS), 5)
        sides = [random.uniform(0.24, 0.29), random.uniform(0.71, 0.76)]
        random.shuffle(sides)
        height = random.uniform(0.71, 0.74)
        radius = round(random.uniform(*settings.radius), 4)
        machine = Machine(
            random=random,
            speed=HURRY * random.uniform(*settings.speed) / CELLS,
            hand=Course(random.uniform(0.3, 0.7), random.uniform(0.2, 0.3)),
            radius=radius,
            shutter=Course(0.5 + random.uniform(-0.02, 0.02), random.uniform(0.43, 0.45)),
            buttons={sign: Course(side, height) for sign, side in zip(STEPS, sides, strict=True)},
            count=random.randint(0, MOST),
        )
        machine.counts.append((0.0, machine.count))
        window = machine.shutter.place
        operate(machine, shot.seconds)
        things = _things(random, colours, radius)
        actors = _actors(shot, machine, things, window)
        others, extra = drifters(shot, colours, low)
        return Play(
            things=[*things, *others],
            actors=[*extra, *actors],
            events=[event for event in machine.events if event.time < shot.seconds],
            board=(low, low, 1 - low, 1 - low),
        )

    def questions(self, facts: Facts) -> list[Question]:
        """Return questions about the count, which is seldom seen, and the presses that change it."""
        ask, presses = Asker(facts), facts.named("press")
        pressed = [event.details["button"] for event in presses]
        ask.choose("what", "What colour is the hand?", facts.thing(facts.focus).colour, COLOURS)
        ask.where(facts.focus)
        ask.count("How many presses are finished at the end?", len(presses))
        if not presses:
            return ask.asked
        k = ask.random.randrange(len(presses))
        ask.count(f"What does the counter stand at after the {ordinal(k + 1)} press?", presses[k].details["count"])
        ask.when(f"When is the {ordinal(k + 1)} press finished?", presses[k].time)
        ask.order("In what order are the buttons first pressed?", list(dict.fromkeys(pressed)))
        if len(presses) > 1:
            k = ask.random.randrange(len(presses) - 1)
            text = f"Which button is pressed next after the {ordinal(k + 1)} press?"
            ask.choose("next", text, pressed[k + 1], STEPS)
        return ask.asked


def _things(random: Random, colours: Sequence[str], radius: float) -> list[Thing]:
    hand, shutter, plus, minus, pip = colours
    width = WINDOW[0]
    return [
        Thing(name="hand", colour=hand, shape=random.choice(HAND_SHAPES), size=radius, role="focus"),
        Thing(name="shutter", colour=shutter, shape="bar", size=width, role="shutter"),
        Thing(name="plus button", colour=plus, shape="disc", size=BUTTON, role="button"),
        Thing(name="minus button", colour=minus, shape="disc", size=BUTTON, role="button"),
        *(Thing(name=f"pip {i + 1}", colour=pip, shape="disc", size=PIP, role="pip") for i in range(MOST)),
    ]


def _actors(shot: Shot, machine: Machine, things: Sequence[Thing], window: tuple[float, float]) -> list[Actor]:
    hand, shutter, plus, minus, *pips = things
    dim, times = shot.random.uniform(*shot.settings.dimness), shot.times
    back = mix(shot.ground, (96, 104, 118), 0.75)
    ink = mix(shot.ground, (40, 44, 52) if sum(shot.ground) > 384 else (214, 220, 230), 0.75)
    path = machine.shutter.sample(times)
    actors = [_fixed(shot, window, WINDOW, back), *_pips(shot, machine, pips, window)]
    actors.append(act(shutter.name, "bar", shot.fade(shutter.colour, dim), path, *WINDOW, depth=3.0, shadow=0.12))
    for sign, thing in (("plus", plus), ("minus", minus)):
        course = machine.buttons[sign]
        colour = shot.fade(thing.colour, dim)
        actors += _sign(shot, course.place, sign, ink)
        actors.append(act(thing.name, "disc", colour, course.sample(times), BUTTON, depth=2.0, shadow=0.12))
    return actors + arm(shot, hand, machine.hand.sample(times))


def _pips(shot: Shot, machine: Machine, things: Sequence[Thing], window: tuple[float, float]) -> list[Actor]:
    """Return the pips in a row; as many are lit, from the left, as the counter stands at."""
    starts = np.array([time for time, _ in machine.counts])
    counts = np.array([count for _, count in machine.counts])[np.searchsorted(starts, shot.times, side="right") - 1]
    gap = 2 * WINDOW[0] / (MOST + 0.25)
    places = [(window[0] + gap * (i - (MOST - 1) / 2), window[1]) for i in range(MOST)]
    return [
        act(thing.name, "disc", COLOURS[thing.colour], _still(shot, place), PIP, painted=counts > i, depth=2.0)
        for i, (thing, place) in enumerate(zip(things, places, strict=True))
    ]


def _sign(shot: Shot, button: tuple[float, float], sign: str, colour: Colour) -> list[Actor]:
    """Return the bars of a plus or a minus below a button."""
    place, thin = (button[0], button[1] + BUTTON + 1.7 * SIGN), 0.3 * SIGN
    bars = [(SIGN, thin), (thin, SIGN)][: 2 if sign == "plus" else 1]
    return [_fixed(shot, place, half, colour) for half in bars]


def _fixed(shot: Shot, place: tuple[float, float], half: tuple[float, float], colour: Colour) -> Actor:
    """Return a flat bar that never moves and is no thing."""
    return act("", "bar", colour, _still(shot, place), *half, depth=1.0, shadow=0.0)


def _still(shot: Shot, place: tuple[float, float]) -> Array:
    return np.tile(np.asarray(place), (shot.frames, 1))
