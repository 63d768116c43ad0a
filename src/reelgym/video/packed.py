"""One file per video and spec: a checked header, then the frames, raw or compressed one by one, each with a checksum.

Layout: 16 bytes of magic, 8 of the header's length, 4 of its CRC-32 (little endian), the header as JSON, zeros up to a
multiple of 64, the frames one after another.
"""

from __future__ import annotations

import io
import json
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelgym.errors import RequestError
from reelgym.video.types import Frames, FrameSpec

_MAGIC = b"reelgym-frames-2"
_ALIGN = 64
_START = len(_MAGIC) + 12
MAP_BYTES = 16 * 1024**2
"""Size from which raw frames are mapped from disk instead of loaded."""


@dataclass(frozen=True)
class Encoding:
    """How frames are kept: `raw`, or JPEG or WebP at a quality of 1 to 100.

    JPEG keeps colour at full resolution, WebP at half. Both lose detail; how much is measured and told for every entry.
    """

    kind: str
    quality: int

    @staticmethod
    def parse(text: str) -> Encoding:
        """Return the encoding of a name such as `raw`, `jpeg-90` or `webp-80`.

        >>> Encoding.parse("jpeg-90")
        Encoding(kind='jpeg', quality=90)
        """
        if text == "raw":
            return Encoding("raw", 0)
        found = re.fullmatch(r"(jpeg|webp)-(\d{1,3})", text)
        if found is None or not 1 <= int(found[2]) <= 100:
            raise RequestError(f"encoding {text!r}: give raw, jpeg-Q or webp-Q with a quality Q from 1 to 100")
        return Encoding(found[1], int(found[2]))

    def __str__(self) -> str:
        """Return the name."""
        return self.kind if self.kind == "raw" else f"{self.kind}-{self.quality}"

    def encode(self, picture: NDArray[np.uint8]) -> bytes:
        """Return (H, W, 3) RGB as bytes."""
        if self.kind == "raw":
            return picture.tobytes()
        out = io.BytesIO()
        options = {"subsampling": 0} if self.kind == "jpeg" else {"method": 2}
        Image.fromarray(picture).save(out, self.kind, quality=self.quality, **options)
        return out.getvalue()

    def decode(self, data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the picture, read-only; ValueError where the bytes are not one of this shape."""
        if self.kind == "raw":
            return np.frombuffer(data, np.uint8).reshape(shape)
        try:
            with Image.open(io.BytesIO(data), formats=[self.kind]) as image:
                if (image.height, image.width) != shape[:2]:
                    raise ValueError("a picture of another size")
                picture = np.asarray(image.convert("RGB"))
        except OSError as error:
            raise ValueError("a picture that does not decode") from error
        picture.flags.writeable = False
        return picture


class Packed:
    """An opened entry: its header is checked, its frames are when they are read.

    Attributes:
        header: identity, spec, times (microseconds), shape (F, H, W, 3), encoding, sizes and checksums of the frames,
            way, warnings.
        path: Of the file.
        size_bytes: Of the file.
    """

    def __init__(self, path: str) -> None:
        """Read and check the header.

        Raises:
            FileNotFoundError: There is no such entry.
            ValueError: It is damaged, or of another format.
        """
        self.path = path
        with open(path, "rb") as file:
            begin = file.read(_START)
            if begin[: len(_MAGIC)] != _MAGIC or len(begin) < _START:
                raise ValueError("not an entry of this format")
            length = int.from_bytes(begin[-12:-4], "little")
            self.size_bytes = os.fstat(file.fileno()).st_size
            if length > self.size_bytes:
                raise ValueError("truncated header")
            text = file.read(length)
        if zlib.crc32(text) != int.from_bytes(begin[-4:], "little"):
            raise ValueError("damaged header")
        self.header: dict[str, Any] = json.loads(text)
        self._encoding = Encoding.parse(self.header["encoding"])
        self._shape: tuple[int, int, int, int] = tuple(self.header["shape"])
        start = _aligned(_START + length)
        self._starts = [start, *(start + np.cumsum(self.header["sizes"], dtype=np.int64)).tolist()]
        if self._starts[-1] != self.size_bytes:
            raise ValueError("truncated frames")

    def __len__(self) -> int:
        """Return the number of frames F."""
        return self._shape[0]

    def time(self, number: int) -> float:
        """Return the time of a frame in seconds."""
        return float(self.header["times"][number]) / 1e6

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Return one frame (H, W, 3), read-only and checked; nothing else is read. ValueError where it is damaged."""
        with open(self.path, "rb") as file:
            file.seek(self._starts[number])
            data = file.read(self.header["sizes"][number])
        self._check(number, data)
        return self._encoding.decode(data, self._shape[1:])

    def frames(self, *, verify: bool = True) -> Frames:
        """Return all frames, pixels read-only; ValueError where one is damaged."""
        pixels = self._raw(verify) if self._encoding.kind == "raw" else self._decoded()
        times = np.asarray(self.header["times"], np.float64) / 1e6
        spec = FrameSpec.from_json(self.header["spec"])
        return Frames(pixels, times, spec, tuple(self.header["warnings"]), self.header["way"])

    def _raw(self, verify: bool) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8]
        if self.size_bytes >= MAP_BYTES:
            pixels = np.asarray(np.memmap(self.path, np.uint8, "r", self._starts[0], self._shape))
        else:
            with open(self.path, "rb") as file:
                file.seek(self._starts[0])
                pixels = np.fromfile(file, np.uint8).reshape(self._shape)
            pixels.flags.writeable = False
        if verify:
            for number, picture in enumerate(pixels):
                self._check(number, picture.data)
        return pixels

    def _decoded(self) -> NDArray[np.uint8]:
        pixels = np.empty(self._shape, np.uint8)
        for number in range(len(self)):
            pixels[number] = self.frame(number)
        pixels.flags.writeable = False
        return pixels

    def _check(self, number: int, data: bytes | memoryview) -> None:
        if zlib.crc32(data) != self.header["checksums"][number]:
            raise ValueError(f"frame {number} is damaged")


def write(path: str, identity: str, frames: Frames, encoding: Encoding) -> int:
    """Write one entry and return its size in bytes; of a compressed one the measured loss joins the warnings."""
    data = list(_encoded(frames.pixels, encoding))
    warnings = frames.warnings
    if encoding.kind != "raw" and data:
        warnings = (*warnings, _loss(frames.pixels, data, encoding))
    header = {
        "identity": identity,
        "spec": frames.spec.to_json(),
        "times": np.rint(frames.times * 1e6).astype(np.int64).tolist(),
        "shape": list(frames.pixels.shape),
        "encoding": str(encoding),
        "sizes": [len(piece) for piece in data],
        "checksums": [zlib.crc32(piece) for piece in data],
        "way": frames.way,
        "warnings": list(warnings),
    }
    text = json.dumps(header).encode()
    with open(path, "xb") as file:
        file.write(_MAGIC + len(text).to_bytes(8, "little") + zlib.crc32(text).to_bytes(4, "little") + text)
        file.write(b"\0" * (_aligned(file.tell()) - file.tell()))
        for piece in data:
            file.write(piece)
        return file.tell()


def _encoded(pixels: NDArray[np.uint8], encoding: Encoding) -> Iterator[bytes | memoryview]:
    """Yield every frame as bytes; raw ones are views, so that nothing is held twice."""
    for picture in np.ascontiguousarray(pixels):
        yield memoryview(picture).cast("B") if encoding.kind == "raw" and picture.size else encoding.encode(picture)


def _loss(pixels: NDArray[np.uint8], data: list[bytes | memoryview], encoding: Encoding) -> str:
    """Return in words how far the kept frames are from the decoded ones."""
    absolute = squared = 0.0
    for picture, piece in zip(pixels, data, strict=True):
        error = encoding.decode(bytes(piece), picture.shape).astype(np.int16) - picture
        absolute += float(np.abs(error).mean())
        squared += float(np.square(error, dtype=np.int32).mean())
    count = len(data)
    ratio = 10 * np.log10(255**2 / (squared / count)) if squared else np.inf
    return f"kept as {encoding}: mean error {absolute / count:.2f} of 255, PSNR {ratio:.1f} dB"


def _aligned(place: int) -> int:
    return -(-place // _ALIGN) * _ALIGN
