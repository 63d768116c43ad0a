"""Frames at instants, exactly: plan from the packets' times, decode only what the wanted frames need, fall back to all.

The frame of an instant is the last one whose time is not after it. Demuxing costs almost nothing, so the first
pass over the packets finds every time and key frame; the second decodes from the last key frame before a wanted frame
up to that frame, skipping whole groups of pictures, and within a group those that no other picture refers to. Where
times are missing or jump, or a planned frame does not come out, everything is decoded in order instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from reelgym.errors import MediaError, RequestError
from reelgym.video.clock import MICRO, Clock, inside, instants
from reelgym.video.picture import Converter
from reelgym.video.sampling import fit
from reelgym.video.source import LIMIT_SECONDS, MAX_RESULT_BYTES, Source, opened
from reelgym.video.timeline import Timeline, damage, examine, shown
from reelgym.video.types import Frames, FrameSpec, Video

_SKIPPING = frozenset(("h264", "hevc", "mpeg2video", "mpeg1video"))
"""Decoders that take NONREF per packet and give the other frames bit for bit."""


def read(video: Video | str, spec: FrameSpec, *, limit_seconds: float = LIMIT_SECONDS) -> Frames:
    """Return the frames of one spec; see `read_many`."""
    return read_many(video, [spec], limit_seconds=limit_seconds)[0]


def read_many(video: Video | str, specs: Sequence[FrameSpec], *, limit_seconds: float = LIMIT_SECONDS) -> list[Frames]:
    """Return the frames of several specs of one file, decoding it once.

    Instants of a rate are k / fps in [0, duration), less the last millisecond, which may be the container's rounding;
    `times` are asked one by one and returned ascending. Times and instants are compared in whole microseconds. An
    instant between frames, however far, gives the last frame before it with that frame's own time, so repeats can be
    told by equal times.

    Args:
        video: A path or a Video.
        specs: What to take.
        limit_seconds: Wall-clock limit for the whole call.

    Raises:
        MediaError: If the file cannot be read, a time asked for is not in it, or the result would be too large.
        RequestError: If a time asked for is negative.
    """
    path = video.path if isinstance(video, Video) else os.fspath(video)
    if any(time < 0 for spec in specs for time in spec.times or ()):
        raise RequestError("a FrameSpec has a negative time; times count from the first frame, from 0 on")
    deadline = time.monotonic() + limit_seconds
    timeline = examine(path, deadline)
    jobs = [_Job(path, spec, timeline) for spec in specs]
    warnings: list[str] | None = None
    if timeline.regular:
        with opened(path, deadline) as source:
            warnings = _decode_planned(source, timeline, jobs)
    if warnings is None:
        jobs = [_Job(path, spec, timeline) for spec in specs]
        with opened(path, deadline) as source:
            warnings = _decode_through(source, timeline, jobs)
    found = tuple(dict.fromkeys([*timeline.warnings, *warnings]))
    return [job.finish(found) for job in jobs]


class _Job:
    """One spec on its way: its instants and the pictures found so far."""

    def __init__(self, path: str, spec: FrameSpec, timeline: Timeline) -> None:
        self._path, self.spec = path, spec
        self.size = spec.size or (fit(*timeline.size, spec.short_side) if spec.short_side else timeline.size)
        self._convert = Converter(self.size, timeline.orientation, spec.filter)
        self._instants = instants(spec)
        self._next = next(self._instants, None)
        self._times: list[int] = []
        self._rows: list[int] = []
        self._pictures: list[NDArray[np.uint8]] = []
        self._bytes = 0

    def bound(self, last: int, end: int) -> int:
        """Return the bound of this spec's instants in a video whose last frame is shown from last to end."""
        return end if self.spec.fps is None else inside(last, end)

    @property
    def next(self) -> int | None:
        """The first instant not yet answered, in microseconds."""
        return self._next

    def answer(self, frame: VideoFrame, moment: int, until: float) -> None:
        """Give the frame shown from `moment` on to all open instants before `until`."""
        if self._next is None or self._next >= until:
            return
        self._pictures.append(self._convert(frame))
        while self._next is not None and self._next < until:
            self._bytes += self._pictures[-1].nbytes
            if self._bytes > MAX_RESULT_BYTES:
                raise MediaError(self._path, "decode", "too many or too large frames asked for; lower fps or the size")
            self._times.append(moment)
            self._rows.append(len(self._pictures) - 1)
            self._next = next(self._instants, None)

    def finish(self, warnings: tuple[str, ...]) -> Frames:
        """Return the frames; a time that was asked for by name and not found is an error."""
        if self._next is not None and self.spec.times is not None:
            end = f"it shows {len(self._times)} of the {len(self.spec.times)} frames asked for"
            raise MediaError(self._path, "decode", f"no frame at {self._next / MICRO} s: {end}")
        pixels = np.empty((len(self._rows), *self.size, 3), np.uint8)
        for place, row in enumerate(self._rows):
            pixels[place] = self._pictures[row]
        return Frames(pixels, np.asarray(self._times, np.float64) / MICRO, self.spec, warnings)


def _wanted(timeline: Timeline, jobs: Sequence[_Job]) -> list[int]:
    """Return the places in the timeline's order of the frames that the jobs' instants show, ascending."""
    places: set[int] = set()
    for job in jobs:
        bound = job.bound(timeline.times[-1], timeline.end)
        for instant in instants(job.spec):
            if instant >= bound:
                break
            places.add(timeline.place(instant))
    return sorted(places)


def spans(timeline: Timeline, packets: set[int]) -> list[tuple[int, int]]:
    """Return half-open ranges of packets to decode so that the frames of these packets come out exactly.

    Each starts at a key frame. A picture that is shown before the key frame it follows in the file refers across it,
    so its range starts one key frame earlier.
    """
    found: list[tuple[int, int]] = []
    starts = np.asarray([0, *timeline.keys])
    for packet in sorted(packets):
        at = int(np.searchsorted(starts, packet, side="right")) - 1
        key = timeline.ticks[starts[at]]
        tick = timeline.ticks[packet]
        if at > 0 and (key is None or tick is None or tick < key):
            at -= 1
        start = int(starts[at])
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], packet + 1)
        else:
            found.append((start, packet + 1))
    return found


def _decode_planned(source: Source, timeline: Timeline, jobs: Sequence[_Job]) -> list[str] | None:
    """Answer the jobs from a plan; return warnings, or None where a wanted frame did not come out as planned."""
    wanted = _wanted(timeline, jobs)
    moments = {timeline.order[place]: timeline.times[place] for place in wanted}
    packets = {number for number, tick in enumerate(timeline.ticks) if tick in moments}
    due = [timeline.order[place] for place in wanted]
    early: dict[int, VideoFrame] = {}
    for frame in _frames_of(source, spans(timeline, packets), packets):
        if frame.pts not in moments:
            continue
        if frame.is_corrupt or source.errors:
            return None
        early[frame.pts] = frame
        while due and due[0] in early:
            tick = due.pop(0)
            for job in jobs:
                until = moments[due[0]] if due else job.bound(timeline.times[-1], timeline.end)
                job.answer(early[tick], moments[tick], until)
            del early[tick]
    return None if due or source.errors else []


def _frames_of(source: Source, ranges: list[tuple[int, int]], packets: set[int]) -> Iterator[VideoFrame]:
    """Yield the frames of these ranges of packets; of those not in `packets`, only what others refer to is decoded."""
    context = source.stream.codec_context
    skips = context.name in _SKIPPING
    remaining = iter(ranges)
    start, stop = next(remaining, (0, 0))
    for number, packet in enumerate(source.packets()):
        if packet.size == 0 or stop == 0:
            break
        if number < start:
            continue
        if skips:
            context.skip_frame = "DEFAULT" if number in packets else "NONREF"
        yield from source.decode(packet)
        if number + 1 == stop:
            yield from source.decode(None)
            context.flush_buffers()
            start, stop = next(remaining, (0, 0))


def _decode_through(source: Source, timeline: Timeline, jobs: Sequence[_Job]) -> list[str]:
    """Answer the jobs by decoding in order up to the last wanted instant; return warnings."""
    clock = Clock(source.stream, timeline.start)
    held: tuple[int, VideoFrame] | None = None
    corrupt = 0
    for moment, frame in shown(source, clock):
        if held is not None:
            for job in jobs:
                job.answer(held[1], held[0], moment)
        held = (moment, frame)
        corrupt += frame.is_corrupt
        if all(job.next is None for job in jobs):
            break
    if held is not None:
        end = max(clock.end, timeline.end if timeline.regular else 0)
        for job in jobs:
            job.answer(held[1], held[0], job.bound(held[0], end))
    damaged = [f"{corrupt} pictures are damaged"] if corrupt else []
    return [*clock.warnings, *damage(source), *damaged]
