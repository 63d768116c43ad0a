"""Time in whole microseconds after the first frame: the one unit in which frames and instants are compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelgym.video.types import FrameSpec

MICRO = 1_000_000

LONGEST_END = 10 * MICRO
"""How long a last frame may claim to stay where no other frame stays longer: containers promise hours here."""

_RESTART = MICRO
"""A step back of more than this is a clock that starts again; a smaller one is a frame out of order."""


def ticks_to_micro(ticks: int, time_base: Fraction) -> int:
    """Return ticks in microseconds, rounded half up, without floating point."""
    numerator, denominator = ticks * time_base.numerator * MICRO, time_base.denominator
    return (2 * numerator + denominator) // (2 * denominator)


def seconds_to_micro(seconds: float) -> int:
    """Return seconds in microseconds, rounded half up like `ticks_to_micro`."""
    return math.floor(seconds * MICRO + 0.5)


def inside(last: int, end: int) -> int:
    """Return the bound below which the instants of a rate lie in a video whose last frame is shown from last to end.

    Containers round times, so a 20 s file may end at 20.0003 s: an instant must lie at least a millisecond, or half
    the last frame's duration if that is less, before the end.
    """
    return end - min(MICRO // 1000, (end - last) // 2)


def instants(spec: FrameSpec) -> Iterator[int]:
    """Yield the spec's instants in microseconds, ascending, within its own span [start, stop).

    The instants of a rate are k / fps counted from the first frame of the video, also where the span starts later.
    Without a stop the instants of a rate never end; the caller stops at the end of the video.
    """
    start = seconds_to_micro(spec.start_seconds)
    stop = math.inf if spec.stop_seconds is None else seconds_to_micro(spec.stop_seconds)
    if spec.times is not None:
        yield from (t for t in sorted(map(seconds_to_micro, spec.times)) if start <= t < stop)
        return
    assert spec.fps is not None
    k = max(0, math.floor(spec.start_seconds * spec.fps) - 1)
    while (t := seconds_to_micro(k / spec.fps)) < stop:
        if t >= start:
            yield t
        k += 1


class Clock:
    """Gives each decoded frame its time, for files whose own times are missing or jump.

    A frame without a time comes one step after the one before; where the times start again, the clock goes on one
    step after the last frame; a frame slightly out of order is left out. Each of these is remembered in `warnings`.

    Args:
        stream: The stream that is decoded.
        start: The presentation time of the first frame shown, in ticks of the stream; None: the first frame fed.
    """

    def __init__(self, stream: VideoStream, start: int | None = None) -> None:
        """Set the clock to zero at `start`."""
        assert stream.time_base is not None
        self._base = stream.time_base
        self._rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self._start = 0 if start is None else ticks_to_micro(start, self._base)
        self._fixed = start is not None
        self._last: int | None = None
        self._step = self._longest = 0
        self.warnings: dict[str, None] = {}

    def time_of(self, frame: VideoFrame) -> int | None:
        """Return the frame's time in microseconds, not before the last one; None: leave the frame out."""
        time = None if frame.pts is None else ticks_to_micro(frame.pts, self._base) - self._start
        if time is not None and not self._fixed:
            self._start, self._fixed, time = self._start + time, True, 0
        if time is None:
            time = 0 if self._last is None else self._last + self._step
            self.warnings["frames without times: times were made up from the frame rate"] = None
        if self._last is not None and time < self._last:
            if time > self._last - _RESTART:
                self.warnings["frames out of order were left out"] = None
                return None
            self._start += time - self._last - self._step
            time = self._last + self._step
            self.warnings["the clock of the file starts again: later times were moved behind the earlier ones"] = None
        self._longest = max(self._longest, time - (self._last or 0))
        self._last = time
        told, usual = ticks_to_micro(frame.duration or 0, self._base), round(MICRO / self._rate)
        self._step = told if 0 < told <= max(LONGEST_END, self._longest) else usual
        return time

    @property
    def end(self) -> int:
        """Where the last frame fed stops being shown, in microseconds."""
        return (self._last or 0) + self._step
