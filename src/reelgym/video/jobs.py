"""One spec on its way through one file: its instants, and the pictures that answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import MediaError
from reelgym.video.clock import MICRO, inside, instants
from reelgym.video.sampling import fit
from reelgym.video.timeline import Timeline
from reelgym.video.types import Frames, FrameSpec, Way

MAX_RESULT_BYTES = 8 * 1024**3
"""Largest array of frames that one read returns."""


class Job:
    """Collects the frames of one spec. Readers feed it ascending moments; each picture is written in its place once.

    Attributes:
        spec: What to take.
        size: Height and width of the result in pixels.
    """

    def __init__(self, path: str, spec: FrameSpec, timeline: Timeline) -> None:
        """Count the instants, so that the result is made once; pages that stay unused cost no memory."""
        self._path, self.spec = path, spec
        self.size = spec.size or (fit(*timeline.size, spec.short_side) if spec.short_side else timeline.size)
        self._instants = instants(spec)
        self._next = next(self._instants, None)
        self._pixels = np.empty((self._capacity(timeline.end), *self.size, 3), np.uint8)
        self._times: list[int] = []
        self._lag = 0

    def bound(self, last: int, end: int) -> int:
        """Return the bound of this spec's instants in a video whose last frame is shown from last to end."""
        return end if self.spec.fps is None else inside(last, end)

    @property
    def next(self) -> int | None:
        """The first instant not yet answered, in microseconds."""
        return self._next

    def answer(self, picture: Callable[[], NDArray[np.uint8]], moment: int, until: float) -> None:
        """Give the picture shown from `moment` on to all open instants before `until`; it is made only if one is."""
        first = len(self._times)
        while self._next is not None and self._next < until and len(self._times) < len(self._pixels):
            self._lag = max(self._lag, self._next - moment)
            self._times.append(moment)
            self._next = next(self._instants, None)
        if len(self._times) > first:
            self._pixels[first] = picture()
            self._pixels[first + 1 : len(self._times)] = self._pixels[first]

    def finish(self, warnings: tuple[str, ...], way: Way) -> Frames:
        """Return the frames; a time that was asked for by name and not found is an error."""
        if self._next is not None and self.spec.times is not None:
            end = f"it shows {len(self._times)} of the {len(self.spec.times)} frames asked for"
            raise MediaError(self._path, "decode", f"no frame at {self._next / MICRO} s: {end}")
        if self.spec.snapped:
            told = f"times are snapped to key frames, up to {self._lag / MICRO:.2f} s before the instant asked for"
            warnings = (*warnings, told)
        times = np.asarray(self._times, np.float64) / MICRO
        return Frames(self._pixels[: len(times)], times, self.spec, warnings, way)

    def _capacity(self, end: int) -> int:
        """Return how many instants lie before the end; too many for the memory allowed is an error."""
        allowed = MAX_RESULT_BYTES // (3 * self.size[0] * self.size[1])
        count = 0
        for instant in instants(self.spec):
            if instant >= end:
                break
            count += 1
            if count > allowed:
                raise MediaError(self._path, "decode", "too many or too large frames asked for; lower fps or the size")
        return count


def wanted_places(timeline: Timeline, jobs: Sequence[Job]) -> list[int]:
    """Return the places in the timeline's order of the frames that the jobs' instants show, ascending."""
    places: set[int] = set()
    for job in jobs:
        bound = job.bound(timeline.times[-1], timeline.end)
        for instant in instants(job.spec):
            if instant >= bound:
                break
            places.add(timeline.place(instant))
    return sorted(places)
