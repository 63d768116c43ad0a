"""Small files for the tests of the video room: each frame carries its number as eight black or white blocks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH, BITS = 64, 128, 8
BLOCK = WIDTH // BITS


def numbered(number: int) -> NDArray[np.uint8]:
    """Return (64, 128, 3): the top half spells `number` in blocks of 16 pixels, least significant bit first."""
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    picture[40:52, 4 * number % 100 : 4 * number % 100 + 20] = (200, 40, 40)
    for bit in range(BITS):
        picture[: HEIGHT // 2, bit * BLOCK : (bit + 1) * BLOCK] = 235 if number >> bit & 1 else 16
    return picture


def number_of(picture: NDArray[np.uint8]) -> int:
    """Return the number spelled in a picture of any size made by `numbered`."""
    height, width, _ = picture.shape
    centres = [round((bit + 0.5) * width / BITS) for bit in range(BITS)]
    return sum(int(picture[height // 4, x].mean() > 120) << bit for bit, x in enumerate(centres))


def write_timed(
    path: Path,
    ticks: Sequence[int],
    *,
    time_base: Fraction = Fraction(1, 1000),
    container: str = "matroska",
    options: dict[str, str] | None = None,
    rotation: tuple[float, bool, bool] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write `numbered(k)` at presentation time ticks[k]; the packets keep exactly these times."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "veryfast", "crf": "10", **(options or {})}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = tick, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
