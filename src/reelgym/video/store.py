"""Frames on disk under the name of their content: decode once, use everywhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import MediaError, WorkError
from reelgym.video.decode import read_many
from reelgym.video.places import about
from reelgym.video.probing import identify, scheme_of_identity
from reelgym.video.remote import About, scheme_of
from reelgym.video.types import Frames, FrameSpec

_MAGIC = b"reelgym-frames-1"
_ALIGN = 64
_MAP_BYTES = 16 * 1024**2
_STALE_SECONDS = 3600.0


@dataclass(frozen=True)
class StoreStats:
    """What a store holds and how it served this process.

    Args:
        entries: Files.
        size_bytes: Their sizes together.
        hits: Requests answered from disk.
        misses: Requests that were decoded.
        rebuilt: Entries found damaged, thrown away and made again.
    """

    entries: int
    size_bytes: int
    hits: int
    misses: int
    rebuilt: int


class Store:
    """A bounded cache of frames, keyed by the video's identity and the spec; safe for several processes at once.

    One file per entry: magic, header length, header (JSON: identity, spec, times, shape, checksum, warnings), then the
    raw pixels. Entries are written under a temporary name and renamed, so a reader sees a whole file or none; two
    processes that miss the same entry write the same bytes. A damaged entry is made again. When the files outgrow the
    limit, those used longest ago go first, down to nine tenths of it. Pixels from the store are read-only; large ones
    are mapped from disk instead of loaded.

    Args:
        root: Folder, made if absent.
        limit_bytes: What the entries may take together; the newest entry stays even if it alone is larger.
    """

    def __init__(self, root: str | os.PathLike[str], limit_bytes: int = 20 * 1024**3) -> None:
        """Make the folder if it is absent and count what it holds."""
        self.root, self.limit_bytes = os.fspath(root), limit_bytes
        self._hits = self._misses = self._rebuilt = 0
        self._verified: set[str] = set()
        self._identities: dict[tuple[str, About, str], str] = {}
        self._written = 0
        self._known = 0
        try:
            os.makedirs(self.root, exist_ok=True)
        except OSError as error:
            raise WorkError(
                f"cannot make the frame store {self.root}: {error.strerror}; name another folder"
            ) from error
        self._known = sum(size for _, size, _ in self._entries())

    def frames(self, identity: str, path: str | None, spec: FrameSpec) -> Frames:
        """Return the frames of one spec; see `frames_many`."""
        return self.frames_many(identity, path, [spec])[0]

    def frames_many(self, identity: str, path: str | None, specs: Sequence[FrameSpec]) -> list[Frames]:
        """Return frames from disk, or decode all missing specs in one pass, keep and return them.

        Args:
            identity: The video's content (`Video.identity`).
            path: Where the file is; needed only for what is not in the store.
            specs: What to take.

        Raises:
            MediaError: If the file is missing, has another content than the identity, or cannot be read.
            WorkError: If the store cannot be written, for example on a full disk.
        """
        found = [self._load(identity, spec) for spec in specs]
        missing = [spec for spec, frames in zip(specs, found, strict=True) if frames is None]
        self._hits += len(specs) - len(missing)
        self._misses += len(missing)
        if not missing:
            return [frames for frames in found if frames is not None]
        made = iter(read_many(self._checked(identity, path), missing))
        for place, frames in enumerate(found):
            if frames is None:
                found[place] = fresh = next(made)
                self._save(identity, fresh)
        return [frames for frames in found if frames is not None]

    def stats(self) -> StoreStats:
        """Return what the store holds now and how it served this process."""
        sizes = [size for _, size, _ in self._entries()]
        return StoreStats(len(sizes), sum(sizes), self._hits, self._misses, self._rebuilt)

    def prune(self, limit_bytes: int) -> int:
        """Throw away the entries used longest ago until the rest fits; return how many went."""
        return self._evict(sorted(self._entries()), limit_bytes)

    def _evict(self, entries: list[tuple[int, int, str]], limit_bytes: int, spare: int = 0) -> int:
        """Remove entries, oldest first, until what is left fits or only the `spare` newest are left."""
        total, gone = sum(size for _, size, _ in entries), 0
        for _, size, path in entries[: len(entries) - spare]:
            if total <= limit_bytes:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total, gone = total - size, gone + 1
        self._known, self._written = total, 0
        return gone

    def _checked(self, identity: str, path: str | None) -> str:
        """Return the path if the file there has this content; it is hashed once per process and version."""
        if path is None:
            raise MediaError(identity, "open", "not in the frame store and no file is known for it; give --media-root")
        try:
            told = about(path)
        except MediaError as error:
            raise MediaError(path, "open", f"{error.reason}; the content {identity} is needed from it") from error
        place = path if scheme_of(path) else os.path.realpath(path)
        scheme = scheme_of_identity(identity)
        version = (place, told, scheme)
        if version not in self._identities:
            self._identities[version] = identify(path, scheme)
        if (actual := self._identities[version]) != identity:
            change = f"the file has changed: its content is {actual}, asked for is {identity}"
            raise MediaError(path, "open", f"{change}; restore it or make the dataset again")
        return path

    def _place(self, identity: str, spec: FrameSpec) -> str:
        """Return the file of an entry."""
        name = hashlib.sha256(f"{identity} {spec.key()}".encode()).hexdigest()
        return os.path.join(self.root, name[:2], name + ".frames")

    def _load(self, identity: str, spec: FrameSpec) -> Frames | None:
        """Return an entry and mark it as used now; None where it is absent or damaged (then it is thrown away)."""
        place = self._place(identity, spec)
        try:
            header, pixels = _open(place, verify=place not in self._verified)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError):
            self._rebuilt += 1
            with contextlib.suppress(OSError):
                os.unlink(place)
            return None
        self._verified.add(place)
        with contextlib.suppress(OSError):
            os.utime(place)
        times = np.asarray(header["times"], np.float64) / 1e6
        return Frames(pixels, times, spec, tuple(header["warnings"]))

    def _save(self, identity: str, frames: Frames) -> None:
        """Write an entry under a temporary name, rename it, and make room if needed."""
        place = self._place(identity, frames.spec)
        temporary = os.path.join(self.root, f"{uuid.uuid4().hex}.tmp")
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            size = _write(temporary, identity, frames)
            os.replace(temporary, place)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            words = f"cannot write to the frame store {self.root}: {error.strerror}"
            raise WorkError(f"{words}; free some space or name another folder") from error
        self._written += size
        if self._known + self._written > self.limit_bytes or self._written > self.limit_bytes // 16:
            self._make_room()

    def _make_room(self) -> None:
        """Count what all processes have written, throw away what is too much, and files that were never finished."""
        entries = sorted(self._entries())
        self._known, self._written = sum(size for _, size, _ in entries), 0
        if self._known > self.limit_bytes:
            self._evict(entries, self.limit_bytes * 9 // 10, spare=1)
        for entry in os.scandir(self.root):
            with contextlib.suppress(OSError):
                if entry.name.endswith(".tmp") and time.time() - entry.stat().st_mtime > _STALE_SECONDS:
                    os.unlink(entry.path)

    def _entries(self) -> list[tuple[int, int, str]]:
        """Return (time of last use in ns, size in bytes, path) of every entry."""
        found: list[tuple[int, int, str]] = []
        for folder in os.scandir(self.root):
            if not folder.is_dir():
                continue
            for entry in os.scandir(folder.path):
                with contextlib.suppress(FileNotFoundError):
                    about = entry.stat()
                    found.append((about.st_mtime_ns, about.st_size, entry.path))
        return found


def _write(path: str, identity: str, frames: Frames) -> int:
    """Write one entry and return its size in bytes."""
    pixels = np.ascontiguousarray(frames.pixels)
    header = {
        "identity": identity,
        "spec": frames.spec.to_json(),
        "times": np.rint(frames.times * 1e6).astype(np.int64).tolist(),
        "shape": list(pixels.shape),
        "checksum": zlib.crc32(pixels.data) if pixels.size else 0,
        "warnings": list(frames.warnings),
    }
    text = json.dumps(header).encode()
    start = -(-(len(_MAGIC) + 8 + len(text)) // _ALIGN) * _ALIGN
    with open(path, "xb") as file:
        file.write(_MAGIC + len(text).to_bytes(8, "little") + text)
        file.write(b"\0" * (start - file.tell()))
        if pixels.size:
            file.write(pixels.data)
        return file.tell()


def _open(path: str, *, verify: bool) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Return an entry's header and read-only pixels; ValueError where it is not whole."""
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("not a frame store entry")
        length = int.from_bytes(file.read(8), "little")
        size = os.fstat(file.fileno()).st_size
        if length > size:
            raise ValueError("truncated header")
        header = json.loads(file.read(length))
        start = -(-(len(_MAGIC) + 8 + length) // _ALIGN) * _ALIGN
        shape = tuple(header["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        if size != start + count or len(header["times"]) != shape[0]:
            raise ValueError("truncated pixels")
        pixels: NDArray[np.uint8]
        if count >= _MAP_BYTES:
            pixels = np.asarray(np.memmap(path, np.uint8, "r", start, shape))
        else:
            file.seek(start)
            pixels = np.fromfile(file, np.uint8, count).reshape(shape)
            pixels.flags.writeable = False
    if verify and count and zlib.crc32(np.ascontiguousarray(pixels).data) != header["checksum"]:
        raise ValueError("wrong checksum")
    return header, pixels
