"""One opened file: its video stream, its packets, and limits on time and size."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import av
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelgym.errors import MediaError
from reelgym.video.places import Target, opened_place
from reelgym.video.sniff import HEAD_BYTES, container_of, refusal

LIMIT_SECONDS = 600.0
"""Wall-clock limit for one probe or one read of one file."""

MAX_PIXELS = 64 * 1024 * 1024
"""Largest picture that is decoded (8,192 x 8,192): a small file can promise a huge one."""

MIN_SIDE = 28
"""Smallest displayed side, in pixels: smaller pictures hold less than one visual token of any model here."""

_BUFFER_BYTES = 256 * 1024

_NOT_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails


class Source:
    """An opened file with its chosen video stream. Made by `opened`; used in one thread.

    Attributes:
        errors: How many packets could not be decoded.
        broken: Whether reading the container ended in an error.
    """

    def __init__(self, path: str, container: av.container.InputContainer, stream: VideoStream, deadline: float) -> None:
        """Take an opened container and the stream to read."""
        self.path, self.container, self.stream, self._deadline = path, container, stream, deadline
        self.errors, self.broken = 0, False

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield the stream's packets in file order; empty ones, which would end the decoder's work, are left out."""
        demuxed = self.container.demux(self.stream)
        while True:
            self.check_time()
            try:
                packet = next(demuxed)
            except StopIteration:
                return
            except (av.FFmpegError, OSError):
                self.broken = True
                return
            if packet.size:
                yield packet

    def decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Return the frames that come out after this packet (None: flush); a damaged one is counted and gives none."""
        try:
            return self.stream.codec_context.decode(packet)
        except EOFError:
            return []
        except (av.FFmpegError, MemoryError):
            self.errors += 1
            return []

    def check_time(self) -> None:
        """Raise MediaError where the file has used up its wall-clock limit."""
        check_deadline(self.path, self._deadline)


def check_deadline(path: str, deadline: float) -> None:
    """Raise MediaError where `time.monotonic()` has passed the deadline."""
    if time.monotonic() > deadline:
        raise MediaError(path, "decode", "took longer than the time limit for one file; cut it into shorter ones")


@contextlib.contextmanager
def opened(path: str, deadline: float, threads: int = 1) -> Iterator[Source]:
    """Open what lies at a place as video and yield its Source.

    The name is data: it is never read as a protocol, a pattern or an option. The demuxer follows from the first
    bytes, other protocols than `file` are shut. Of several video streams the one flagged default is taken, then the
    largest, then the first; cover pictures are no video.

    Args:
        path: A place: a path, a URI, a member of a tar.
        deadline: The reading of `time.monotonic()` after which work on it ends in a MediaError.
        threads: Of the decoder, which then works on several frames at once.

    Raises:
        MediaError: With boundary `open` where this cannot be read as a video.
    """
    with contextlib.ExitStack() as stack:
        container = stack.enter_context(_container(path, stack.enter_context(opened_place(path, deadline))))
        stream = _choose(path, container)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        stream.codec_context.thread_count = threads
        if threads > 1:
            stream.codec_context.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield Source(path, container, stream, deadline)


def _container(path: str, target: Target) -> av.container.InputContainer:
    """Return the opened container of what lies at a place."""
    name = _demuxer(path, target)
    # What lies behind an open file may open nothing else at all.
    here = {"file": "file:" + target, "whitelist": "file"} if isinstance(target, str) else {"whitelist": "none"}
    try:
        return av.open(
            here.get("file", target),
            mode="r",
            format=name,
            options={"max_pixels": str(MAX_PIXELS)},
            container_options={"protocol_whitelist": here["whitelist"]},
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
        )
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise MediaError(path, "open", f"cannot be read as {name}: {_words(error)}") from error


def _demuxer(path: str, target: Target) -> str:
    """Return the demuxer for what lies at a place, by its first bytes."""
    try:
        if isinstance(target, str):
            with open(target, "rb") as file:
                head = file.read(HEAD_BYTES)
        else:
            head = target.read(HEAD_BYTES)
            target.seek(0)
    except (OSError, ValueError) as error:
        raise MediaError(path, "open", _words(error)) from error
    name = container_of(head)
    if name is None:
        raise MediaError(path, "open", refusal(head))
    return name


def _choose(path: str, container: av.container.InputContainer) -> VideoStream:
    """Return the video stream to read: default flag, then size, then order."""
    streams = [s for s in container.streams.video if not s.disposition & _NOT_VIDEO]
    if not streams:
        raise MediaError(path, "open", "has no video stream")
    decodable = [s for s in streams if s.codec_context is not None]
    if not decodable:
        raise MediaError(path, "open", "its codec cannot be decoded by the FFmpeg libraries here")

    def rank(stream: VideoStream) -> tuple[bool, int, int]:
        area = stream.codec_context.width * stream.codec_context.height
        return bool(stream.disposition & Disposition.default), area, -stream.index

    best = max(decodable, key=rank)
    if best.codec_context.width * best.codec_context.height > MAX_PIXELS:
        raise MediaError(path, "open", f"pictures of more than {MAX_PIXELS} pixels are not decoded")
    return best


def _words(error: Exception) -> str:
    """Return the operating system's or FFmpeg's words for an error, without the path."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
