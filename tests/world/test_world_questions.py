"""Every answer is derived once more from the facts, by other means than those that made it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from reelgym import world
from reelgym.world.questions import Asker, ordinal

SEEDS = range(40)
Oracle = Callable[[world.Facts, re.Match[str]], str]


def scenes(kind: str) -> list[world.Facts]:
    return [world.render(kind, seed, seconds=8 + seed % 20, fps=8 + seed % 5, side=32).facts for seed in SEEDS]


FACTS = {kind: scenes(kind) for kind in sorted(world.kinds())}


def largest(facts: world.Facts) -> world.Thing:
    return max(facts.things, key=lambda thing: thing.size)


def square_at(facts: world.Facts, found: re.Match[str]) -> str:
    # "3.33 s" is a frame's time cut to two digits: the nearest frame is meant
    k = min(range(facts.frames), key=lambda k: abs(k / facts.fps - float(found[2])))
    track = facts.tracks[found[1]]
    return "abcdefgh"[int(track.x[k] * 8)] + str(1 + int(track.y[k] * 8))


def touches(facts: world.Facts, name: str) -> list[tuple[float, str]]:
    return [(e.time, e.details["wall"]) for e in facts.events if e.name == "bounce" and e.details["thing"] == name]


def first_touches(facts: world.Facts, name: str) -> dict[str, float]:
    return {wall: min(t for t, w in touches(facts, name) if w == wall) for wall in {w for _, w in touches(facts, name)}}


def next_wall(facts: world.Facts, found: re.Match[str]) -> str:
    return min((time, wall) for time, wall in touches(facts, found[1]) if time > float(found[2]))[1]


def walls_in_order(facts: world.Facts, found: re.Match[str]) -> str:
    first = first_touches(facts, found[1])
    return ", ".join(sorted(first, key=first.__getitem__))


def ball_place(facts: world.Facts, found: re.Match[str]) -> str:
    """Follow the ball by eye: the place in the row of the cup that stands where the ball is at the end of the swap."""
    swap = [event for event in facts.events if event.name == "swap"][int(found[1]) - 1]
    k = min(facts.frames - 1, round(swap.time * facts.fps))
    x = facts.tracks["ball"].x[k]
    cups = sorted(facts.tracks[thing.name].x[k] for thing in facts.things if thing.role == "cup")
    return str(1 + min(range(len(cups)), key=lambda place: abs(cups[place] - x)))


def swaps(facts: world.Facts) -> list[str]:
    return [f"{e.details['slots'][0]} with {e.details['slots'][1]}" for e in facts.events if e.name == "swap"]


def steps(facts: world.Facts) -> list[world.Event]:
    return [event for event in facts.events if event.name in ("draw", "erase", "step", "swap")]


def step_time(facts: world.Facts, found: re.Match[str]) -> str:
    return f"{steps(facts)[int(found[1]) - 1].time:.1f} s"


def next_thing(facts: world.Facts, found: re.Match[str]) -> str:
    return str(steps(facts)[int(found[1])].details["thing"])


def set_down(facts: world.Facts, found: re.Match[str]) -> str:
    """Look where the block is when the step is over: the nearest third of the picture."""
    step = steps(facts)[int(found[1]) - 1]
    x = facts.tracks[step.details["thing"]].x[min(facts.frames - 1, round(step.time * facts.fps))]
    return ["left", "middle", "right"][int(3 * x)]


def presses(facts: world.Facts) -> list[tuple[float, str]]:
    """Return (time, sign) of every press, the sign read off the button that is nearest below the hand."""
    found = []
    for event in (event for event in facts.events if event.name == "press"):
        k = min(facts.frames - 1, round((event.details["start"] + event.time) / 2 * facts.fps))
        hand = facts.tracks["hand"].x[k]
        found.append((event.time, min(("plus", "minus"), key=lambda s: abs(facts.tracks[f"{s} button"].x[k] - hand))))
    return found


def count_after(facts: world.Facts, found: re.Match[str]) -> str:
    """Count the pips seen at the first opening, and go on from there press by press."""
    pips = [facts.tracks[thing.name] for thing in facts.things if thing.name.startswith("pip ")]
    opened = next(event.time for event in facts.events if event.name == "open")
    seen = sum(pip.visible[round((opened + 0.2) * facts.fps)] for pip in pips)
    return str(seen + sum({"plus": 1, "minus": -1}[sign] for _, sign in presses(facts)[: int(found[1])]))


def leading(count: int) -> Oracle:
    def things(facts: world.Facts, _: re.Match[str]) -> str:
        seen = dict.fromkeys(event.details["thing"] for event in steps(facts))
        role = facts.thing(next(iter(seen))).role
        limit = min(count, len([thing for thing in facts.things if thing.role == role]))
        return ", ".join(list(seen)[:limit])

    return things


def swap_order(facts: world.Facts, _: re.Match[str]) -> str:
    three = swaps(facts)[:3]
    return ", ".join(three if len(three) == len(set(three)) == 3 else three[:2])


ORACLES: dict[str, Oracle] = {
    r"What colour is the largest thing\?": lambda f, _: largest(f).colour,
    r"What shape has the largest thing\?": lambda f, _: largest(f).shape,
    r"How many things move\?": lambda f, _: str(len({t.colour for t in f.things})),
    r"In which square is the (.+) at (.+) s\?.*": square_at,
    r"How many times does the (.+) touch the (.+) wall\?": lambda f, m: str(
        [wall for _, wall in touches(f, m[1])].count(m[2])
    ),
    r"When does the (.+) first touch the (.+) wall\?": lambda f, m: f"{first_touches(f, m[1])[m[2]]:.1f} s",
    r"In what order does the (.+) first touch these walls\?": walls_in_order,
    r"Which wall does the (.+) touch next after (.+) s\?": next_wall,
    r"What colour is the (ball|tip)\?": lambda f, m: next(t.colour for t in f.things if t.name == m[1]),
    r"What colour is the crane's hand\?": lambda f, _: f.things[0].colour,
    r"How many swaps are finished at the end\?": lambda f, _: str(len(swaps(f))),
    r"At which place, counted from the left, is the ball after the (\d+).. swap\?": ball_place,
    r"When is the (\d+).. (?:swap|step) finished\?": step_time,
    r"In what order are these places swapped\?": swap_order,
    r"Which places are swapped next after the (\d+).. swap\?": lambda f, m: swaps(f)[int(m[1])],
    r"How many steps .*are finished at the end\?": lambda f, _: str(len(steps(f))),
    r"What is drawn first\?": leading(1),
    r"In what order are these (?:drawn|blocks moved) first\?": leading(4),
    r"Which (?:is drawn or erased|block is moved) next after the (\d+).. step\?": next_thing,
    r"How many blocks are there\?": lambda f, _: str(len([t for t in f.things if t.name.endswith(" block")])),
    r"Where is the block of the (\d+).. step set down\?": set_down,
    r"What colour is the hand\?": lambda f, _: f.things[0].colour,
    r"How many presses are finished at the end\?": lambda f, _: str(len(presses(f))),
    r"What does the counter stand at after the (\d+).. press\?": count_after,
    r"When is the (\d+).. press finished\?": lambda f, m: f"{presses(f)[int(m[1]) - 1][0]:.1f} s",
    r"In what order are the buttons first pressed\?": lambda f, _: ", ".join(dict.fromkeys(s for _, s in presses(f))),
    r"Which button is pressed next after the (\d+).. press\?": lambda f, m: presses(f)[int(m[1])][1],
}


def answer_by_other_means(facts: world.Facts, text: str) -> str:
    matching = [(oracle, found) for pattern, oracle in ORACLES.items() if (found := re.fullmatch(pattern, text))]
    assert len(matching) == 1, text
    oracle, found = matching[0]
    return oracle(facts, found)


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_every_answer_is_what_an_independent_reading_of_the_facts_gives(kind: str) -> None:
    for facts in FACTS[kind]:
        for question in facts.questions():
            assert question.answer == answer_by_other_means(facts, question.text), (facts.seed, question)


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_all_six_kinds_of_question_are_asked(kind: str) -> None:
    asked = Counter(question.kind for facts in FACTS[kind] for question in facts.questions())
    assert set(asked) == {"what", "when", "where", "how many", "order", "next"}
    assert min(asked.values()) >= len(SEEDS) // 2


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_the_place_of_the_answer_says_nothing(kind: str) -> None:
    # among n options the answer's place is even: z-score of its mean place over all questions within 3.5
    spread, surplus = 0.0, 0.0
    for facts in FACTS[kind]:
        for question in facts.questions():
            count = len(question.options)
            surplus += question.options.index(question.answer) - (count - 1) / 2
            spread += (count * count - 1) / 12  # variance of an even draw from 0 .. n - 1
    assert abs(surplus) < 3.5 * spread**0.5


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_questions_depend_on_the_facts_alone(kind: str) -> None:
    facts = FACTS[kind][0]
    assert facts.questions() == world.Facts.from_json(facts.to_json()).questions() == facts.questions()


@pytest.mark.parametrize("answer", [0, 1, 5])
def test_a_count_may_be_any_of_its_options(answer: int) -> None:
    places = set()
    for seed in range(60):
        facts = world.render("moving", seed, seconds=1, fps=8, side=32).facts
        ask = Asker(facts)
        ask.count("How many?", answer)
        options = sorted(map(int, ask.asked[0].options))
        assert options == list(range(options[0], options[0] + 4)) and options[0] >= 0
        places.add(options.index(answer))
    assert places == set(range(min(answer, 3) + 1))


def test_times_to_choose_from_lie_apart_and_inside_the_video() -> None:
    for seed in range(40):
        facts = world.render("moving", seed, seconds=9, fps=8, side=32).facts
        ask = Asker(facts)
        ask.when("When?", 4.3)
        times = sorted(float(option.removesuffix(" s")) for option in ask.asked[0].options)
        assert all(later - time >= 1.4 for time, later in pairwise(times))
        assert times[0] >= 0 and times[-1] <= 9 and len(times) >= 3


def test_ordinals_are_english() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th",
    ]  # fmt: skip
