"""Antialiased shapes as small premultiplied images, by signed distance: exact to a quarter of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Colour = tuple[int, int, int]

PHASES = 2
"""Positions are drawn at this many steps per pixel."""
STEP_DEGREES = {"stroke": 1}
"""Angles are drawn at this step, at 6 degrees for shapes not named here."""
SHADOW_REACH = 0.14
"""Drop of a shadow, as a fraction of the shape's half height."""

COLOURS: dict[str, Colour] = {
    "red": (224, 49, 54),
    "orange": (245, 126, 26),
    "yellow": (250, 200, 20),
    "green": (32, 166, 82),
    "teal": (10, 172, 178),
    "blue": (36, 98, 232),
    "purple": (132, 60, 214),
    "pink": (236, 70, 156),
}
"""The saturated colours by their names; things of one scene differ in colour."""


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour a share of the way from a to b.

    >>> mix((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Look:
    """What a sprite shows: lengths in pixels.

    Attributes:
        shape: A name of `SHAPES`.
        half_width: Half the width before turning.
        half_height: Half the height before turning.
        degrees: Turn, clockwise as seen.
        colour: RGB, 0 to 255.
        shadow: Darkness of the drop shadow, 0 for none.
        gloss: Strength of the shading across the shape, 0 for flat.
    """

    shape: str
    half_width: float
    half_height: float
    degrees: int
    colour: Colour
    shadow: float = 0.22
    gloss: float = 0.14


@dataclass(frozen=True)
class Sprite:
    """A drawn look: `paint` (h, 3 w) premultiplied 0 to 255, `keep` (h, 3 w) share of what lies below, and `origin`.

    `origin` is the place (row, column) of its upper left pixel relative to the pixel that holds the centre.
    """

    paint: Array
    keep: Array
    origin: tuple[int, int]


def _hull(points: list[tuple[float, float]], x: Array, y: Array) -> Array:
    """Return the signed distance to the edges' lines of a convex polygon given clockwise as seen (y down)."""
    distance = np.full_like(x, -1e9)
    for (px, py), (qx, qy) in zip(points, points[1:] + points[:1], strict=True):
        length = math.hypot(qx - px, qy - py)
        nx, ny = np.float32((qy - py) / length), np.float32((px - qx) / length)
        distance = np.maximum(distance, (x - np.float32(px)) * nx + (y - np.float32(py)) * ny)
    return distance


def _regular(sides: int, a: float, b: float, turn: float = 0.0) -> list[tuple[float, float]]:
    angles = [math.radians(turn - 90 + 360 * k / sides) for k in range(sides)]
    return [(a * math.cos(angle), b * math.sin(angle)) for angle in angles]


def _box(x: Array, y: Array, a: float, b: float, corner: float) -> Array:
    """Return the distance to a box with rounded corners."""
    corner = min(corner, a, b)
    dx, dy = np.abs(x) - np.float32(a - corner), np.abs(y) - np.float32(b - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0) - np.float32(corner), np.float32)


def _disc(x: Array, y: Array, a: float, b: float) -> Array:
    return np.asarray(np.hypot(x, y * np.float32(a / b)) - np.float32(a), np.float32)


def _ring(x: Array, y: Array, a: float, b: float) -> Array:
    return np.asarray(
        np.abs(np.hypot(x, y * np.float32(a / b)) - np.float32(0.7 * a)) - np.float32(0.3 * a), np.float32
    )


def _cup(x: Array, y: Array, a: float, b: float) -> Array:
    """A tumbler upside down: narrow above, wide below, with a rim."""
    body = _hull([(-0.68 * a, -b), (0.68 * a, -b), (0.94 * a, b), (-0.94 * a, b)], x, y)
    return np.minimum(body, _box(x, y - np.float32(0.84 * b), a, 0.16 * b, 0.12 * b))


SHAPES = {
    "disc": _disc,
    "ring": _ring,
    "square": lambda x, y, a, b: _box(x, y, 0.86 * a, 0.86 * b, 0.2 * min(a, b)),
    "triangle": lambda x, y, a, b: _hull(_regular(3, a, b), x, y),
    "diamond": lambda x, y, a, b: _hull(_regular(4, a, b), x, y),
    "hexagon": lambda x, y, a, b: _hull(_regular(6, a, b), x, y),
    "star": lambda x, y, a, b: np.minimum(_hull(_regular(3, a, b), x, y), _hull(_regular(3, a, b, 180), x, y)),
    "cross": lambda x, y, a, b: np.minimum(_box(x, y, a, 0.36 * b, 1.5), _box(x, y, 0.36 * a, b, 1.5)),
    "bar": lambda x, y, a, b: _box(x, y, a, b, 1.5),
    "stroke": lambda x, y, a, b: _box(x, y, a, b, b),
    "cup": _cup,
}
"""Signed distances in pixels, negative inside: (x, y, half width, half height) from the shape's centre of area."""
PERIODS = {
    "square": 90,
    "triangle": 120,
    "diamond": 90,
    "hexagon": 60,
    "star": 60,
    "cross": 90,
    "bar": 180,
    "stroke": 180,
}
"""Degrees after which a turned shape of equal half sizes looks the same; shapes not named here never turn."""


def _coverage(look: Look, x: Array, y: Array) -> tuple[Array, Array]:
    """Return the distance in the shape's own axes and the share of every pixel that it covers."""
    if look.degrees:
        angle = math.radians(look.degrees)
        cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        x, y = x * cosine + y * sine, y * cosine - x * sine
    distance = SHAPES[look.shape](x, y, look.half_width, look.half_height)
    return distance, np.clip(np.float32(0.5) - distance, 0, 1)


def draw(look: Look, phase: tuple[int, int]) -> Sprite:
    """Return the sprite of a look whose centre lies phase / PHASES pixels (right, down) after a pixel's centre."""
    reach = math.hypot(look.half_width, look.half_height) if look.degrees else max(look.half_width, look.half_height)
    wide, tall = (reach, reach) if look.degrees else (look.half_width, look.half_height)
    drop = max(1.0, SHADOW_REACH * look.half_height) if look.shadow else 0.0
    left, top, bottom = math.ceil(wide) + 2, math.ceil(tall) + 2, math.ceil(tall + 2.5 * drop) + 2
    x = np.arange(-left, left + 1, dtype=np.float32)[None, :] - np.float32(phase[0] / PHASES)
    y = np.arange(-top, bottom + 1, dtype=np.float32)[:, None] - np.float32(phase[1] / PHASES)
    x, y = np.broadcast_arrays(x, y)
    distance, cover = _coverage(look, x, y)
    paint = _shade(look, distance, x, y)
    keep = 1 - cover
    if look.shadow:
        below, _ = _coverage(look, x, y - np.float32(drop))
        soft = np.float32(1.2 * drop)
        keep = keep * (1 - np.clip(np.float32(0.5) - below / (2 * soft), 0, 1) * np.float32(look.shadow))
    high = len(cover)
    return Sprite((paint * cover[..., None]).reshape(high, -1), np.repeat(keep, 3, axis=1), (-top, -left))


def _shade(look: Look, distance: Array, x: Array, y: Array) -> Array:
    """Return the colour of every pixel (h, w, 3): lighter above, a darker rim; (1, 1, 3) for flat looks."""
    if not look.gloss:
        return np.asarray(look.colour, np.float32)[None, None]
    slope = np.float32(-look.gloss / max(look.half_height, 1.0)) * y
    rim = np.clip(distance + np.float32(1.6), 0, 1) * np.float32(look.gloss)
    light = np.clip(1 + slope - rim, 0, 2)[..., None]
    base = np.asarray(look.colour, np.float32)
    return np.asarray(np.where(light > 1, base + (255 - base) * (light - 1), base * light), np.float32)
