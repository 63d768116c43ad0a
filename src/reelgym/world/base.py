"""The protocol of a kind of scene, the settings of all kinds, and how a seed becomes a scene."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import RequestError
from reelgym.registry import discover, lookup
from reelgym.world.facts import Event, Facts, Thing, Track
from reelgym.world.sprites import COLOURS, PHASES, Colour, mix
from reelgym.world.stage import TEXTURES, THEMES, Actor, Array, Backdrop, Painter, drift, seen

if TYPE_CHECKING:
    from reelgym.world.questions import Question

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How hard the scenes are to read and to predict. Ranges are (low, high), drawn evenly per scene.

    A model that sees 28 x 28 pixels has 3.5 pixels per square of the 8 x 8 grid: keep `radius` at 0.1 or more. Frames
    taken every d seconds show the focus about `speed * d` squares further on: at 2 frames per second a speed of 2 puts
    successive frames into different squares.
    """

    speed: Range = (1.0, 2.0)
    """Speed of the focus in squares (eighths of the image side) per second."""
    radius: Range = (0.10, 0.13)
    """Half the width of the focus as a fraction of the image side."""
    distractors: tuple[int, int] = (1, 3)
    """How many other things move; in `cups` and `process`, how many drift in the background (at most 1)."""
    distractor_radius: Range = (0.045, 0.065)
    """Half the width of a distractor as a fraction of the image side."""
    distractor_speed: Range = (0.6, 1.6)
    """Speed of a distractor in squares per second."""
    dimness: Range = (0.45, 0.65)
    """How far a distractor's colour fades into the board: 0 as saturated as the focus, 1 invisible."""
    curve: float = 0.15
    """Largest turn of a moving thing's path between bounces, in radians per second; 0 for straight lines."""
    mass: float = 8.0
    """Weight of the focus over that of a distractor of its size: how little a collision turns the focus."""
    pan: Range = (0.0, 0.035)
    """Largest excursion of the camera, as a fraction of the image side."""
    light: Range = (0.0, 0.08)
    """Largest change of brightness and of warmth."""
    texture: Range = (0.0, 9.0)
    """Contrast of the background's texture in grey levels of 255."""
    spin: float = 0.5
    """Share of the things that turn as they go."""

    def __post_init__(self) -> None:
        """Refuse settings that no scene can be drawn with."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple) and not (len(value) == 2 and 0 <= value[0] <= value[1]):
                raise RequestError(f"{item.name}={value} is no range: give (low, high) with 0 <= low <= high")
        if not 0 < self.radius[0] <= self.radius[1] <= 0.2 or not 0 < self.distractor_radius[1] <= 0.12:
            raise RequestError("radius goes up to 0.2 and distractor_radius up to 0.12 of the side, both above 0")
        if self.pan[1] > 0.1 or self.light[1] > 0.4 or self.dimness[1] > 1 or self.distractors[1] > 6:
            raise RequestError("pan goes up to 0.1, light up to 0.4, dimness up to 1 and distractors up to 6")
        if self.speed[0] <= 0 or self.mass <= 0 or self.curve < 0 or not 0 <= self.spin <= 1:
            raise RequestError("speed and mass are above 0, curve is 0 or more, spin is within 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What a kind draws a scene from.

    Attributes:
        random: The scene's stream; a kind draws from no other.
        frames: Number of frames F.
        fps: Frames per second.
        settings: See `Settings`.
        pan: This scene's largest excursion of the camera, a fraction of the side.
        ground: RGB of the board.
    """

    random: Random
    frames: int
    fps: int
    settings: Settings
    pan: float
    ground: Colour

    @property
    def seconds(self) -> float:
        """Length of the scene in seconds."""
        return self.frames / self.fps

    def fade(self, colour: str, dimness: float) -> Colour:
        """Return a named colour mixed into the board, less so on a dark board, where it would be lost."""
        return mix(COLOURS[colour], self.ground, dimness * (0.75 if sum(self.ground) < 384 else 1.0))

    @property
    def times(self) -> Array:
        """Times of the frames, (F,) seconds."""
        return np.arange(self.frames) / self.fps


@dataclass(frozen=True, kw_only=True)
class Play:
    """What a kind returns: the cast in world coordinates, what happens, and where the board lies.

    Attributes:
        things: All things, focus first.
        actors: What is painted; every thing has exactly one actor that bears its name.
        events: In any order.
        board: Left, top, right and bottom of the board.
    """

    things: Sequence[Thing]
    actors: Sequence[Actor]
    events: Sequence[Event]
    board: tuple[float, float, float, float]


class Kind(ABC):
    """A kind of scene: class attributes `name` and `version`, a choreography, and its questions."""

    name: str
    version: int

    @abstractmethod
    def compose(self, shot: Shot) -> Play:
        """Return the cast and their paths for one scene; draws only from `shot.random`."""

    @abstractmethod
    def questions(self, facts: Facts) -> list[Question]:
        """Return questions whose answers follow from the facts alone."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene ready to be painted, and everything that is true of it."""

    facts: Facts
    painter: Painter

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield every frame (side, side, 3) uint8 RGB, in order."""
        return iter(self.painter)


def kinds() -> dict[str, type[Kind]]:
    """Return all kinds of scene by name."""
    return discover("reelgym.world", Kind)


@cache
def get(name: str) -> Kind:
    """Return a kind of scene by its name.

    Raises:
        RequestError: No such kind; the message names the nearest.
    """
    return lookup("reelgym.world", Kind, "kind of scene", name)()


def scene_seed(kind: str, split: str, seed: int, index: int) -> int:
    """Return the 64-bit seed of one scene: SHA-256 of (kind, its version, split, seed, index)."""
    text = "\x1f".join(str(part) for part in (kind, get(kind).version, split, seed, index))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def render(
    kind: str, seed: int, *, seconds: float, fps: int, side: int = 112, settings: Settings | None = None
) -> Scene:
    """Return the scene of a seed: equal arguments, equal pixels and facts.

    Args:
        kind: A name of `kinds()`.
        seed: Any integer; see `scene_seed`.
        seconds: Length; rounded to whole frames.
        fps: Frames per second, a whole number.
        side: Height and width in pixels, even, 32 or more.
        settings: How hard it is; the default is meant for 112 pixels seen at 28.

    Raises:
        RequestError: An unknown kind, or a value out of range.
    """
    if not 1 <= fps <= 60 or not 1 <= seconds <= 600 or side < 32 or side % 2:
        raise RequestError(
            f"seconds={seconds}, fps={fps}, side={side}: give 1 to 600 seconds, 1 to 60 fps and an even side from 32"
        )
    settings, maker, random = settings or Settings(), get(kind), Random(f"{kind}/{seed}")
    theme, pan, frames = random.choice(sorted(THEMES)), random.uniform(*settings.pan), max(1, round(seconds * fps))
    shot = Shot(random=random, frames=frames, fps=fps, settings=settings, pan=pan, ground=THEMES[theme][0])
    camera = np.stack([drift(random, frames, fps, pan), drift(random, frames, fps, pan)], axis=1)
    light = _light(shot)
    texture, strength, scale = random.choice(TEXTURES), random.uniform(*settings.texture), random.uniform(0.08, 0.16)
    play = maker.compose(shot)
    backdrop = Backdrop(theme, texture, strength, scale, play.board, seed)
    painter = Painter(backdrop, play.actors, camera=camera, light=light, side=side)
    facts = Facts(
        kind=kind,
        version=maker.version,
        seed=seed,
        fps=fps,
        frames=frames,
        side=side,
        focus=play.things[0].name,
        things=tuple(play.things),
        tracks=_tracks(play.actors, painter.camera / (PHASES * side)),
        events=tuple(sorted(play.events, key=lambda event: (event.time, event.name))),
        settings=plain(settings),
    )
    return Scene(facts, painter)


def plain(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON values."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def _light(shot: Shot) -> Array:
    """Return (F, 3) factors of the channels: brightness, and warmth that trades red for blue."""
    amplitude = shot.random.uniform(*shot.settings.light)
    bright = drift(shot.random, shot.frames, shot.fps, amplitude)
    warm = drift(shot.random, shot.frames, shot.fps, amplitude / 2)
    return 1 + np.stack([bright + warm, bright, bright - warm], axis=1)


def _tracks(actors: Sequence[Actor], shift: Array) -> dict[str, Track]:
    """Return the things' paths in the image, the camera included, to a hundredth of a pixel."""
    tracks = {}
    for actor, shown in zip(actors, seen(actors), strict=True):
        if actor.thing:
            x, y = np.round(actor.path + shift, 4).T.tolist()
            inside = (np.abs(actor.path + shift - 0.5) <= 0.5).all(axis=1)
            tracks[actor.thing] = Track(x=tuple(x), y=tuple(y), visible=tuple((shown & inside).tolist()))
    return tracks
