"""Frames at instants, exactly: plan from the packets' times, decode only what the wanted frames need, fall back to all.

The frame of an instant is the last one whose time is not after it. Demuxing costs almost nothing, so the first
pass over the packets finds every time and key frame; the second decodes from the last key frame before a wanted frame
up to that frame, skipping whole groups of pictures, and within a group those that no other picture refers to. Where
times are missing or jump, or a planned frame does not come out, everything is decoded in order instead.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from av.video.frame import VideoFrame

from reelgym.errors import RequestError, unknown
from reelgym.video.clock import Clock
from reelgym.video.jobs import Job, wanted_places
from reelgym.video.picture import Converter
from reelgym.video.source import LIMIT_SECONDS, Source, opened
from reelgym.video.still import read_still
from reelgym.video.timeline import Timeline, damage, examine, shown
from reelgym.video.torchcodec_reader import read_with_torchcodec
from reelgym.video.types import STILL, Frames, FrameSpec, Video

_SKIPPING = frozenset(("h264", "hevc", "mpeg2video", "mpeg1video"))
"""Decoders that take NONREF per packet and give the other frames bit for bit."""

IRREGULAR = "decoded in order: packet times are missing, jump or repeat, so that no plan can be made"
UNPLANNED = "decoded in order: a planned frame did not come out whole"


def read(video: Video | str, spec: FrameSpec, *, limit_seconds: float = LIMIT_SECONDS, threads: int = 1) -> Frames:
    """Return the frames of one spec; see `read_many`."""
    return read_many(video, [spec], limit_seconds=limit_seconds, threads=threads)[0]


def read_many(
    video: Video | str, specs: Sequence[FrameSpec], *, limit_seconds: float = LIMIT_SECONDS, threads: int = 1
) -> list[Frames]:
    """Return the frames of several specs of one file, decoding it once for the exact specs and once for the snapped.

    Instants of a rate are k / fps in [0, duration), less the last millisecond, which may be the container's rounding;
    `times` are asked one by one and returned ascending. Times and instants are compared in whole microseconds. An
    instant between frames, however far, gives the last frame before it with that frame's own time, so repeats can be
    told by equal times. `Frames.way` says how the file was read; where that is not by plan, a warning says why.

    Args:
        video: A path or a Video.
        specs: What to take.
        limit_seconds: Wall-clock limit for the whole call.
        threads: Of the decoder. 1 is right for one process per core; more help where files are fewer than cores. The
            pixels are the same.

    Raises:
        MediaError: If the file cannot be read, a time asked for is not in it, or the result would be too large.
        RequestError: If a time asked for is negative, or the reader is unknown or not installed.
    """
    path = video.path if isinstance(video, Video) else os.fspath(video)
    if any(time < 0 for spec in specs for time in spec.times or ()):
        raise RequestError("a FrameSpec has a negative time; times count from the first frame, from 0 on")
    if specs and all(spec.reader == STILL for spec in specs):
        return [read_still(path, spec, limit_seconds=limit_seconds) for spec in specs]
    for spec in specs:
        if spec.reader not in _READERS:
            raise unknown("reader", spec.reader, _READERS)
    deadline = time.monotonic() + limit_seconds
    timeline = examine(path, deadline)
    found: dict[int, Frames] = {}
    for reader, snapped in dict.fromkeys((spec.reader, spec.snapped) for spec in specs):
        places = [n for n, spec in enumerate(specs) if (spec.reader, spec.snapped) == (reader, snapped)]
        jobs = [Job(path, specs[n], timeline) for n in places]
        made = _READERS[reader](path, _at_keys(timeline) if snapped else timeline, jobs, deadline, threads)
        found |= dict(zip(places, made, strict=True))
    return [found[n] for n in range(len(specs))]


def _read_with_pyav(path: str, timeline: Timeline, jobs: Sequence[Job], deadline: float, threads: int) -> list[Frames]:
    """Return the frames of the jobs by plan, or else in order; all jobs are snapped or none is."""
    snapped = any(job.spec.snapped for job in jobs)
    if timeline.regular:
        with opened(path, deadline, threads) as source:
            if _decode_planned(source, timeline, jobs):
                return [job.finish(timeline.warnings, "keyframes" if snapped else "plan") for job in jobs]
    jobs = [Job(path, job.spec, timeline) for job in jobs]
    with opened(path, deadline, threads) as source:
        warnings = _decode_through(source, timeline, jobs)
    why = UNPLANNED if timeline.regular else IRREGULAR
    told = tuple(dict.fromkeys([*timeline.warnings, *warnings, why]))
    return [job.finish(told, "through") for job in jobs]


_READERS = {"pyav": _read_with_pyav, "torchcodec": read_with_torchcodec}


def _at_keys(timeline: Timeline) -> Timeline:
    """Return the timeline of the first frame and the key frames alone."""
    keys = {timeline.ticks[number] for number in timeline.keys}
    kept = [n for n, tick in enumerate(timeline.order) if n == 0 or tick in keys]
    order, times = [timeline.order[n] for n in kept], [timeline.times[n] for n in kept]
    return replace(timeline, order=order, times=times)


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


def _decode_planned(source: Source, timeline: Timeline, jobs: Sequence[Job]) -> bool:
    """Answer the jobs from a plan; return False where a wanted frame did not come out as planned."""
    wanted = wanted_places(timeline, jobs)
    moments = {timeline.order[place]: timeline.times[place] for place in wanted}
    packets = {number for number, tick in enumerate(timeline.ticks) if tick in moments}
    due = deque(timeline.order[place] for place in wanted)
    early: dict[int, VideoFrame] = {}
    converters = _converters(timeline, jobs)
    for frame in _frames_of(source, spans(timeline, packets), packets):
        if frame.pts not in moments:
            continue
        if frame.is_corrupt or source.errors:
            return False
        early[frame.pts] = frame
        while due and due[0] in early:
            tick = due.popleft()
            shown_frame = early.pop(tick)
            for job, convert in zip(jobs, converters, strict=True):
                until = moments[due[0]] if due else job.bound(timeline.times[-1], timeline.end)
                job.answer(partial(convert, shown_frame), moments[tick], until)
    return not (due or source.errors)


def _frames_of(source: Source, ranges: list[tuple[int, int]], packets: set[int]) -> Iterator[VideoFrame]:
    """Yield the frames of these ranges of packets; of those not in `packets`, only what others refer to is decoded."""
    context = source.stream.codec_context
    skips = context.name in _SKIPPING
    remaining = iter(ranges)
    start, stop = next(remaining, (0, 0))
    for number, packet in enumerate(source.packets()):
        if stop == 0:
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


def _decode_through(source: Source, timeline: Timeline, jobs: Sequence[Job]) -> list[str]:
    """Answer the jobs by decoding in order up to the last wanted instant; return warnings."""
    clock = Clock(source.stream, timeline.start)
    converters = _converters(timeline, jobs)
    snapped = any(job.spec.snapped for job in jobs)
    held: tuple[int, VideoFrame] | None = None
    corrupt = 0
    for moment, frame in shown(source, clock):
        corrupt += frame.is_corrupt
        if held is not None and snapped and not frame.key_frame:
            continue
        if held is not None:
            for job, convert in zip(jobs, converters, strict=True):
                job.answer(partial(convert, held[1]), held[0], moment)
        held = (moment, frame)
        if all(job.next is None for job in jobs):
            break
    if held is not None:
        end = timeline.end if timeline.regular else clock.end
        for job, convert in zip(jobs, converters, strict=True):
            job.answer(partial(convert, held[1]), held[0], job.bound(held[0], end))
    damaged = [f"{corrupt} pictures are damaged"] if corrupt else []
    return [*clock.warnings, *damage(source), *damaged]


def _converters(timeline: Timeline, jobs: Sequence[Job]) -> list[Converter]:
    """Return what turns frames into the pixels of each job."""
    return [Converter(job.size, timeline.orientation, job.spec.filter) for job in jobs]
