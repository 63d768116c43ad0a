"""From a decoded frame to displayed RGB pixels of an exact size: orientation, pixel aspect, resizing."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from reelgym.video.types import Filter

_FILTERS: dict[Filter, Interpolation] = {
    "area": Interpolation.AREA,
    "bilinear": Interpolation.BILINEAR,
    "bicubic": Interpolation.BICUBIC,
    "lanczos": Interpolation.LANCZOS,
}


@dataclass(frozen=True)
class Orientation:
    """How the coded picture becomes the displayed one: transposed first, then flipped left-right, then up-down."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation(self) -> int:
        """The turn counter-clockwise in degrees; of a mirrored picture, the turn after mirroring it left-right."""
        if self.transpose:
            return 90 if self.flip_y else 270
        return 180 if self.flip_y else 0

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (H, W, 3) as displayed, a view."""
        pixels = pixels.transpose(1, 0, 2) if self.transpose else pixels
        return pixels[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


def orientation_of(frame: VideoFrame) -> tuple[Orientation, bool]:
    """Return the orientation of the frame's display matrix, and whether the matrix made sense.

    The matrix (a b u; c d v; x y w) in 16.16 fixed point sends a coded point (p, q), q downwards, to
    (a p + c q, b p + d q). Angles are taken to the nearest quarter turn; mirrored pictures are mirrored back.
    """
    matrix = cast("Mapping[SideData, Buffer]", frame.side_data).get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return Orientation(), True
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if a * d == b * c:
        return Orientation(), False
    if abs(a) >= abs(c):
        return Orientation(False, a < 0, d < 0), True
    return Orientation(True, c < 0, b < 0), True


def displayed_size(frame: VideoFrame, stream: VideoStream, orientation: Orientation) -> tuple[int, int]:
    """Return (height, width) as displayed: square pixels (the width is stretched or shrunk), then the orientation.

    Pixel aspects outside 1/4 to 4 are taken for nonsense, those within 1% of 1 for rounding; both are ignored.
    """
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    ratio = float(aspect) if aspect else 1.0
    if not 0.25 <= ratio <= 4 or abs(ratio - 1) < 0.01:
        ratio = 1.0
    height, width = frame.height, max(1, round(frame.width * ratio))
    return (width, height) if orientation.transpose else (height, width)


class Converter:
    """Turns frames into displayed RGB of one size; keeps the scaler's tables between frames."""

    def __init__(self, size: tuple[int, int], orientation: Orientation, resize: Filter) -> None:
        """Take the displayed (height, width) to make, the orientation to undo and the scaler's filter."""
        self.size, self._orientation = size, orientation
        self._flags = _FILTERS[resize]
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return (height, width, 3) uint8 RGB."""
        height, width = self.size[::-1] if self._orientation.transpose else self.size
        rgb = self._scaler.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=self._flags, threads=1
        )
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return self._orientation.apply(rows[:height, : width * 3].reshape(height, width, 3))
