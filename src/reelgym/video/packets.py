"""What a demux pass tells of the whole stream: when each picture is shown, how many bytes it took, which are keys."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelgym.video.source import LIMIT_SECONDS
from reelgym.video.timeline import examine


@dataclass(frozen=True, eq=False)
class Packets:
    """The packets of a video stream in the order shown; P is 0 where the file gives no times to trust.

    Attributes:
        times: (P,) float64, seconds after the first frame, ascending.
        sizes: (P,) int64, bytes.
        keys: (P,) bool, whether decoding can begin here.
    """

    times: NDArray[np.float64]
    sizes: NDArray[np.int64]
    keys: NDArray[np.bool_]

    @staticmethod
    def none() -> Packets:
        """Return no packets: what is known of a file that was not demuxed."""
        return Packets(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def packets(path: str, *, limit_seconds: float = LIMIT_SECONDS) -> Packets:
    """Return the packets of a file; nothing is read again where the file was probed or read just before.

    Args:
        path: As for `probe`.
        limit_seconds: Wall-clock limit.

    Raises:
        MediaError: The file cannot be read.
    """
    timeline = examine(path, time.monotonic() + limit_seconds)
    if not timeline.regular:
        return Packets.none()
    key = set(timeline.keys)
    first = timeline.order[0]
    found = sorted(
        (tick, timeline.sizes[place], place in key)
        for place, tick in enumerate(timeline.ticks)
        if tick is not None and tick >= first
    )
    ticks, sizes, keys = (np.array(column) for column in zip(*found, strict=True))
    return Packets((ticks - first) * float(timeline.time_base), sizes.astype(np.int64), keys.astype(np.bool_))
