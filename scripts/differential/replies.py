"""Replies that are built to state one known answer, or none: what both sides read, seeded and by form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

LETTERS = "ABCDEFGHIJ"

TEXTS = (
    "a red cup",
    "a cup",
    "a red cup and a plate",
    "The man leaves",
    "two",
    "twelve",
    "A dog barks",
    "left",
    "to the left",
    "Be careful",
    "I see nothing",
    "cut, then fry",
    "blue",
    "dark blue",
    "after the goal",
    "42",
    "None of these",
    "both hands",
    "C. elegans",
    "an apple",
    "she waves",
    "he sits down",
    "because it rains",
    "in the kitchen",
)


@dataclass(frozen=True)
class Reply:
    """A reply, the options it answers, and the letter that it states; None where it states none."""

    text: str
    options: tuple[str, ...]
    stated: str | None


ONE = (
    "{L}",
    "({L})",
    "{L}.",
    "{L}. {t}",
    "({L}) {t}",
    "{L}) {t}",
    "{L}: {t}",
    "[{L}]",
    " {L}\n",
    "Answer: {L}",
    "The answer is {L}.",
    "The correct answer is ({L}) {t}.",
    "The best option is {L}",
    "I think it is {L}",
    "It is {L}.",
    "Final Answer: {L}",
    "**{L}**",
    "**Answer:** {L}",
    "\\boxed{{{L}}}",
    "So it is $\\boxed{{\\text{{{L}}}}}$.",
    "<answer>{L}</answer>",
    "<answer>{L}. {t}</answer>",
    "{l}",
    "({l})",
    "{t}",
    "{t}.",
    "It shows {t}.",
    "A man opens a door, so the answer is {L}",
    "I see two people. The answer is {L}.",
    "At first nothing moves.\n\nAnswer: {L}",
    "Option {M} is wrong; the answer is {L}",
    "The answer is {L}, not {M}.",
    "{M} is incorrect. The answer is {L}.",
    "At first {M} seems likely, but the answer is {L}.",
    "<think>Perhaps {M}. No.</think>{L}",
    "<think>{M}? It shows more.</think>\nThe answer is {L}.",
    "<think>{M}</think><answer>{L}</answer>",
    "<answer>{M}</answer> No: <answer>{L}</answer>",
    "\u7b54\u6848\u662f{L}",
    "\u7b54\u6848\uff1a{L}",
    "\uc815\ub2f5: {L}",
    "La respuesta es {L}",
    "\u041e\u0442\u0432\u0435\u0442: {L}",
    "{L}, because it is shown at the end.",
    "The video shows it at 0:12. Therefore, the answer is {L}.",
)
NONE = (
    "",
    ".",
    "The video does not show this.",
    "I am not sure.",
    "Cannot be determined",
    "{L} or {M}",
    "Both {L} and {M}",
    "The answer is {L} or {M}",
    "{L}, {M}",
    "not {L}",
    "{L} is wrong",
    "It isn't {L}",
    "<think>Perhaps {L}, since it shows",
    "<think>The answer is {L}",
    "A dog and a bird run.",
    "The answer is Z",
    "Between {L} and {M} I cannot choose.",
)
NONE_SHARE = 0.25


def letters(seed: str, counts: tuple[int, ...], number: int = 1000) -> Iterator[Reply]:
    """Yield replies to choices among as many options as `counts` names."""
    random = Random(seed)
    for _ in range(number):
        options = tuple(random.sample(TEXTS, random.choice(counts)))
        right, other = random.sample(range(len(options)), 2)
        is_none = random.random() < NONE_SHARE
        form = random.choice(NONE if is_none else ONE)
        names = {"L": LETTERS[right], "M": LETTERS[other], "l": LETTERS[right].lower(), "t": options[right]}
        yield Reply(form.format(**names), options, None if is_none else LETTERS[right])


@dataclass(frozen=True)
class Stated:
    """A reply, what is right, and what it states: a number, an interval, an order or a text; None for nothing."""

    text: str
    truth: object
    stated: object


_NUMBERS = (
    "{n}",
    "{n}.",
    "There are {n} chairs.",
    "The answer is {n}",
    "about {n} m",
    "**{n}**",
    "\\boxed{{{n}}}",
    "{n} chairs, so {n}",
    "I counted {m}, then one more pair: the answer is {n}.",
    "<think>{m}?</think>{n}",
    "<answer>{n}</answer>",
    "{a} + {b} = {n}",
    "= {n}",
)
_NO_NUMBERS = ("", "many", "{n} or {m}", "between {n} and {m}", "<think>It is {n}", "{n}-{m}", "Chair 1 and chair 2")


def numbers(seed: str, number: int = 1000) -> Iterator[Stated]:
    """Yield replies to a question for a number."""
    random = Random(seed)
    for _ in range(number):
        first, second = random.randint(1, 40), random.randint(1, 40)
        is_none = random.random() < NONE_SHARE
        whole, near = first + second, first + second + random.randint(1, 9)
        form = random.choice(_NO_NUMBERS if is_none else _NUMBERS)
        text = form.format(n=whole, m=near, a=first, b=second)
        yield Stated(text, float(random.choice((whole, near))), None if is_none else float(whole))


_SPANS = (
    "{a} - {b}",
    "{a} - {b} seconds",
    "From {a} to {b} seconds.",
    "It starts at {a} s and ends at {b} s.",
    "[{a}, {b}]",
    "The event happens in {a} - {b} seconds",
    "{x} - {y}",
    "From {x} to {y}.",
    "<think>{c} - {b}</think>{a} - {b}",
    "The answer is {a} to {b}.",
    "Start: {a}, end: {b}",
    "between {a} and {b}",
    "<answer>{a} - {b}</answer>",
)
_NO_SPANS = ("", "It never happens.", "at {a} s", "{b} - {a}", "{a} - {b} or {c} - {b}", "<think>{a} - {b}")


def spans(seed: str, number: int = 1000) -> Iterator[Stated]:
    """Yield replies to a question for an interval in seconds."""
    random = Random(seed)
    for _ in range(number):
        start, length = random.randint(3, 90), random.randint(1, 60)
        is_none = random.random() < NONE_SHARE
        form = random.choice(_NO_SPANS if is_none else _SPANS)
        clock = {"x": f"{start // 60}:{start % 60:02d}", "y": f"{(start + length) // 60}:{(start + length) % 60:02d}"}
        text = form.format(a=start, b=start + length, c=start - 2, **clock)
        yield Stated(
            text, (float(start), start + length + 1.0), None if is_none else (float(start), float(start + length))
        )


_ORDERS = (
    "{o}",
    "Correct order: {o}",
    "Correct order: Clip {o}",
    "First the eggs.\nCorrect order: {o}",
    "**Correct order:** {o}",
    "<think>{w}</think>Correct order: {o}",
    "<answer>{o}</answer>",
    "Perhaps {w}.\nCorrect order: {o}",
    "{arrows}",
    "[{o}]",
)
_NO_ORDERS = ("", "I cannot tell.", "1, 1, 2", "1, 2", "Correct order:", "<think>{o}")


def orders(seed: str, number: int = 1000) -> Iterator[Stated]:
    """Yield replies to a question for an order of three to six clips."""
    random = Random(seed)
    for _ in range(number):
        count = random.randint(3, 6)
        right, wrong = random.sample(range(1, count + 1), count), random.sample(range(1, count + 1), count)
        is_none = random.random() < NONE_SHARE
        form = random.choice(_NO_ORDERS if is_none else _ORDERS)
        written = ", ".join(map(str, right))
        text = form.format(o=written, w=", ".join(map(str, wrong)), arrows=" -> ".join(map(str, right)))
        yield Stated(text, tuple(right), None if is_none else tuple(right))


_PHRASES = (
    "quick sort",
    "depth-first search",
    "the left valve",
    "nitrogen",
    "a red cup",
    "photosynthesis",
    "3.5",
    "12",
    "0.25",
)
_FREE = (
    "{t}",
    "{t}.",
    "The answer is {t}.",
    "Final Answer: {t}",
    "It is {t}, not {u}.",
    "{t} or {u}",
    "It is not {t} but {u}.",
    "{half}",
    "{u}",
    "Between 1 and {t}",
    "",
    "<think>{t}",
    "I think it could be {t}",
)
_FREE_STATES: dict[str, Callable[[str, str], str | None]] = {
    "It is not {t} but {u}.": lambda right, other: other,
    "{u}": lambda right, other: other,
    **dict.fromkeys(("{t} or {u}", "{half}", "Between 1 and {t}", "", "<think>{t}"), lambda right, other: None),
}


def phrases(seed: str, number: int = 1000) -> Iterator[Stated]:
    """Yield replies to a question for a few words or a number."""
    random = Random(seed)
    for _ in range(number):
        right, other = random.sample(_PHRASES, 2)
        form = random.choice(_FREE)
        stated = _FREE_STATES.get(form, lambda right, other: right)(right, other)
        yield Stated(form.format(t=right, u=other, half=right[: len(right) // 2]), right, stated)
