"""Edits: named, parametrised changes of pixels that an image or a clip carries, applied right after reading.

An edit is data, so that a prompt with changed pixels is as small, as comparable and as repeatable as any other. It is a
pure function of pixels and arguments under a name; a new one is one more function here. Lengths and places are
fractions of the frame, so that the same edit fits every size at which a frame is shown. All arithmetic is element by
element: the same bytes on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import RequestError, unknown

Pixels = NDArray[np.uint8]
Argument = int | float | str

MOST = 512
"""Edits that one part may carry: a limit for files that were not made by us."""

SHAPES = ("circle", "square", "triangle")
"""What `shape` draws."""

_FUNCTIONS: dict[str, Callable[..., Pixels]] = {}
_F = TypeVar("_F", bound=Callable[..., Pixels])


def _edit(function: _F) -> _F:
    _FUNCTIONS[function.__name__] = function
    return function


@dataclass(frozen=True)
class Edit:
    """One change of the frames of a part.

    Attributes:
        name: Of a function of this module: `rotate`, `flip`, `crop`, `tiles`, `channels`, `tone`, `shade`, `dapple`,
            `zoom_out`, `shape`.
        args: Its arguments after the pixels.
        start: Only frames from this time on, in seconds; None from the first one on.
        stop: Only frames before this time; None up to the last one.
    """

    name: str
    args: tuple[Argument, ...] = ()
    start: float | None = None
    stop: float | None = None

    def __post_init__(self) -> None:
        """Refuse a name that no function bears, and arguments that are no plain numbers or words."""
        if self.name not in _FUNCTIONS:
            raise unknown("edit", self.name, _FUNCTIONS)
        for value in (*self.args, self.start or 0.0, self.stop or 0.0):
            if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
                raise RequestError(f"edit {self.name}: {value!r} is no finite number and no word")

    def to_json(self) -> dict[str, Any]:
        """Return the edit as JSON values, what is not set left out."""
        plain: dict[str, Any] = {"name": self.name}
        plain |= {"args": list(self.args)} if self.args else {}
        plain |= {} if self.start is None else {"start": self.start}
        return plain | ({} if self.stop is None else {"stop": self.stop})

    @staticmethod
    def from_json(value: dict[str, Any]) -> Edit:
        """Return the edit written by `to_json`.

        Raises:
            RequestError: An edit this release does not know, or values that are none.
        """
        if not isinstance(value, dict) or not isinstance(value.get("args", []), list):
            raise RequestError(f"edit {value!r}: give an object with `name`, `args`, `start` and `stop`")
        return Edit(str(value.get("name")), tuple(value.get("args", ())), value.get("start"), value.get("stop"))


def from_list(value: Any) -> tuple[Edit, ...]:
    """Return the edits of a list of JSON values.

    Raises:
        RequestError: No list, too long a one, or a value that is no edit.
    """
    if not isinstance(value, list) or len(value) > MOST:
        raise RequestError(f"edits of a part: give a list of at most {MOST}")
    return tuple(Edit.from_json(one) for one in value)


def names() -> list[str]:
    """Return the names of all edits, sorted."""
    return sorted(_FUNCTIONS)


def apply(pixels: Pixels, times: Sequence[float], edits: Sequence[Edit]) -> Pixels:
    """Return the frames after all edits, in their order; the input is never written to.

    Args:
        pixels: (F, H, W, 3) uint8 RGB.
        times: (F,) seconds, by which an edit with a start or a stop knows its frames.
        edits: What to do.

    Raises:
        RequestError: Too many edits, arguments that an edit does not take, or an edit of some frames only that would
            give them another size than the others.
    """
    if len(edits) > MOST:
        raise RequestError(f"{len(edits)} edits of one part: at most {MOST} are allowed")
    for edit in edits:
        try:
            pixels = _applied(pixels, times, edit)
        except (TypeError, ValueError) as error:
            if isinstance(error, RequestError):
                raise
            raise RequestError(f"edit {edit.name}{edit.args}: {error}") from error
    return np.ascontiguousarray(pixels)


def _applied(pixels: Pixels, times: Sequence[float], edit: Edit) -> Pixels:
    function = _FUNCTIONS[edit.name]
    if edit.start is None and edit.stop is None:
        return function(pixels, *edit.args)
    start, stop = (-math.inf if edit.start is None else edit.start), (math.inf if edit.stop is None else edit.stop)
    # Times are microseconds: a rounding error must not move a frame over the boundary.
    chosen = [place for place, time in enumerate(times) if start - 1e-6 < time < stop - 1e-6]
    if not chosen:
        return pixels
    changed = function(pixels[chosen], *edit.args)
    if changed.shape[1:] != pixels.shape[1:]:
        raise RequestError(
            f"edit {edit.name}{edit.args} of some frames would change their size from {pixels.shape[1:3]} to "
            f"{changed.shape[1:3]}: edit all frames, or crop to a square first"
        )
    out = pixels.copy()
    out[chosen] = changed
    return out


@_edit
def rotate(pixels: Pixels, degrees: float) -> Pixels:
    """Return the frames turned clockwise by 0, 90, 180 or 270 degrees; height and width change places at 90 and 270."""
    if degrees not in (0, 90, 180, 270):
        raise RequestError(f"rotate {degrees}: give 0, 90, 180 or 270 degrees")
    return np.rot90(pixels, -int(degrees) // 90, axes=(1, 2))


@_edit
def flip(pixels: Pixels, axis: str) -> Pixels:
    """Return the frames mirrored: `horizontal` exchanges left and right, `vertical` top and bottom."""
    if axis not in ("horizontal", "vertical"):
        raise RequestError(f"flip {axis!r}: give 'horizontal' or 'vertical'")
    return pixels[:, :, ::-1] if axis == "horizontal" else pixels[:, ::-1]


@_edit
def crop(pixels: Pixels, left: float, top: float, right: float, bottom: float) -> Pixels:
    """Return a part of the frames, at least one pixel; all four in 0 to 1, to the nearest pixel edge."""
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise RequestError(f"crop {(left, top, right, bottom)}: give 0 <= left < right <= 1 and top and bottom alike")
    (first, last), (begin, end) = (
        _edges(*pair) for pair in ((top, bottom, pixels.shape[1]), (left, right, pixels.shape[2]))
    )
    return pixels[:, first:last, begin:end]


@_edit
def tiles(pixels: Pixels, rows: int, columns: int, gutter: float, *order: int) -> Pixels:
    """Return the frames cut into a grid whose place k shows what was in place order[k], counted row by row from 0.

    Pixels at the right and lower edge that are over where a side cannot be divided stay where they are.

    Args:
        pixels: (F, H, W, 3).
        rows: Of the grid, 1 to 16; `columns` likewise.
        columns: See `rows`.
        gutter: Width of the grey bars over the seams, as a share of a tile's shorter side, 0 to 0.8: without them the
            edges of neighbouring tiles tell who belongs beside whom.
        order: (rows * columns,) a permutation.
    """
    if not (1 <= rows <= 16 and 1 <= columns <= 16) or sorted(order) != list(range(rows * columns)):
        raise RequestError(
            f"tiles {(rows, columns, *order)}: give 1 to 16 rows and columns and a permutation of places"
        )
    if not 0 <= gutter <= 0.8:
        raise RequestError(f"tiles with a gutter of {gutter}: give 0 to 0.8 of a tile")
    high, wide = pixels.shape[1] // rows, pixels.shape[2] // columns
    out = pixels.copy()
    for place, source in enumerate(order):
        (y, x), (v, u) = divmod(place, columns), divmod(source, columns)
        out[:, y * high : (y + 1) * high, x * wide : (x + 1) * wide] = pixels[
            :, v * high : (v + 1) * high, u * wide : (u + 1) * wide
        ]
    half = gutter * min(high, wide) / 2
    for side, count, size in ((1, rows, high), (2, columns, wide)):
        for seam in range(1, count):
            bar = [slice(None)] * 4
            bar[side] = slice(math.floor(seam * size - half + 0.5), math.floor(seam * size + half + 0.5))
            out[tuple(bar)] = 128
    return out


@_edit
def channels(pixels: Pixels, *order: int) -> Pixels:
    """Return the frames with their colour channels in another order: `2, 1, 0` exchanges red and blue."""
    if sorted(order) != [0, 1, 2]:
        raise RequestError(f"channels {order}: give the numbers 0, 1, 2 in another order")
    return pixels[..., list(order)]


@_edit
def tone(pixels: Pixels, gain: float, offset: float, saturation: float) -> Pixels:
    """Return the frames in other light.

    Args:
        pixels: (F, H, W, 3).
        gain: Factor of every value, 0 to 4.
        offset: Added to every value, -1 to 1 of full scale.
        saturation: Factor of each colour's distance from grey, 0 to 4; 0 is black and white.
    """
    if not (0 <= gain <= 4 and -1 <= offset <= 1 and 0 <= saturation <= 4):
        raise RequestError(f"tone {(gain, offset, saturation)}: give 0 to 4, -1 to 1 and 0 to 4")
    values = pixels.astype(np.float64)
    grey = (0.299 * values[..., 0] + 0.587 * values[..., 1] + 0.114 * values[..., 2])[..., None]
    return _rounded((grey + saturation * (values - grey)) * gain + 255.0 * offset)


@_edit
def shade(pixels: Pixels, degrees: float, strength: float) -> Pixels:
    """Return the frames lit from one side: as they were at one edge, 1 - strength times as bright at the other.

    Nothing gets brighter, so that nothing light is lost in white.

    Args:
        pixels: (F, H, W, 3).
        degrees: Where the light comes from: 0 the right, 90 the lower side, 180 the left, 270 the upper side.
        strength: 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise RequestError(f"shade {strength}: give a strength of 0 to 1")
    height, width = pixels.shape[1:3]
    across, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = (np.arange(width) + 0.5) / width * 2 - 1, ((np.arange(height) + 0.5) / height * 2 - 1)[:, None]
    light = 1 + strength * ((x * across + y * down) / (abs(across) + abs(down)) - 1) / 2
    return _rounded(pixels * light[..., None])


@_edit
def dapple(pixels: Pixels, rows: int, columns: int, *gains: float) -> Pixels:
    """Return the frames cut into a grid as in `tiles`, each place of it brightened by its own factor of 0 to 4."""
    if not (1 <= rows <= 16 and 1 <= columns <= 16) or len(gains) != rows * columns:
        raise RequestError(
            f"dapple {(rows, columns, *gains)}: give 1 to 16 rows and columns and a factor for each place"
        )
    if not all(0 <= gain <= 4 for gain in gains):
        raise RequestError(f"dapple {gains}: give factors of 0 to 4")
    height, width = pixels.shape[1:3]
    down = np.minimum(np.arange(height) // max(1, height // rows), rows - 1)
    across = np.minimum(np.arange(width) // max(1, width // columns), columns - 1)
    light = np.array(gains, np.float64).reshape(rows, columns)[down][:, across]
    return _rounded(pixels * light[..., None])


@_edit
def zoom_out(pixels: Pixels, scale: float) -> Pixels:
    """Return the frames shrunk by `scale`, 1 to 8, in the middle of black ones of the same size."""
    if not 1 <= scale <= 8:
        raise RequestError(f"zoom_out {scale}: give 1 to 8")
    height, width = pixels.shape[1:3]
    high, wide = max(1, math.floor(height / scale)), max(1, math.floor(width / scale))
    top, left = (height - high) // 2, (width - wide) // 2
    out = np.zeros_like(pixels)
    out[:, top : top + high, left : left + wide] = _resampled(_resampled(pixels, high, 1), wide, 2)
    return out


@_edit
def shape(
    pixels: Pixels, kind: str, x: float, y: float, size: float, degrees: float, red: int, green: int, blue: int
) -> Pixels:
    """Return the frames with a filled shape in a white rim drawn over them.

    Args:
        pixels: (F, H, W, 3).
        kind: One of `SHAPES`.
        x: Its centre, 0 at the left edge and 1 at the right; `y` from the top likewise.
        y: See `x`.
        size: Diameter of the circle, side of the square and of the triangle, as a share of the frame's shorter side.
        degrees: Turn, clockwise.
        red: Of the filling, 0 to 255; `green` and `blue` likewise.
        green: See `red`.
        blue: See `red`.
    """
    if kind not in SHAPES:
        raise unknown("shape", kind, SHAPES)
    if not (0 < size <= 2 and all(0 <= value <= 255 for value in (red, green, blue))):
        raise RequestError(
            f"shape of size {size} in {(red, green, blue)}: size is above 0 up to 2, colours are 0 to 255"
        )
    height, width = pixels.shape[1:3]
    half = size * min(height, width) / 2
    right = np.arange(width) + 0.5 - x * width
    down = (np.arange(height) + 0.5 - y * height)[:, None]
    turn = math.radians(degrees)
    u, v = right * math.cos(turn) + down * math.sin(turn), down * math.cos(turn) - right * math.sin(turn)
    distance = _distance(kind, u, v, half)
    rim = max(1.0, 0.12 * half)
    inside, filled = np.clip(0.5 - distance, 0, 1)[..., None], np.clip(0.5 - rim - distance, 0, 1)[..., None]
    paint = 255.0 * (1 - filled) + filled * np.array([red, green, blue], np.float64)
    return _rounded(pixels * (1 - inside) + inside * paint)


def _distance(kind: str, u: NDArray[np.float64], v: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """Return how far each pixel lies outside the shape, negative inside."""
    if kind == "circle":
        return np.sqrt(u * u + v * v) - half
    if kind == "square":
        return np.maximum(np.abs(u), np.abs(v)) - half
    # Equal sides of 2 * half: the three edges lie half / sqrt(3) from the centre.
    slanted = np.maximum(u * math.sqrt(0.75) - v * 0.5, -u * math.sqrt(0.75) - v * 0.5)
    return np.maximum(slanted, v) - half / math.sqrt(3)


def _edges(start: float, stop: float, side: int) -> tuple[int, int]:
    first = min(math.floor(start * side + 0.5), side - 1)
    return first, max(first + 1, math.floor(stop * side + 0.5))


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8)


def _resampled(pixels: Pixels, size: int, axis: int) -> Pixels:
    """Return the frames with `size` pixels along an axis: linear between the two nearest, no smoothing."""
    length = pixels.shape[axis]
    places = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    low = np.floor(places).astype(np.int64)
    shape = [1] * pixels.ndim
    shape[axis] = size
    share = (places - low).reshape(shape)
    first, second = pixels.take(low, axis), pixels.take(np.minimum(low + 1, length - 1), axis)
    return _rounded(first * (1 - share) + second * share)
