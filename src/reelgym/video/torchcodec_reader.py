"""TorchCodec as a second reader, for machines that have it: the same instants, times and sizes, its own pixels.

The times still come from our pass over the packets, so a sample never depends on what another library takes for a
frame's time; TorchCodec is asked for the middle of each wanted frame, and a frame with another time is an error. Its
decoder is strict: damaged files that the default reader mends are refused here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from reelgym.errors import MediaError, RequestError
from reelgym.video.clock import MICRO, ticks_to_micro
from reelgym.video.jobs import Job, wanted_places
from reelgym.video.picture import Converter, Orientation
from reelgym.video.source import check_deadline
from reelgym.video.timeline import Timeline
from reelgym.video.types import Frames

_AT_ONCE = 32
_TOLERANCE_SECONDS = 2e-3

DEVICE = os.environ.get("REELGYM_TORCHCODEC_DEVICE", "cpu")
"""Where TorchCodec decodes: `cpu`, or `cuda` where its build and the GPU can."""


def read_with_torchcodec(
    path: str, timeline: Timeline, jobs: Sequence[Job], deadline: float, threads: int
) -> list[Frames]:
    """Return the frames of the jobs, decoded by TorchCodec 0.11 or newer.

    Raises:
        RequestError: It is not installed, or a spec is snapped.
        MediaError: The file's times cannot be trusted, its picture is mirrored, or TorchCodec refuses it.
    """
    if any(job.spec.snapped for job in jobs):
        raise RequestError("reader='torchcodec' has no key-frame mode; take reader='pyav' for snapped=True")
    turned, mirrored = timeline.orientation != Orientation(), _is_mirrored(timeline.orientation)
    if not timeline.regular or mirrored:
        what = "its picture is mirrored" if mirrored else "its packet times are missing or jump"
        raise MediaError(path, "decode", f"{what}, which reader torchcodec cannot read; take pyav")
    decoder = _decoder(path, threads)
    if turned and getattr(decoder.metadata, "rotation", None) is None:
        raise RequestError("this torchcodec does not turn pictures upright; install 0.11 or newer, or take pyav")
    wanted = wanted_places(timeline, jobs)
    converters = [Converter(job.size, Orientation(), job.spec.filter) for job in jobs]
    for first in range(0, len(wanted), _AT_ONCE):
        check_deadline(path, deadline)
        places = wanted[first : first + _AT_ONCE]
        for number, picture in enumerate(_pictures(path, decoder, timeline, places), first):
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            for job, convert in zip(jobs, converters, strict=True):
                last = job.bound(timeline.times[-1], timeline.end)
                until = timeline.times[wanted[number + 1]] if number + 1 < len(wanted) else last
                job.answer(partial(convert, frame), timeline.times[wanted[number]], until)
    return [job.finish(timeline.warnings, "plan") for job in jobs]


def _decoder(path: str, threads: int) -> Any:
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, RuntimeError, OSError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"reader='torchcodec' cannot be loaded ({told}); install torchcodec or take pyav") from error
    try:
        return VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=threads, device=DEVICE, seek_mode="exact")
    except (RuntimeError, ValueError) as error:
        raise MediaError(path, "open", f"torchcodec: {_line(error)}") from error


def _pictures(path: str, decoder: Any, timeline: Timeline, places: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Return (H, W, 3) RGB of these frames, each asked for by the middle of the time it is shown."""
    assert timeline.start is not None
    zero = ticks_to_micro(timeline.start, timeline.time_base)
    ends = [*timeline.times[1:], timeline.end]
    middles = [(zero + (timeline.times[place] + ends[place]) / 2) / MICRO for place in places]
    try:
        batch = decoder.get_frames_played_at(middles)
        data, moments = batch.data.cpu().numpy(), batch.pts_seconds.tolist()
    except (RuntimeError, ValueError, IndexError) as error:
        raise MediaError(path, "decode", f"torchcodec: {_line(error)}") from error
    for place, moment in zip(places, moments, strict=True):
        expected = (zero + timeline.times[place]) / MICRO
        if abs(moment - expected) > _TOLERANCE_SECONDS:
            raise MediaError(path, "decode", f"torchcodec shows a frame of {moment} s for the one at {expected} s")
    return [np.ascontiguousarray(picture) for picture in data]


def _is_mirrored(orientation: Orientation) -> bool:
    """Say whether the orientation is no pure turn."""
    return (orientation.flip_x != orientation.flip_y) != orientation.transpose


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
