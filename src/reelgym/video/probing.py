"""A path to a Video: identity by content, times by packets, shape by the first picture."""

from __future__ import annotations

import hashlib
import os
import time

from reelgym.errors import MediaError
from reelgym.video.clock import MICRO
from reelgym.video.source import LIMIT_SECONDS
from reelgym.video.timeline import examine
from reelgym.video.types import Video


def identify(path: str) -> str:
    """Return `full:` and the SHA-256 of the file's bytes: the name under which everything made from it is kept."""
    try:
        with open(path, "rb") as file:
            return "full:" + hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise MediaError(path, "open", getattr(error, "strerror", None) or str(error)) from error


def probe(path: str, *, limit_seconds: float = LIMIT_SECONDS, identity: str | None = None) -> Video:
    """Return what a file is, without trusting its header.

    The duration runs from the first frame shown to the end of the last, by the packets' times. Rotation by quarter
    turns, mirroring and non-square pixels are undone in all pixels this room returns, so height and width are those of
    the displayed picture.

    Args:
        path: A local file; the name is data and never read as a protocol, a pattern or an option.
        limit_seconds: Wall-clock limit.
        identity: What `identify` returned for this file, so that it is not read for that again.

    Raises:
        MediaError: With boundary `open`, `probe` or `decode` and one line of reason.
    """
    path = os.fspath(path)
    timeline = examine(path, time.monotonic() + limit_seconds)
    start = 0.0 if timeline.start is None else float(timeline.start * timeline.time_base)
    return Video(
        path=path,
        identity=identity or identify(path),
        size_bytes=os.path.getsize(path),
        duration_seconds=timeline.end / MICRO,
        height=timeline.size[0],
        width=timeline.size[1],
        frame_rate=timeline.rate,
        rotation=timeline.orientation.rotation,
        codec=timeline.codec,
        start_seconds=start,
        warnings=timeline.warnings,
    )
