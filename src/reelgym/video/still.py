"""A file that is one picture, read as a video of one frame: labelled records also ask about pictures."""

from __future__ import annotations

import os
import struct
import time
import warnings
import zlib

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from reelgym.errors import MediaError, RequestError
from reelgym.video.picture import Converter, Orientation
from reelgym.video.places import about, opened_place
from reelgym.video.probing import Scheme, identify
from reelgym.video.sampling import fit
from reelgym.video.source import LIMIT_SECONDS, MAX_PIXELS, MIN_SIDE
from reelgym.video.types import STILL, Frames, FrameSpec, Video

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""What is read, by the content and whatever the name says; of moving ones the first picture."""

# All that decoders of damaged bytes raise.
_FAULTS = (
    *(OSError, EOFError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, MemoryError),
    *(struct.error, zlib.error),
)


def probe_still(
    path: str, *, limit_seconds: float = LIMIT_SECONDS, identity: str | None = None, scheme: Scheme = "full"
) -> Video:
    """Return what a picture is, as a video without duration; arguments and errors are those of `probe`."""
    kind, pixels = _decoded(path, time.monotonic() + limit_seconds)
    return Video(
        path=path,
        identity=identity or identify(path, scheme),
        size_bytes=about(path).size,
        duration_seconds=0.0,
        height=pixels.shape[0],
        width=pixels.shape[1],
        frame_rate=0.0,
        rotation=0,
        codec=kind.lower(),
        start_seconds=0.0,
    )


def read_still(path: str, spec: FrameSpec, *, limit_seconds: float = LIMIT_SECONDS) -> Frames:
    """Return the one frame of a picture, at time 0, resized as frames of videos are.

    Raises:
        MediaError: It is no picture of `FORMATS`, is damaged, too small or too large.
        RequestError: The spec asks for another time than 0.
    """
    if spec.times != (0.0,):
        asked = f"times={spec.times}" if spec.fps is None else f"fps={spec.fps}"
        raise RequestError(f"{asked}: a picture has the one time 0; a spec with reader={STILL!r} takes times=(0.0,)")
    _, pixels = _decoded(path, time.monotonic() + limit_seconds)
    height, width = pixels.shape[:2]
    size = spec.size or (fit(height, width, spec.short_side) if spec.short_side else (height, width))
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    shown = Converter(size, Orientation(), spec.filter)(frame)
    return Frames(np.ascontiguousarray(shown)[None], np.zeros(1), spec)


def _decoded(path: str, deadline: float) -> tuple[str, NDArray[np.uint8]]:
    """Return (format, (H, W, 3) RGB as displayed): turned as its camera says, what is transparent on white."""
    with opened_place(os.fspath(path), deadline) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of a library, about what is read all the same.
        try:
            with Image.open(target, formats=FORMATS) as image:
                height, width = image.height, image.width
                if min(height, width) < MIN_SIDE or height * width > MAX_PIXELS:
                    rule = f"each side must be at least {MIN_SIDE}, the area at most {MAX_PIXELS}"
                    raise MediaError(path, "probe", f"{width} x {height} pixels: {rule}")
                return str(image.format), _displayed(image)
        except UnidentifiedImageError as error:
            raise MediaError(path, "open", f"no picture of the forms {', '.join(FORMATS)}") from error
        except _FAULTS as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise MediaError(path, "decode", f"the picture is damaged: {words}") from error


def _displayed(image: Image.Image) -> NDArray[np.uint8]:
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255.
        grey = (np.asarray(turned).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if turned.has_transparency_data:
        clear = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return np.ascontiguousarray(turned.convert("RGB"))
