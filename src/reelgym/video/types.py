"""The nouns of this room: a video known by its content, how frames are taken from it, and the frames."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import RequestError

Filter = Literal["area", "bilinear", "bicubic", "lanczos"]

STILL = "still"
"""The reader of files that are one picture."""

Way = Literal["plan", "through", "keyframes"]
"""How a file was read: only the packets that wanted frames need; everything in order; key frames alone."""


@dataclass(frozen=True, kw_only=True)
class Video:
    """A video file that was opened and probed.

    `identity` is the content's name: `full:` and the SHA-256 of all bytes. Times count from the first frame
    shown; `start_seconds` is where the file's own clock put that frame. `height` and `width` are as displayed,
    rotation and pixel aspect applied. `rotation` is how far the coded picture is turned counter-clockwise for display
    (0, 90, 180 or 270 degrees). `frame_rate` is the stream's average and only a hint: nothing is computed from it.
    `warnings` says in words what is damaged or made up.
    """

    path: str
    identity: str
    size_bytes: int
    duration_seconds: float
    height: int
    width: int
    frame_rate: float
    rotation: int
    codec: str
    start_seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """How frames are taken from a video: part of every cache key.

    Exactly one of `fps` (instants k / fps from the first frame on, k = 0, 1, ...) and `times` (instants in seconds
    after the first frame). The frame of an instant is the last one whose own time is not after it. The span is half
    open. Pixels are resized to `size` (height, width), or so that the shorter side is `short_side`, or kept.

    With `snapped` only key frames are looked at: an instant is snapped to the last key frame not after it, which may be
    many seconds earlier. That is the fastest way to read, and `Frames.times` still are the true times of what is shown.
    `reader` is `pyav`, `torchcodec` where that is installed, or `still` for a file that is one picture (its time is 0).
    """

    fps: float | None = None
    times: tuple[float, ...] | None = None
    start_seconds: float = 0.0
    stop_seconds: float | None = None
    size: tuple[int, int] | None = None
    short_side: int | None = None
    filter: Filter = "area"
    snapped: bool = False
    reader: str = "pyav"
    reader_version: str = "1"

    def __post_init__(self) -> None:
        """Refuse a spec that says nothing, or two things at once."""
        if (self.fps is None) == (self.times is None):
            raise RequestError(
                f"a FrameSpec takes exactly one of fps and times, not fps={self.fps}, times={self.times}"
            )
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise RequestError(f"fps={self.fps} is outside (0, 1000]: give frames per second")
        if self.size is not None and self.short_side is not None:
            raise RequestError("a FrameSpec takes size or short_side, not both")

    def resized(self, size: tuple[int, int]) -> FrameSpec:
        """Return the same spec at an exact (height, width) in pixels."""
        return replace(self, size=size, short_side=None)

    def key(self) -> str:
        """Return the SHA-256 of the spec's canonical JSON: equal specs, equal keys, on every machine."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the fields that differ from their default, as JSON values."""
        plain = {name: value for name, value in asdict(self).items() if value != _DEFAULTS.get(name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @staticmethod
    def from_json(value: dict[str, Any]) -> FrameSpec:
        """Return the spec written by `to_json`."""
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
        return FrameSpec(**fields)


_DEFAULTS: dict[str, Any] = {name: f.default for name, f in FrameSpec.__dataclass_fields__.items()}


@dataclass(frozen=True, eq=False)
class Frames:
    """Pixels with their true times.

    Args:
        pixels: (F, H, W, 3) uint8, RGB.
        times: (F,) float64, seconds after the first frame of the video, the time of the frame shown and not of the
            instant asked for, rounded to the microsecond; not decreasing.
        spec: How they were taken.
        warnings: What was damaged or made up on the way, in words.
        way: How the file was read for them.
    """

    pixels: NDArray[np.uint8]
    times: NDArray[np.float64]
    spec: FrameSpec
    warnings: tuple[str, ...] = ()
    way: Way = "plan"

    def __len__(self) -> int:
        """Return the number of frames F."""
        return len(self.times)

    def pick(self, times: tuple[float, ...]) -> NDArray[np.uint8]:
        """Return (len(times), H, W, 3): the frames whose true times are these; an absent time is an error."""
        places = np.searchsorted(self.times, np.asarray(times) - 1e-5)
        places = np.minimum(places, len(self.times) - 1)
        for place, time in zip(places, times, strict=True):
            if abs(self.times[place] - time) > 1e-5:
                raise RequestError(f"no frame at {time} s; the nearest of {len(self)} is at {self.times[place]} s")
        return self.pixels[places]
