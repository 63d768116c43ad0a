"""Models without weights, whose way to an answer is known: what probes and floors say of them can be checked.

    solver   looks at the pixels it is given, in the order it is given them, and knows the world's colours.
    guesser  names an option by a draw that only the question's id and the draw's number decide.
    longest  names the longest option.

They see what any model sees: text and pixels. Where an answer cannot be told they guess, each by draws of its own:
`guesser@7` is the guesser's draw 7, and `guesser` its draw 0. No rule of guessing once per question scores steadier
than another where right letters are shuffled, and 1 in 20 draws misses its 95% interval of chance; so a guess is judged
by many draws, and no single one is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Message, Text
from reelgym.errors import RequestError, unknown
from reelgym.evaluation.probes.base import number_of
from reelgym.evaluation.speakers import Asked, Said, Speaker
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.base import MediaReader
from reelgym.world.facts import square
from reelgym.world.sprites import COLOURS

VERSION = 2
"""Raised whenever a script would reply otherwise; stored with results."""

LIKENESS, BRIGHTNESS, PIXELS = 0.983, 0.7, 12
"""A pixel is of a colour at this cosine and this share of its length; fewer pixels are no thing."""

LOOKED_AT = 56
"""Pixels of the shorter side that are looked at, where there are more."""

_OPTION = re.compile(r"^([A-Z])\. (.+)$", re.MULTILINE)
_PASSING = re.compile(r"middle of the (\w+) \w+ come through these squares")
_SQUARE = re.compile(r"\b[a-h][1-8]\b")
_COLOUR = re.compile(r"^\s*What colour ", re.MULTILINE)

Options = dict[str, str]
Script = Callable[[str, tuple[Message, ...], MediaReader], str]
"""From what decides its guesses, a question's messages and what reads media to a reply."""


class Scripted(Speaker):
    """A script that is asked like a model."""

    def __init__(self, name: str) -> None:
        """Take its name, with `@` and the number of the draw that its guesses are of; without one it is 0.

        Raises:
            RequestError: There is no such script, or the draw is no number.
        """
        script, at, draw = name.partition("@")
        if script not in SCRIPTS:
            raise unknown("script", script, SCRIPTS)
        if at and not (draw.isascii() and draw.isdigit()):
            raise RequestError(f"script {name!r}: the draw {draw!r} is no whole number: give script:{script}@7")
        self._script, self._draw = script, int(draw or 0)

    def answers(self, asked: Sequence[Asked], media: MediaReader, max_tokens: int) -> Iterator[list[tuple[int, Said]]]:
        """See `Speaker.answers`."""
        for place, (key, messages) in enumerate(asked):
            yield [(place, Said(text=SCRIPTS[self._script](f"{self._draw}:{key}", messages, media)))]

    def about(self) -> dict[str, Any]:
        """Return the script's version and the number of the draw."""
        return {"script": VERSION, "draw": self._draw}


def solver(key: str, messages: tuple[Message, ...], media: MediaReader) -> str:
    """Return the letter of the order, or the colour, that the frames show; guess where they show none."""
    text, options = _text(messages), options_of(messages)
    clips = [part for message in messages for part in message.parts if isinstance(part, Clip)]
    worth = dict.fromkeys(options, 0.0)
    if found := _PASSING.search(text):
        frames = [frame for clip in clips for frame in media(clip)]
        seen = first_seen([centre(frame, found[1]) for frame in frames])
        worth = {letter: float(in_order(_SQUARE.findall(option), seen)) for letter, option in options.items()}
    elif _COLOUR.search(text):
        frames = [frame for clip in clips for frame in media(clip)]
        worth = {
            letter: float(sum(_mask(frame, option).sum() for frame in frames)) for letter, option in options.items()
        }
    best = [letter for letter in options if worth[letter] == max(worth.values())]
    return best[0] if len(best) == 1 else _drawn("solver", key, best)


def guesser(key: str, messages: tuple[Message, ...], media: MediaReader) -> str:
    """Return a letter drawn by the key; an empty reply where there are no options."""
    return _drawn("guesser", key, list(options_of(messages)))


def longest(key: str, messages: tuple[Message, ...], media: MediaReader) -> str:
    """Return the letter of the longest option, drawn where several are."""
    options = options_of(messages)
    most = max(map(len, options.values()), default=0)
    return _drawn("longest", key, [letter for letter, option in options.items() if len(option) == most])


SCRIPTS: dict[str, Script] = {"solver": solver, "guesser": guesser, "longest": longest}
"""All scripts by name."""


def options_of(messages: Sequence[Message]) -> Options:
    """Return the lettered options that stand in a prompt, in their order."""
    found: Options = {}
    for letter, option in _OPTION.findall(_text(messages)):
        if letter == LETTERS[len(found)]:
            found[letter] = option
    return found


def centre(frame: NDArray[np.uint8], colour: str) -> tuple[float, float] | None:
    """Return the middle (x, y in 0 to 1) of what has a colour in a frame (H, W, 3); None where too little has it."""
    step = max(1, min(frame.shape[:2]) // LOOKED_AT)
    rows, columns = np.nonzero(_mask(frame[::step, ::step], colour))
    if len(rows) * step**2 < PIXELS:
        return None
    return (columns.mean() * step + 0.5) / frame.shape[1], (rows.mean() * step + 0.5) / frame.shape[0]


def first_seen(centres: Sequence[tuple[float, float] | None]) -> dict[str, int]:
    """Return each square that a centre lies in with the first frame that shows it there."""
    found: dict[str, int] = {}
    for place, at in enumerate(centres):
        if at is not None:
            found.setdefault(square(*at), place)
    return found


def in_order(names: Sequence[str], seen: dict[str, int]) -> int:
    """Return how many pairs of these squares are seen in this order, less those in the other.

    >>> in_order(["a1", "b2", "c3"], {"a1": 0, "b2": 4, "c3": 2})
    1
    """
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :] if a in seen and b in seen]
    return sum(1 if seen[a] < seen[b] else -1 for a, b in pairs)


def _mask(frame: NDArray[np.uint8], colour: str) -> NDArray[np.bool_]:
    """Return (H, W) where a frame has a saturated colour, whatever the light; nowhere for a word that is none."""
    if colour not in COLOURS:
        return np.zeros(frame.shape[:2], dtype=np.bool_)
    want = np.asarray(COLOURS[colour], np.float32)
    red, green, blue = (frame[..., channel].astype(np.float32) for channel in range(3))
    along = red * want[0] + green * want[1] + blue * want[2]
    # Cosine and length squared: every machine gives the same bits, and no root is drawn.
    length, whole = red * red + green * green + blue * blue, float(want @ want)
    found: NDArray[np.bool_] = (along * along > LIKENESS**2 * whole * length) & (length > BRIGHTNESS**2 * whole)
    return found


def _text(messages: Sequence[Message]) -> str:
    return "\n".join(part.text for message in messages for part in message.parts if isinstance(part, Text))


def _drawn(script: str, key: str, letters: Sequence[str]) -> str:
    return letters[number_of(script, key) % len(letters)] if letters else ""
