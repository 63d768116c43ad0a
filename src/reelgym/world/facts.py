"""What is true of a rendered video: things and where they are at every frame, events with times, the focus word."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reelgym.errors import RequestError

if TYPE_CHECKING:
    from reelgym.world.questions import Question

FACTS_VERSION = 1
CELLS = 8
"""Squares along each side of the image."""
TIME_SLACK = 1e-3
"""Seconds forgiven when a time is matched to a frame: containers round times to their own ticks."""


def square(x: float, y: float) -> str:
    """Return the square of a point on the 8 x 8 grid over the image, written as on a chess board.

    Columns are `a` to `h` from left to right; rows are 1 to 8 FROM TOP TO BOTTOM, so `a1` is the upper left corner and
    `h8` the lower right one. A point outside the image counts as on its edge.

    Args:
        x: Column position, 0 at the left edge of the image and 1 at the right.
        y: Row position, 0 at the top edge and 1 at the bottom.

    >>> square(0.0, 0.0), square(0.99, 0.0), square(0.3, 0.55)
    ('a1', 'h1', 'c5')
    """
    column, row = (min(CELLS - 1, max(0, math.floor(value * CELLS))) for value in (x, y))
    return f"{'abcdefgh'[column]}{row + 1}"


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One object of a scene.

    Attributes:
        name: Unique in its scene, such as `red disc`.
        colour: The colour's name.
        shape: The shape's name.
        size: Half its width as a fraction of the image side.
        role: `focus`, `distractor` or a kind's own word (`cup`, `ball`, `block`).
    """

    name: str
    colour: str
    shape: str
    size: float
    role: str


@dataclass(frozen=True)
class State:
    """Where a thing is in one frame: centre in the image (x to the right, y down, 0 to 1), and whether it is seen."""

    x: float
    y: float
    visible: bool


@dataclass(frozen=True, kw_only=True)
class Track:
    """A thing's states, one entry per frame, in image coordinates after the camera's pan."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    visible: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at a time in seconds; `details` are JSON values whose keys belong to the event's name."""

    time: float
    name: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that is known of one rendered video.

    Attributes:
        kind: Kind of scene, a name of `world.kinds()`.
        version: Version of that kind; another version may draw other scenes from the same seed.
        seed: The scene's seed; also shuffles the options of its questions.
        fps: Frames per second; frame k is shown at k / fps.
        frames: Number of frames F.
        side: Height and width in pixels.
        focus: Name of the thing that `word` follows.
        things: All things, focus first.
        tracks: Name to track of F entries.
        events: In order of time.
        settings: What the scene was drawn with, as JSON.
    """

    kind: str
    version: int
    seed: int
    fps: int
    frames: int
    side: int
    focus: str
    things: tuple[Thing, ...]
    tracks: Mapping[str, Track]
    events: tuple[Event, ...]
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuse facts that contradict themselves."""
        names = [thing.name for thing in self.things]
        if self.fps < 1 or self.frames < 1 or self.focus not in names or len(set(names)) != len(names):
            raise RequestError(
                f"facts need fps and frames above 0 and distinct things that include focus {self.focus!r}"
            )
        if sorted(self.tracks) != sorted(names):
            raise RequestError(f"facts need one track per thing: tracks {sorted(self.tracks)}, things {sorted(names)}")
        for name, track in self.tracks.items():
            if not len(track.x) == len(track.y) == len(track.visible) == self.frames:
                raise RequestError(f"the track of {name!r} has not {self.frames} entries, one per frame")

    @property
    def seconds(self) -> float:
        """Length of the video in seconds."""
        return self.frames / self.fps

    @cached_property
    def _by_name(self) -> dict[str, Thing]:
        return {thing.name: thing for thing in self.things}

    def thing(self, name: str) -> Thing:
        """Return a thing by its name."""
        return self._by_name[name]

    def with_role(self, role: str) -> tuple[Thing, ...]:
        """Return the things of a role, in the order of `things`."""
        return tuple(thing for thing in self.things if thing.role == role)

    def named(self, *names: str) -> tuple[Event, ...]:
        """Return the events that bear one of these names, in order of time."""
        return tuple(event for event in self.events if event.name in names)

    def frame_at(self, t: float) -> int:
        """Return the index of the frame shown at t: the last one whose time is not after t.

        Raises:
            RequestError: t lies outside [0, seconds].
        """
        if not -TIME_SLACK <= t <= self.seconds + TIME_SLACK:
            raise RequestError(f"t={t} s lies outside the video; give 0 to {self.seconds:g} s")
        return min(self.frames - 1, max(0, math.floor((t + TIME_SLACK) * self.fps)))

    def state(self, name: str, t: float) -> State:
        """Return where a thing is in the frame shown at t."""
        k, track = self.frame_at(t), self.tracks[name]
        return State(track.x[k], track.y[k], track.visible[k])

    def at(self, t: float) -> dict[str, State]:
        """Return where everything is in the frame shown at t."""
        return {thing.name: self.state(thing.name, t) for thing in self.things}

    def word(self, t: float) -> str:
        """Return the square of the focus in the frame shown at t, such as `c4`; see `square` for the grid."""
        state = self.state(self.focus, t)
        return square(state.x, state.y)

    @cached_property
    def per_second(self) -> tuple[dict[str, State], ...]:
        """What is where at 0, 1, 2, ... seconds."""
        return tuple(self.at(t) for t in range(math.ceil(self.seconds)))

    def questions(self) -> list[Question]:
        """Return questions about the video with exact answers; see `world.questions` for their kinds."""
        from reelgym.world.base import get

        return get(self.kind).questions(self)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values: equal facts, equal text."""
        tracks = {
            name: {"x": list(track.x), "y": list(track.y), "visible": [int(seen) for seen in track.visible]}
            for name, track in self.tracks.items()
        }
        plain = {name: getattr(self, name) for name in ("kind", "version", "seed", "fps", "frames", "side", "focus")}
        things, events = [asdict(thing) for thing in self.things], [asdict(event) for event in self.events]
        return {"facts_version": FACTS_VERSION, **plain, "things": things, "tracks": tracks} | {
            "events": events,
            "settings": self.settings,
        }

    @staticmethod
    def from_json(value: Any) -> Facts:
        """Return the facts written by `to_json`.

        Raises:
            RequestError: Not such an object, or one of another version.
        """
        if not isinstance(value, dict) or value.get("facts_version") != FACTS_VERSION:
            found = value.get("facts_version") if isinstance(value, dict) else type(value).__name__
            raise RequestError(f"facts of version {found!r} cannot be read; this release reads version {FACTS_VERSION}")
        try:
            return _facts({name: item for name, item in value.items() if name != "facts_version"})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(f"damaged facts ({error}); render the video again") from error


def _facts(value: dict[str, Any]) -> Facts:
    tracks = {
        str(name): Track(
            x=tuple(float(x) for x in track["x"]),
            y=tuple(float(y) for y in track["y"]),
            visible=tuple(bool(seen) for seen in track["visible"]),
        )
        for name, track in value["tracks"].items()
    }
    things = tuple(Thing(**thing) for thing in value["things"])
    events = tuple(Event(**event) for event in value["events"])
    return Facts(**(value | {"tracks": tracks, "things": things, "events": events}))


def canonical(value: Any) -> str:
    """Return the one text of a JSON value: keys sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
