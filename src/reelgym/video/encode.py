"""Frames to an MP4 file, the same bytes every time."""

from __future__ import annotations

import contextlib
import functools
import os
import uuid
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.codec import CodecContext
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from reelgym.errors import RequestError, WorkError

ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "mpeg4")
"""Tried in this order: H.264 by what the machine has, then FFmpeg's own MPEG-4, which is always there."""


def write_mp4(
    path: str,
    frames: Iterable[NDArray[np.uint8]],
    fps: float | Fraction,
    *,
    crf: int = 23,
    preset: str = "veryfast",
    key_every: int = 48,
    encoder: str | None = None,
) -> str:
    """Encode frames at a constant rate, without sound, and return the encoder's name.

    One thread and no date in the file: the same frames and settings give the same bytes with the same FFmpeg.
    Written to a temporary name beside `path` and renamed. Pixels become 4:2:0, so fine colour detail is halved.

    Args:
        path: Where to; an existing file is replaced.
        frames: (H, W, 3) uint8 RGB each, H and W even and the same for all; at least one.
        fps: Frames per second.
        crf: Quality of libx264, 0 (lossless) to 51; the other encoders get a bit rate of 0.1 bit per pixel.
        preset: Speed of libx264.
        key_every: A key frame at least every so many frames.
        encoder: One of ENCODERS; None takes the first that this machine has.

    Raises:
        RequestError: For no frames, odd sizes, another shape or type, or an unknown encoder.
        WorkError: If the file cannot be written.
    """
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise RequestError(f"write_mp4({path!r}): no frames given; give at least one")
    _check(first, first.shape)
    rate = Fraction(fps).limit_denominator(1001)
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with _container(temporary) as container:
            name, stream = _stream(container, rate, first.shape, encoder, (crf, preset, key_every))
            for packet in _packets(stream, _chain(first, iterator), Fraction(rate.denominator, rate.numerator)):
                container.mux(packet)
        os.replace(temporary, path)
    except (av.FFmpegError, OSError) as error:
        raise WorkError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return name


def _chain(first: NDArray[np.uint8], rest: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames, checked against the first."""
    yield first
    for frame in rest:
        _check(frame, first.shape)
        yield frame


def _check(frame: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    """Refuse a frame that the encoder cannot take."""
    good = frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape == shape and shape[2] == 3
    if not good or frame.shape[0] % 2 or frame.shape[1] % 2:
        given = f"{frame.dtype} {frame.shape}"
        raise RequestError(f"write_mp4 takes uint8 frames (H, W, 3), all alike, H and W even, not {given}")


def _container(path: str) -> av.container.OutputContainer:
    """Open the file to write, without the time of writing in it."""
    return av.open("file:" + path, mode="w", format="mp4", container_options={"fflags": "+bitexact"})


def _stream(
    container: av.container.OutputContainer,
    rate: Fraction,
    shape: tuple[int, ...],
    encoder: str | None,
    settings: tuple[int, str, int],
) -> tuple[str, VideoStream]:
    """Return the first encoder of ENCODERS (or the one asked for) that works here, and its stream."""
    crf, preset, key_every = settings
    name = next((name for name in ENCODERS if encoder in (None, name) and _opens(name)), None)
    if name is None:
        here = ", ".join(filter(_opens, ENCODERS)) or "none"
        raise RequestError(f"encoder {encoder!r} does not work with the FFmpeg libraries here; those that do: {here}")
    stream = container.add_stream(name, rate=rate)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = shape[0], shape[1]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.gop_size = key_every
    context.time_base = Fraction(rate.denominator, rate.numerator)
    if name == "libx264":
        stream.options = {"crf": str(crf), "preset": preset}
    else:
        context.bit_rate = max(64_000, int(0.1 * shape[0] * shape[1] * rate))
    return name, stream


@functools.cache
def _opens(encoder: str) -> bool:
    """Say whether this machine has the encoder and it starts (hardware may be missing)."""
    try:
        context = CodecContext.create(encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = 64, 64, "yuv420p"
        context.time_base = context.framerate = Fraction(25)
        context.open()
    except (av.FFmpegError, UnknownCodecError):
        return False
    return True


def _packets(
    stream: VideoStream, frames: Iterator[NDArray[np.uint8]], step: Fraction
) -> Iterator[av.packet.Packet[VideoStream]]:
    """Yield the encoded packets of all frames, then of the flush."""
    scaler = VideoReformatter()
    for number, pixels in enumerate(frames):
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = scaler.reformat(rgb, format="yuv420p", threads=1)
        frame.pts, frame.time_base = number, step
        yield from stream.encode(frame)
    yield from stream.encode(None)
