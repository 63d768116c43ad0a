"""What a model is shown: digits drawn into pictures, and prompts of them.

Shapes: H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.rollout.chat_form import Pixels
from reelgym.video.types import FrameSpec

SOURCE = "doctor:"
"""How identities of drawn pictures begin; what follows are the digits, those of each frame after a comma."""

_SPEC = FrameSpec(fps=1.0)
_ROWS, _COLUMNS, _MARGIN = 5, 3, 2
_GLYPHS = {
    "0": "111101101101111",
    "1": "010110010010111",
    "2": "111001111100111",
    "3": "111001111001111",
    "4": "101101111001001",
    "5": "111100111001111",
    "6": "111100111101111",
    "7": "111001010010010",
    "8": "111101111101111",
    "9": "111101111001111",
}
"""Digits of 3 by 5 cells, row by row."""


def draw(digits: str, scale: int = 12) -> NDArray[np.uint8]:
    """Return (H, W, 3): black digits on white, `scale` pixels a cell.

    >>> draw("42", scale=1).shape
    (9, 11, 3)
    """
    cells = np.zeros((_ROWS + 2 * _MARGIN, len(digits) * (_COLUMNS + 1) - 1 + 2 * _MARGIN), dtype=bool)
    for place, digit in enumerate(digits):
        left = _MARGIN + place * (_COLUMNS + 1)
        glyph = np.array([cell == "1" for cell in _GLYPHS[digit]]).reshape(_ROWS, _COLUMNS)
        cells[_MARGIN : _MARGIN + _ROWS, left : left + _COLUMNS] = glyph
    large = np.kron(cells, np.ones((scale, scale), dtype=bool))
    return np.repeat(np.where(large, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def read(pixels: NDArray[np.uint8]) -> str:
    """Return the digits that `draw` drew, from pixels (H, W, 3) of any scale; a cell is dark if most of it is.

    >>> read(draw("30718"))
    '30718'
    """
    height = pixels.shape[0]
    side = height / (_ROWS + 2 * _MARGIN)
    count = round((pixels.shape[1] / side - 2 * _MARGIN + 1) / (_COLUMNS + 1))
    digits = ""
    for place in range(count):
        marks = ""
        for row in range(_ROWS):
            for column in range(_COLUMNS):
                top = int((_MARGIN + row) * side)
                left = int((_MARGIN + place * (_COLUMNS + 1) + column) * side)
                cell = pixels[top : top + max(1, int(side)), left : left + max(1, int(side))]
                marks += "1" if cell.mean() < 128 else "0"
        digits += next((digit for digit, glyph in _GLYPHS.items() if glyph == marks), "?")
    return digits


def image(digits: str) -> Image:
    """Return a picture of digits."""
    return Image(video=SOURCE + digits, spec=_SPEC, time=0.0)


def clip(frames: Sequence[str], times: Sequence[float]) -> Clip:
    """Return a clip of pictures of digits, all of equally many."""
    return Clip(video=SOURCE + ",".join(frames), spec=_SPEC, times=tuple(times))


def user(*parts: Text | Image | Clip | str) -> tuple[Message, ...]:
    """Return a prompt of one user's turn; a string is text."""
    return (Message("user", tuple(Text(part) if isinstance(part, str) else part for part in parts)),)


def pixels_at(scale: int) -> Pixels:
    """Return what gives the pixels (F, H, W, 3) of drawn parts, `scale` pixels a cell."""

    def pixels(part: Image | Clip) -> NDArray[np.uint8]:
        return np.stack([draw(digits, scale) for digits in part.video.removeprefix(SOURCE).split(",")])

    return pixels
