"""Pictures of a page as bytes: pixels to an image file, and an image file into the page itself."""

from __future__ import annotations

import base64
import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage


def encode(pixels: NDArray[np.uint8], *, form: Literal["PNG", "JPEG", "WEBP"] = "JPEG", quality: int = 88) -> bytes:
    """Return one frame as image bytes.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        form: PNG is exact and larger.
        quality: Of JPEG and WebP, 1 to 95.
    """
    sink = io.BytesIO()
    PilImage.fromarray(np.ascontiguousarray(pixels)).save(sink, form, quality=quality)
    return sink.getvalue()


def data_uri(image: bytes) -> str:
    """Return image bytes as a data URI; their own first bytes say which form they are."""
    kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
    kind = next((name for start, name in kinds.items() if image.startswith(start)), None)
    if kind is None:
        raise ValueError(f"an image must be PNG, JPEG or WebP bytes; these start with {image[:8]!r}: use encode()")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
