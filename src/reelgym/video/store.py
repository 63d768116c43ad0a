"""Frames on disk under the name of their content: decode once, use everywhere."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelgym.errors import MediaError, RequestError, WorkError
from reelgym.video import blobs, packed
from reelgym.video.decode import read_many
from reelgym.video.packed import Encoding, Packed
from reelgym.video.probing import identify_once, scheme_of_identity
from reelgym.video.types import Frames, FrameSpec

LIMIT_BYTES = 20 * 1024**3
"""What a store may hold where neither the caller nor REELGYM_STORE_LIMIT says otherwise."""

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


@dataclass(frozen=True)
class Contents:
    """What lies in a store, by the headers of its entries.

    Args:
        entries: Files.
        size_bytes: Their sizes together.
        videos: Different contents.
        frames: Frames in all entries.
        encodings: Name of an encoding to the bytes kept in it.
        unreadable: Entries that are damaged or of another format; `prune` removes them first.
        oldest: When the entry that waits longest was last used, in seconds since 1970; None of an empty store.
        feature_bytes: Of `size_bytes`, what vision features take.
    """

    entries: int
    size_bytes: int
    videos: int
    frames: int
    encodings: dict[str, int]
    unreadable: int
    oldest: float | None
    feature_bytes: int = 0


class Store:
    """A bounded cache of frames, keyed by the video's identity and the spec; safe for several processes at once.

    What is made of frames (vision features) lies beside them as named bytes, within the same limit; a note, what was
    found from one entry, also goes when that entry goes.

    One packed file per entry (`packed`), with checksums of header and frames. Entries are written under a temporary
    name and renamed, so a reader sees a whole file or none; two processes that miss the same entry write the same
    bytes. A damaged entry is made again. When the files outgrow the limit, those used longest ago go first, down to
    nine tenths of it. Pixels from the store are read-only; large raw ones are mapped from disk instead of loaded, and
    `stream` gives frames one by one.

    A compressed entry is not what was decoded: its frames carry a warning with the measured loss, the first answer is
    the compressed one as every later one is, and a raw entry is taken instead where there is one.

    Args:
        root: Folder, made if absent.
        limit_bytes: What the entries may take together; the newest entry stays even if it alone is larger. None:
            REELGYM_STORE_LIMIT, such as 10GB, or else LIMIT_BYTES.
        encoding: How new entries are kept: raw, jpeg-Q or webp-Q. None: REELGYM_STORE_ENCODING, or else raw.
    """

    def __init__(
        self, root: str | os.PathLike[str], limit_bytes: int | None = None, *, encoding: str | None = None
    ) -> None:
        """Make the folder if it is absent and count what it holds."""
        self.root = os.fspath(root)
        self.limit_bytes = _default_limit() if limit_bytes is None else limit_bytes
        self.encoding = Encoding.parse(encoding or os.environ.get("REELGYM_STORE_ENCODING") or "raw")
        self._hits = self._misses = self._rebuilt = 0
        self._verified: set[str] = set()
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
                found[place] = self._save(identity, next(made))
        return [frames for frames in found if frames is not None]

    def holds(self, identity: str, spec: FrameSpec) -> bool:
        """Say whether there is an entry with a sound header, and mark it as used; its frames are not read."""
        return self._entry(identity, spec) is not None

    def stream(self, identity: str, path: str | None, spec: FrameSpec) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield (time in seconds, (H, W, 3) pixels) frame by frame: of an entry in the store only one is in memory.

        A missing entry is decoded whole first; a frame found damaged on the way is made again with its entry.

        Raises:
            MediaError, WorkError: As `frames_many`.
        """
        words = f"the frame store {self.root} does not keep what is written; name another folder"
        number, damaged = 0, -1
        while True:
            entry = self._entry(identity, spec)
            if entry is None:
                self.frames_many(identity, path, [spec])
                entry = self._entry(identity, spec)
            if entry is None:
                raise WorkError(words)
            try:
                while number < len(entry):
                    picture = entry.frame(number)
                    yield entry.time(number), picture
                    number += 1
                return
            except (OSError, ValueError) as error:
                if damaged == number:
                    raise WorkError(words) from error
                self._discard(entry.path)
                damaged = number

    def blob(self, name: str) -> bytes | None:
        """Return what `keep_blob` kept under a name, or None: never kept, thrown out for room, or damaged."""
        return blobs.read(self._blob_place(name))

    def keep_blob(self, name: str, data: bytes) -> None:
        """Keep bytes made of this store's frames (vision features) under a name, within the same limit.

        What alone would take more than an eighth of the limit is not kept.

        Raises:
            WorkError: The store cannot be written, for example on a full disk.
        """
        self._keep(self._blob_place(name), data)

    def _keep(self, place: str, data: bytes) -> None:
        if len(data) > self.limit_bytes // 8:
            return
        try:
            size = blobs.write(self.root, place, data)
        except OSError as error:
            words = f"cannot write to the frame store {self.root}: {error.strerror}"
            raise WorkError(f"{words}; free some space or name another folder") from error
        self._count_in(size)

    def note(self, identity: str, spec: FrameSpec, name: str) -> bytes | None:
        """Return what `keep_note` kept about an entry and mark both as used; None where either is absent or damaged."""
        entry = self._entry(identity, spec)
        return None if entry is None else blobs.read(blobs.note_place(entry.path, name))

    def keep_note(self, identity: str, spec: FrameSpec, name: str, data: bytes) -> None:
        """Keep bytes found from the frames of an entry until it goes; nothing is kept where there is no such entry.

        Raises:
            WorkError: The store cannot be written, for example on a full disk.
        """
        entry = self._entry(identity, spec)
        if entry is not None:
            self._keep(blobs.note_place(entry.path, name), data)

    def _blob_place(self, name: str) -> str:
        # Compressed frames are other pixels than raw ones, and what is made of them is too.
        key = hashlib.sha256(f"{name} {self.encoding}".encode()).hexdigest()
        return os.path.join(self.root, key[:2], key + blobs.SUFFIX)

    def stats(self) -> StoreStats:
        """Return what the store holds now and how it served this process."""
        sizes = [size for _, size, _ in self._entries()]
        return StoreStats(len(sizes), sum(sizes), self._hits, self._misses, self._rebuilt)

    def contents(self) -> Contents:
        """Return what lies in the store; reads the header of every entry."""
        entries = self._entries()
        encodings: dict[str, int] = {}
        identities: set[str] = set()
        frames = unreadable = features = 0
        for _, size, place in entries:
            if place.endswith(blobs.SUFFIX):
                features += size
            if place.endswith((blobs.SUFFIX, blobs.NOTE)):
                continue
            entry = _opened(place)
            if entry is None:
                unreadable += 1
                continue
            identities.add(entry.header["identity"])
            frames += len(entry)
            name = entry.header["encoding"]
            encodings[name] = encodings.get(name, 0) + size
        total = sum(size for _, size, _ in entries)
        oldest = min((used for used, _, _ in entries), default=None)
        return Contents(
            entries=len(entries),
            size_bytes=total,
            videos=len(identities),
            frames=frames,
            encodings=dict(sorted(encodings.items())),
            unreadable=unreadable,
            oldest=None if oldest is None else oldest / 1e9,
            feature_bytes=features,
        )

    def prune(self, limit_bytes: int) -> int:
        """Throw away what cannot be read, then the entries used longest ago until the rest fits; return how many."""
        entries = sorted(self._entries())
        useless = [e for e in entries if not e[2].endswith((blobs.SUFFIX, blobs.NOTE)) and _opened(e[2]) is None]
        gone = self._evict(useless, -1)
        return gone + self._evict([entry for entry in entries if entry not in useless], limit_bytes)

    def _evict(self, entries: list[tuple[int, int, str]], limit_bytes: int, spare: int = 0) -> int:
        """Remove entries, oldest first, until what is left fits or only the `spare` newest are left."""
        total, gone = sum(size for _, size, _ in entries), 0
        for _, size, path in entries[: len(entries) - spare]:
            if total <= limit_bytes:
                break
            blobs.remove_with_notes(path)
            total, gone = total - size, gone + 1
        self._known, self._written = total, 0
        return gone

    def _checked(self, identity: str, path: str | None) -> str:
        """Return the path if the file there has this content; it is hashed once per process and version."""
        if path is None:
            raise MediaError(identity, "open", "not in the frame store, and no file is known that holds it")
        try:
            actual = identify_once(path, scheme_of_identity(identity))
        except MediaError as error:
            raise MediaError(path, "open", f"{error.reason}; the content {identity} is needed from it") from error
        if actual != identity:
            change = f"the file has changed: its content is {actual}, asked for is {identity}"
            raise MediaError(path, "open", f"{change}; restore it or make the dataset again")
        return path

    def _place(self, identity: str, spec: FrameSpec, encoding: Encoding) -> str:
        """Return the file of an entry."""
        name = hashlib.sha256(f"{identity} {spec.key()} {encoding}".encode()).hexdigest()
        return os.path.join(self.root, name[:2], name + blobs.FRAMES)

    def _entry(self, identity: str, spec: FrameSpec) -> Packed | None:
        """Return an entry, a raw one before a compressed one, marked as used now; a damaged one is thrown away."""
        for encoding in dict.fromkeys((Encoding.parse("raw"), self.encoding)):
            place = self._place(identity, spec, encoding)
            try:
                entry = Packed(place)
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError, OSError):
                self._discard(place)
                continue
            with contextlib.suppress(OSError):
                os.utime(place)
            return entry
        return None

    def _load(self, identity: str, spec: FrameSpec) -> Frames | None:
        """Return the frames of an entry; None where it is absent or damaged (then it is thrown away)."""
        entry = self._entry(identity, spec)
        if entry is None:
            return None
        try:
            frames = entry.frames(verify=entry.path not in self._verified)
        except (ValueError, OSError):
            self._discard(entry.path)
            return None
        self._verified.add(entry.path)
        return frames

    def _discard(self, place: str) -> None:
        """Throw a damaged entry away."""
        self._rebuilt += 1
        with contextlib.suppress(OSError):
            blobs.remove_with_notes(place)

    def _save(self, identity: str, frames: Frames) -> Frames:
        """Write an entry under a temporary name, rename it, make room if needed, and return the frames as kept."""
        place = self._place(identity, frames.spec, self.encoding)
        temporary = os.path.join(self.root, f"{uuid.uuid4().hex}.tmp")
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            size = packed.write(temporary, identity, frames, self.encoding)
            kept = frames if self.encoding.kind == "raw" else Packed(temporary).frames()
            os.replace(temporary, place)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            words = f"cannot write to the frame store {self.root}: {error.strerror}"
            raise WorkError(f"{words}; free some space or name another folder") from error
        self._count_in(size)
        return kept

    def _count_in(self, size: int) -> None:
        """Count what was written, and make room if needed."""
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


def _opened(place: str) -> Packed | None:
    """Return an entry with a sound header, or None."""
    try:
        return Packed(place)
    except (ValueError, KeyError, TypeError, OSError):
        return None


def parse_size(text: str) -> int:
    """Return a size in bytes from words such as `10GB`, `1.5GiB`, `500 MB` or `4096`.

    >>> parse_size("10GB"), parse_size("1.5 GiB"), parse_size("0")
    (10000000000, 1610612736, 0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?\s*", text, re.IGNORECASE)
    if found is None:
        raise RequestError(f"size {text!r}: give a number of bytes, or one with kB, MB, GB, TB, KiB, MiB, GiB or TiB")
    power = "kmgt".index(found[2].lower()) + 1 if found[2] else 0
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def _default_limit() -> int:
    given = os.environ.get("REELGYM_STORE_LIMIT")
    return parse_size(given) if given else LIMIT_BYTES
