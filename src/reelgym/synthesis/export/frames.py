"""Frames as files: named by what they show, written once, and never half."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from reelgym.data.dataset import canonical
from reelgym.data.files import make_folder, replacing
from reelgym.data.messages import Clip, Image
from reelgym.errors import RequestError
from reelgym.tasks.base import MediaReader

FOLDER = "frames"
"""Where frames lie inside of an export."""


class Encoding:
    """PNG, which keeps every pixel, or JPEG of a quality, which does not."""

    def __init__(self, quality: int | None) -> None:
        """Take a JPEG quality from 1 to 100, or None for PNG."""
        if quality is not None and not 1 <= quality <= 100:
            raise RequestError(f"quality={quality}: give a JPEG quality from 1 to 100, or none for PNG")
        self.quality = quality
        self.suffix = "png" if quality is None else "jpg"
        self.words = "PNG, every pixel kept" if quality is None else f"JPEG quality {quality}"

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Return the file of one frame (H, W, 3) uint8 RGB."""
        file = io.BytesIO()
        image = PILImage.fromarray(pixels)
        if self.quality is None:
            image.save(file, "PNG", compress_level=6)
        else:
            image.save(file, "JPEG", quality=self.quality, subsampling=0)
        return file.getvalue()

    def loss(self, pixels: NDArray[np.uint8], encoded: bytes) -> float:
        """Return the mean squared error of a frame against its file, of levels 0 to 255."""
        if self.quality is None:
            return 0.0
        read = np.asarray(PILImage.open(io.BytesIO(encoded)).convert("RGB"), np.float64)
        return float(np.mean((read - pixels) ** 2))


def frame_names(part: Image | Clip, encoding: Encoding) -> tuple[str, ...]:
    """Return the names of a part's frames, in order, relative to the export.

    A name hashes what is shown: the video's content, the spec, the true time, edits and encoding. So frames that
    several samples show are one file, and no name tells an order.
    """
    times = (part.time,) if isinstance(part, Image) else part.times
    names = []
    for place, time in enumerate(times):
        # An edit may depend on the frames around it.
        edits = [[edit.to_json() for edit in part.edits], list(times), place] if part.edits else []
        shown = canonical([part.video, part.spec.to_json(), time, edits, encoding.suffix, encoding.quality])
        key = hashlib.sha256(shown.encode()).hexdigest()[:40]
        names.append(f"{FOLDER}/{key[:2]}/{key}.{encoding.suffix}")
    return tuple(names)


class Freezer:
    """Writes the frames of parts into one folder."""

    def __init__(self, media: MediaReader, folder: Path, encoding: Encoding) -> None:
        """Name the reader of pixels, the export's folder and the encoding."""
        self.media, self.folder, self.encoding = media, folder, encoding
        self._there: set[str] = set()
        self._pool = ThreadPoolExecutor(max_workers=4)

    def freeze(self, part: Image | Clip) -> tuple[tuple[str, ...], tuple[int, int]]:
        """Return `frame_names` and (height, width) once every file is there; what an earlier run wrote is kept."""
        names = frame_names(part, self.encoding)
        wanted = {name: place for place, name in enumerate(names) if not self._has(name)}
        if wanted:
            pixels = self.media(part)
            list(self._pool.map(lambda item: self._write(item[0], pixels[item[1]]), wanted.items()))
            self._there.update(wanted)
        return names, self._size(part, names[0])

    def _size(self, part: Image | Clip, name: str) -> tuple[int, int]:
        """Return what the spec says, or where edits may have changed it or nothing is said, what the file is."""
        if part.spec.size is not None and not part.edits:
            return part.spec.size
        with PILImage.open(self.folder / name) as image:
            return image.height, image.width

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()

    def _has(self, name: str) -> bool:
        if name not in self._there and (self.folder / name).is_file():
            self._there.add(name)
        return name in self._there

    def _write(self, name: str, pixels: NDArray[np.uint8]) -> None:
        path = self.folder / name
        make_folder(path.parent)
        with replacing(path) as temporary:
            temporary.write_bytes(self.encoding.encode(np.ascontiguousarray(pixels)))
