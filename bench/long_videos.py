"""Long H.264 files for `synth_throughput.py`, made of a real clip in seconds.

A piece, the first SECONDS of the clip, is encoded anew (libx264, preset medium, crf 23, B-frames, 25 frames per second)
at the size and key frame distance wanted; or the clip as it is stands for it. The packets of the piece are then copied
end to end, with their times moved, until the file is as long as wanted: real content, coming again and again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SECONDS, FPS = 20, 25


@dataclass(frozen=True)
class Long:
    """A long file: minutes, picture height (16:9), frames from key frame to key frame (None: the clip as it is)."""

    minutes: int
    height: int
    key_every: int | None

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return f"{self.minutes}min_{self.height}p_key{self.key_every or '_as_is'}.mp4"


def make(clip: Path, folder: Path, wanted: Long) -> Path:
    """Return the long file in the folder, made of the clip where it is not there yet."""
    final = folder / wanted.name
    if not final.exists():
        piece = clip
        if wanted.key_every is not None:
            piece = folder / f"piece_{wanted.height}p_key{wanted.key_every}.mp4"
            if not piece.exists():
                _encode(clip, piece, wanted.height, wanted.key_every)
        partial = folder / f".{os.getpid()}.mp4"
        _repeat(piece, partial, wanted.minutes * 60)
        partial.replace(final)
    return final


def _encode(clip: Path, piece: Path, height: int, key_every: int) -> None:
    from reelgym.video import write_mp4

    pictures = itertools.islice(_pictures(clip, height), SECONDS * FPS)
    write_mp4(str(piece), pictures, FPS, preset="medium", key_every=key_every)


def _pictures(clip: Path, height: int) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(width=height * 16 // 9, height=height, format="rgb24").astype(np.uint8, copy=False)


def _repeat(piece: Path, out: Path, seconds: int) -> None:
    with av.open(str(piece)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        length = max(packet.pts + (packet.duration or 0) for packet in packets if packet.pts is not None)
        for turn in range(round(seconds / (length * stream.time_base))):
            for packet in packets:
                moved = av.Packet(bytes(packet))
                assert packet.pts is not None and packet.dts is not None
                moved.pts, moved.dts = packet.pts + turn * length, packet.dts + turn * length
                moved.duration, moved.time_base = packet.duration, stream.time_base
                moved.is_keyframe, moved.stream = packet.is_keyframe, copy
                target.mux(moved)
