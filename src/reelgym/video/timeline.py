"""What a pass over the packets tells: every presentation time, the key frames, the first picture and its shape."""

from __future__ import annotations

import bisect
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from reelgym.errors import MediaError
from reelgym.video.clock import LONGEST_END, MICRO, Clock, ticks_to_micro
from reelgym.video.picture import Orientation, displayed_size, orientation_of
from reelgym.video.places import about
from reelgym.video.remote import About
from reelgym.video.source import LIMIT_SECONDS, MAX_PIXELS, MIN_SIDE, Source, opened


@dataclass(frozen=True)
class Timeline:
    """The times of a stream and what its first picture shows.

    `ticks` are the packets' presentation times in file order, None where absent or not shown; `sizes` their bytes;
    `keys` the places of key frames in it. `order` are the ticks shown, ascending from `start` on, `times` the same in
    microseconds after it. `regular` says that these can be trusted, so that wanted frames can be planned; else `order`
    is empty.
    """

    ticks: list[int | None]
    sizes: list[int]
    keys: list[int]
    start: int | None
    order: list[int]
    times: list[int]
    regular: bool
    end: int
    orientation: Orientation
    size: tuple[int, int]
    time_base: Fraction
    rate: float
    codec: str
    warnings: tuple[str, ...]

    def place(self, instant: int) -> int:
        """Return the place in `order` of the last frame whose time is not after the instant (microseconds)."""
        return bisect.bisect_right(self.times, instant) - 1


_KEPT_PACKETS = 200_000
_last: list[tuple[str, About, Timeline]] = []
"""The timeline used last, with the place and version of its file: at most one."""


def examine(path: str, deadline: float | None = None) -> Timeline:
    """Return the timeline of a file: one pass over its packets, pictures decoded only up to the first one.

    Where packet times are missing or jump, the whole file is decoded once to know its end. The last timeline is kept
    while the file stays as it is, since a file is probed and then read.

    Raises:
        MediaError: If it cannot be opened, shows no picture, or is too small.
    """
    deadline = time.monotonic() + LIMIT_SECONDS if deadline is None else deadline
    told = about(path)
    if _last and _last[0][:2] == (path, told):
        return _last[0][2]
    _last.clear()
    timeline = _examined(path, deadline)
    if told.tag and about(path) == told and len(timeline.ticks) <= _KEPT_PACKETS:
        _last.append((path, told, timeline))
    return timeline


def _examined(path: str, deadline: float) -> Timeline:
    with opened(path, deadline) as source:
        notes = _Notes()
        first = notes.fill(source)
        if first is None:
            raise MediaError(path, "decode", f"no picture could be decoded from {len(notes.ticks)} packets")
        timeline = _assemble(source, notes, first)
    if timeline.regular:
        return timeline
    return _timed_by_decoding(path, timeline, deadline)


class _Notes:
    """What is written down of each packet, in file order."""

    def __init__(self) -> None:
        self.ticks: list[int | None] = []
        self.sizes: list[int] = []
        self.durations: dict[int, int] = {}
        self.keys: list[int] = []
        self.trusted = True
        self.damaged = 0
        self.cut = False
        self._last_dts: int | None = None

    def fill(self, source: Source) -> VideoFrame | None:
        """Read all packets and return the first frame that decodes."""
        first: VideoFrame | None = None
        for packet in source.packets():
            if first is None:
                first = next(iter(source.decode(packet)), None)
            if packet.is_keyframe:
                self.keys.append(len(self.ticks))
            self.damaged += packet.is_corrupt
            self.cut = packet.is_corrupt
            if packet.pts is None or (packet.dts is not None and packet.dts < (self._last_dts or packet.dts)):
                self.trusted = False
            self._last_dts = packet.dts if packet.dts is not None else self._last_dts
            shown = packet.pts is not None and not packet.is_discard and not packet.is_corrupt
            self.ticks.append(packet.pts if shown else None)
            self.sizes.append(packet.size)
            if packet.pts is not None and packet.duration:
                self.durations[packet.pts] = packet.duration
        self.cut |= source.broken or 0 < len(self.ticks) < source.stream.frames
        return first or next(iter(source.decode(None)), None)


def _assemble(source: Source, notes: _Notes, first: VideoFrame) -> Timeline:
    """Return the timeline from the notes; the end of an irregular one is still unknown (0)."""
    stream = source.stream
    base = stream.time_base  # Made anew every time it is asked for.
    assert base is not None
    start = first.pts
    orientation, sane = orientation_of(first)
    size = displayed_size(first, stream, orientation)
    if min(size) < MIN_SIDE or first.width * first.height > MAX_PIXELS:
        shape = f"{size[1]} x {size[0]} pixels"
        raise MediaError(
            source.path, "probe", f"{shape}: each side must be at least {MIN_SIDE}, the area at most {MAX_PIXELS}"
        )
    shown = [tick for tick in notes.ticks if tick is not None and start is not None and tick >= start]
    order = sorted(set(shown))
    regular = notes.trusted and bool(order) and order[0] == start and len(order) == len(shown)
    times = [ticks_to_micro(tick - order[0], base) for tick in order] if regular else []
    warnings = ["the file ends in the middle of its data"] if notes.cut else []
    if notes.damaged > notes.cut:
        warnings.append(f"{notes.damaged - notes.cut} packets are marked as damaged")
    if not sane:
        warnings.append("the display matrix makes no sense and was ignored")
    if start is not None and (lost := sum(tick is not None and tick < start for tick in notes.ticks)):
        warnings.append(f"{lost} frames before the first that can be decoded were left out")
    return Timeline(
        ticks=notes.ticks,
        sizes=notes.sizes,
        keys=notes.keys,
        start=start,
        order=order if regular else [],
        times=times,
        regular=regular,
        end=_end(times, ticks_to_micro(notes.durations.get(order[-1], 0), base)) if regular else 0,
        orientation=orientation,
        size=size,
        time_base=base,
        rate=float(stream.average_rate or stream.guessed_rate or 0),
        codec=stream.codec_context.codec.canonical_name,
        warnings=tuple(warnings),
    )


def _end(times: list[int], duration: int) -> int:
    """Return when the last frame stops being shown: its own duration where credible, else the median step."""
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
    usual = steps[len(steps) // 2] if steps else MICRO // 25
    credible = 0 < duration <= max(LONGEST_END, steps[-1] if steps else 0)
    return times[-1] + (duration if credible else usual)


def shown(source: Source, clock: Clock) -> Iterator[tuple[int, VideoFrame]]:
    """Decode everything and yield (microseconds, frame) in the order shown; damage is skipped and counted."""
    for packet in itertools.chain(source.packets(), [None]):
        for frame in source.decode(packet):
            if (moment := clock.time_of(frame)) is not None:
                yield moment, frame


def _timed_by_decoding(path: str, timeline: Timeline, deadline: float) -> Timeline:
    """Return the timeline with the end and the warnings that only decoding can tell."""
    with opened(path, deadline) as source:
        clock = Clock(source.stream, timeline.start)
        for _ in shown(source, clock):
            pass
        found = [*timeline.warnings, *clock.warnings, *damage(source)]
    return Timeline(**{**vars(timeline), "end": clock.end, "warnings": tuple(found)})


def damage(source: Source) -> list[str]:
    """Return the warning for packets that did not decode, if any."""
    return [f"{source.errors} damaged packets were skipped"] if source.errors else []
