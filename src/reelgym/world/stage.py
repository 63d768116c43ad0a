"""The place of a scene: backdrop, camera, light; and the painter that puts actors on it frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from reelgym.world.sprites import PERIODS, PHASES, STEP_DEGREES, Colour, Look, Sprite, draw

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

THEMES: dict[str, tuple[Colour, Colour]] = {
    "paper": ((246, 243, 236), (209, 202, 190)),
    "mist": ((238, 243, 248), (190, 203, 218)),
    "mint": ((233, 245, 239), (182, 212, 198)),
    "sand": ((248, 239, 221), (216, 196, 162)),
    "lilac": ((241, 237, 249), (200, 191, 222)),
    "rose": ((250, 238, 236), (219, 189, 186)),
    "sky": ((224, 238, 250), (168, 193, 222)),
    "slate": ((58, 66, 82), (34, 39, 50)),
    "navy": ((44, 54, 84), (24, 29, 50)),
}
"""Colours of the board and of what lies around it, by name."""
TEXTURES = ("plain", "grid", "dots", "stripes", "clouds")


@dataclass(frozen=True)
class Backdrop:
    """What lies behind the actors and moves with the camera.

    Attributes:
        theme: A name of `THEMES`.
        texture: A name of `TEXTURES`.
        strength: Contrast of the texture, in grey levels.
        scale: Period of the texture as a fraction of the image side.
        board: Left, top, right and bottom of the board in the world, fractions of the image side.
        seed: Seed of the clouds.
    """

    theme: str
    texture: str
    strength: float
    scale: float
    board: tuple[float, float, float, float]
    seed: int


def _texture(backdrop: Backdrop, x: Array, y: Array) -> Array:
    """Return a pattern in -1 to 1 over world coordinates (h, w)."""
    period = backdrop.scale
    if backdrop.texture == "grid":
        lines = [np.cos(2 * np.pi * axis / period) for axis in (x, y)]
        return np.asarray(-np.clip(np.maximum(*lines) * 6 - 5, 0, 1))
    if backdrop.texture == "dots":
        return np.asarray(-np.clip((np.cos(2 * np.pi * x / period) + np.cos(2 * np.pi * y / period)) * 3 - 4.5, 0, 1))
    if backdrop.texture == "stripes":
        return np.asarray(0.5 * np.clip(3 * np.sin(2 * np.pi * (x + 0.6 * y) / period), -1, 1))
    if backdrop.texture == "clouds":
        random = np.random.RandomState(backdrop.seed % 2**32)
        waves = random.uniform(-1.2, 1.2, (6, 2)) / period
        shifts = random.uniform(0, 2 * np.pi, 6)
        total = sum(np.sin(2 * np.pi * (u * x + v * y) + s) for (u, v), s in zip(waves, shifts, strict=True))
        return np.asarray(total) / 4
    return np.zeros_like(x)


def paint_backdrop(backdrop: Backdrop, side: int, margin: int) -> Array:
    """Return the canvas (side + 2 margin, side + 2 margin, 3), 0 to 255; its margin is what the camera may show."""
    axis = (np.arange(side + 2 * margin) + 0.5 - margin) / side
    x, y = np.meshgrid(axis, axis)
    board, around = (np.asarray(colour, float) for colour in THEMES[backdrop.theme])
    left, top, right, bottom = backdrop.board
    dx, dy = (np.abs(x - (left + right) / 2) - (right - left) / 2, np.abs(y - (top + bottom) / 2) - (bottom - top) / 2)
    corner = 0.03
    outside = np.hypot(np.maximum(dx + corner, 0), np.maximum(dy + corner, 0))
    distance = (outside + np.minimum(np.maximum(dx, dy) + corner, 0) - corner) * side
    inside = np.clip(0.5 - distance, 0, 1)[..., None]
    lit = 1.02 - 0.05 * y[..., None]
    edge = np.clip(1 - np.abs(distance + 0.5) / 1.2, 0, 1)[..., None]
    shade = 1 - 0.16 * np.exp(-np.maximum(distance, 0) / (0.03 * side))[..., None] * (1 - inside)
    ground = (board * inside + around * (1 - inside) * shade) * lit
    ground = ground + (backdrop.strength * _texture(backdrop, x, y))[..., None] * (0.35 + 0.65 * inside)
    return np.asarray(np.clip(ground * (1 - edge) + np.asarray(around) * 0.82 * edge, 0, 255))


def drift(random: Random, frames: int, fps: int, amplitude: float) -> Array:
    """Return a smooth curve (F,) within +- amplitude: two slow waves of 6 to 20 s."""
    t = np.arange(frames) / fps
    total = np.zeros(frames)
    for share in (0.65, 0.35):
        total += share * np.sin(2 * np.pi * (t / random.uniform(6, 20) + random.random()))
    return amplitude * total


@dataclass(frozen=True, kw_only=True, eq=False)
class Actor:
    """Something painted: per-frame arrays of F entries in world coordinates (fractions of the image side).

    Attributes:
        thing: Name of the thing it shows; empty for decoration without facts.
        shape: A name of `SHAPES`.
        colour: RGB.
        path: (F, 2) centre, to the right and downwards.
        halves: (F, 2) half its width and height before turning.
        degrees: (F,) turn, clockwise as seen.
        painted: (F,) whether it is painted.
        depth: (F,) order of painting: larger is nearer. Equal depths keep the order of the list.
        shadow: See `Look`.
        gloss: See `Look`.
    """

    thing: str
    shape: str
    colour: Colour
    path: Array
    halves: Array
    degrees: Array
    painted: NDArray[np.bool_]
    depth: Array
    shadow: float
    gloss: float


def act(
    thing: str,
    shape: str,
    colour: Colour,
    path: Array,
    half_width: float | Array,
    half_height: float | Array | None = None,
    *,
    degrees: float | Array = 0.0,
    painted: bool | NDArray[np.bool_] = True,
    depth: float | Array = 0.0,
    shadow: float = 0.22,
    gloss: float = 0.14,
) -> Actor:
    """Return an actor; single values hold for every frame, and the height is the width unless given."""
    frames = len(path)
    halves = [half_width, half_width if half_height is None else half_height]
    return Actor(
        thing=thing,
        shape=shape,
        colour=colour,
        path=path,
        halves=np.stack([np.broadcast_to(np.asarray(half, float), frames) for half in halves], axis=1),
        degrees=np.broadcast_to(np.asarray(degrees, float), frames),
        painted=np.broadcast_to(np.asarray(painted, bool), frames),
        depth=np.broadcast_to(np.asarray(depth, float), frames),
        shadow=shadow,
        gloss=gloss,
    )


def seen(actors: Sequence[Actor]) -> list[NDArray[np.bool_]]:
    """Return for every actor (F,) whether it is painted and its centre does not lie behind a nearer, solid actor."""
    shown = []
    for index, actor in enumerate(actors):
        hidden = ~actor.painted
        for other_index, other in enumerate(actors):
            if other_index == index or other.shape == "stroke":
                continue
            nearer = (other.depth > actor.depth) | ((other.depth == actor.depth) & (other_index > index))
            off = np.abs(other.path - actor.path) / np.maximum(other.halves, 1e-9)
            inside = (off < 1).all(axis=1) if other.shape in ("bar", "cup") else (off**2).sum(axis=1) < 1
            hidden = hidden | (nearer & inside & other.painted)
        shown.append(~hidden)
    return shown


class Painter:
    """Paints the frames of a scene.

    Args:
        backdrop: What lies behind.
        actors: What is painted on it.
        camera: (F, 2) what is added to world positions (right, down) to get image positions; fractions of the side.
        light: (F, 3) factor of every colour channel.
        side: Height and width in pixels.
    """

    def __init__(self, backdrop: Backdrop, actors: Sequence[Actor], *, camera: Array, light: Array, side: int) -> None:
        """Draw the canvas and fix the places of all actors to the grid they are painted on."""
        self.side, self.actors = side, actors
        self.camera = np.rint(camera * side * PHASES).astype(int)
        self.light = np.tile(np.rint(light * 128).astype(np.uint16), side)
        self.margin = math.ceil(np.abs(self.camera).max() / PHASES) + 1
        self.canvas = paint_backdrop(backdrop, side, self.margin)
        self.order = np.argsort([actor.depth for actor in actors], axis=0, kind="stable").T
        self._shifted: dict[tuple[int, int], Pixels] = {}
        self._sprites: dict[tuple[int, ...], Sprite] = {}
        self._places = [self._place(actor) for actor in actors]

    def __iter__(self) -> Iterator[Pixels]:
        """Yield every frame (side, side, 3)."""
        for k in range(len(self.camera)):
            yield self.frame(k)

    def frame(self, k: int) -> Pixels:
        """Return frame k, (side, side, 3) uint8 RGB."""
        image = self._ground(k)
        for index in self.order[k]:
            if self.actors[index].painted[k]:
                self._stamp(image, int(index), k)
        image *= self.light[k]
        image >>= 7
        np.minimum(image, 255, out=image)
        return image.astype(np.uint8).reshape(self.side, self.side, 3)

    def _place(self, actor: Actor) -> NDArray[np.int64]:
        """Return (F, 7): pixel and phase of the centre (x, then y), half sizes in quarter pixels, turn in degrees."""
        places = (actor.path * self.side - 0.5) * PHASES + self.camera
        pixels, phases = np.divmod(np.rint(places).astype(np.int64), PHASES)
        halves = np.rint(actor.halves * self.side * 4).astype(np.int64)
        step = STEP_DEGREES.get(actor.shape, 6)
        turn = np.rint(actor.degrees / step).astype(np.int64)[:, None] * step % PERIODS.get(actor.shape, 1)
        return np.concatenate([pixels, phases, halves, turn], axis=1)

    def _stamp(self, image: NDArray[np.uint16], index: int, k: int) -> None:
        actor = self.actors[index]
        column, row, phase_x, phase_y, a, b, degrees = self._places[index][k].tolist()
        if a <= 0 or b <= 0:
            return
        key = (index, phase_x, phase_y, a, b, degrees)
        sprite = self._sprites.get(key)
        if sprite is None:
            look = Look(actor.shape, a / 4, b / 4, degrees, actor.colour, actor.shadow, actor.gloss)
            sprite = self._sprites[key] = draw(look, (phase_x, phase_y))
        top, left = row + sprite.origin[0], column + sprite.origin[1]
        high, wide = sprite.keep.shape[0], sprite.keep.shape[1] // 3
        rows = slice(max(0, -top), min(high, self.side - top))
        columns = slice(3 * max(0, -left), 3 * min(wide, self.side - left))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        window = image[top + rows.start : top + rows.stop, 3 * left + columns.start : 3 * left + columns.stop]
        window[:] = window * sprite.keep[rows, columns] + sprite.paint[rows, columns] + np.float32(0.5)

    def _ground(self, k: int) -> NDArray[np.uint16]:
        """Return the backdrop under frame k's camera: a new array (side, 3 side), the channels of a pixel in a row."""
        (right, down) = self.camera[k].tolist()
        column, phase_x = divmod(self.margin * PHASES - right, PHASES)
        row, phase_y = divmod(self.margin * PHASES - down, PHASES)
        if (phase_x, phase_y) not in self._shifted:
            self._shifted[phase_x, phase_y] = self._shift(phase_x / PHASES, phase_y / PHASES)
        shifted = self._shifted[phase_x, phase_y]
        view = shifted[row : row + self.side, column : column + self.side].reshape(self.side, -1)
        return view.astype(np.uint16)

    def _shift(self, right: float, down: float) -> Pixels:
        """Return the canvas sampled `right` and `down` of a pixel further, bilinear."""
        wide = self.canvas[:, :-1] * (1 - right) + self.canvas[:, 1:] * right
        both = wide[:-1] * (1 - down) + wide[1:] * down
        return np.asarray(np.rint(both), np.uint8)
