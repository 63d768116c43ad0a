"""A crane that takes a pile of blocks apart and builds a tower of them: a process with ordered steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from reelgym.world.base import Kind, Play, Shot
from reelgym.world.course import Course, duration
from reelgym.world.cups import HAND_SHAPES, arm
from reelgym.world.facts import CELLS, Event, Facts, Thing
from reelgym.world.moving import WALL, drifters
from reelgym.world.questions import Asker, Question, ordinal
from reelgym.world.sprites import COLOURS
from reelgym.world.stage import Actor, act

BLOCK_HEIGHT = 0.055
"""Half the height of a block."""
GRIP = 0.6
"""From the top of a block up to the centre of the hand that holds it, over the hand's radius."""
FLOOR = 0.03
"""From the bottom of the board to the foot of a pile."""
CLEARANCE = 0.12
"""How far the crane's arc rises over the straight line between two piles."""
HURRY = 1.6
"""The crane's speed over `Settings.speed`: its ways are longer than a bounce apart."""
SPOTS = ("left", "middle", "right")


@dataclass
class Yard:
    """The piles while they are moved, and the courses that come of it."""

    random: Random
    speed: float
    floor: float
    """Where the piles stand, downwards."""
    columns: Sequence[float]
    """Where the piles stand, to the right."""
    piles: list[list[int]]
    """Blocks of each pile, lowest first."""
    crane: Course
    radius: float
    """Half the width of the crane's hand."""
    blocks: dict[int, Course]
    now: float = 0.0
    events: list[Event] = field(default_factory=list)

    def spot(self, pile: int, level: int) -> tuple[float, float]:
        """Return the centre of a block at a level (0 the lowest) of a pile."""
        return self.columns[pile], self.floor - BLOCK_HEIGHT * (2 * level + 1)

    def grip(self, pile: int, level: int) -> tuple[float, float]:
        """Return where the crane holds a block at a level of a pile."""
        x, y = self.spot(pile, level)
        return x, y - BLOCK_HEIGHT - GRIP * self.radius

    def fetch(self, pile: int) -> None:
        """Let the crane go to the uppermost block of a pile."""
        target = self.grip(pile, len(self.piles[pile]) - 1)
        seconds = duration(self.crane.place, target, self.speed, CLEARANCE)
        self.now = self.crane.go(*target, start=self.now, seconds=seconds, bulge=-CLEARANCE)

    def carry(self, source: int, target: int, name: str) -> None:
        """Carry the uppermost block of a pile onto another; `name` is the block's."""
        start, block = self.now, self.piles[source].pop()
        level = len(self.piles[target])
        seconds = duration(self.crane.place, self.grip(target, level), self.speed, CLEARANCE)
        self.crane.go(*self.grip(target, level), start=start, seconds=seconds, bulge=-CLEARANCE)
        self.now = self.blocks[block].go(*self.spot(target, level), start=start, seconds=seconds, bulge=-CLEARANCE)
        self.piles[target].append(block)
        details = {"thing": name, "source": SPOTS[source], "target": SPOTS[target], "start": round(start, 3)}
        self.events.append(Event(time=round(self.now, 3), name="step", details=details | {"level": level + 1}))


def build(yard: Yard, names: Sequence[str], seconds: float) -> None:
    """Move the whole pile to a free spot, block by block, and again to another, until the time is over."""
    source = next(index for index, pile in enumerate(yard.piles) if pile)
    while yard.now < seconds:
        target = yard.random.choice([index for index in range(len(SPOTS)) if index != source])
        while yard.piles[source]:
            yard.fetch(source)
            yard.carry(source, target, names[yard.piles[source][-1]])
        source = target


class Tower(Kind):
    """A crane that moves a pile of blocks, one by one, to where a tower grows; the focus is the crane's hand."""

    name = "tower"
    version = 1

    def compose(self, shot: Shot) -> Play:
        """Return the crane and three to five blocks, each of its own colour and width."""
        random, settings = shot.random, shot.settings
        low, count = shot.pan + WALL, random.randint(3, 5)
        colours = random.sample(sorted(COLOURS), 1 + count)
        widths = [round(random.uniform(0.07, 0.13), 4) for _ in range(count)]
        radius = round(random.uniform(*settings.radius), 4)
        yard = Yard(
            random=random,
            speed=HURRY * random.uniform(*settings.speed) / CELLS,
            floor=1 - low - FLOOR,
            columns=(low + 0.15, 0.5, 1 - low - 0.15),
            piles=[[], [], []],
            crane=Course(random.uniform(0.25, 0.75), random.uniform(0.2, 0.3)),
            radius=radius,
            blocks={},
        )
        start = random.randrange(len(SPOTS))
        yard.piles[start] = list(range(count))
        yard.blocks = {block: Course(*yard.spot(start, block)) for block in range(count)}
        crane = Thing(name="crane", colour=colours[0], shape=random.choice(HAND_SHAPES), size=radius, role="focus")
        blocks = [
            Thing(name=f"{colour} block", colour=colour, shape="bar", size=width, role="block")
            for colour, width in zip(colours[1:], widths, strict=True)
        ]
        build(yard, [block.name for block in blocks], shot.seconds)
        actors = _blocks(shot, blocks, yard)
        others, extra = drifters(shot, colours, low)
        return Play(
            things=[crane, *blocks, *others],
            actors=[*extra, *actors, *arm(shot, crane, yard.crane.sample(shot.times))],
            events=[event for event in yard.events if event.time < shot.seconds],
            board=(low, low, 1 - low, 1 - low),
        )

    def questions(self, facts: Facts) -> list[Question]:
        """Return questions about the crane, the order of the blocks and where they come to stand."""
        ask, steps, crane = Asker(facts), facts.named("step"), facts.thing(facts.focus)
        moved = [event.details["thing"] for event in steps]
        blocks = [thing.name for thing in facts.with_role("block")]
        ask.choose("what", "What colour is the crane's hand?", crane.colour, COLOURS)
        ask.count("How many blocks are there?", len(blocks))
        ask.count("How many steps are finished at the end?", len(steps))
        ask.where(crane.name)
        if not steps:
            return ask.asked
        k = ask.random.randrange(len(steps))
        ask.when(f"When is the {ordinal(k + 1)} step finished?", steps[k].time)
        ask.choose(
            "where", f"Where is the block of the {ordinal(k + 1)} step set down?", steps[k].details["target"], SPOTS
        )
        ask.order("In what order are these blocks moved first?", moved[: min(4, len(blocks))])
        if len(steps) > 1:
            k = ask.random.randrange(len(steps) - 1)
            ask.choose("next", f"Which block is moved next after the {ordinal(k + 1)} step?", moved[k + 1], blocks)
        return ask.asked


def _blocks(shot: Shot, blocks: Sequence[Thing], yard: Yard) -> list[Actor]:
    dim = shot.random.uniform(*shot.settings.dimness)
    return [
        act(
            thing.name,
            "bar",
            shot.fade(thing.colour, dim),
            yard.blocks[block].sample(shot.times),
            thing.size,
            BLOCK_HEIGHT,
            depth=2.0,
            shadow=0.12,
        )
        for block, thing in enumerate(blocks)
    ]
