"""Members of an uncompressed tar, read where they lie: nothing is unpacked, no member's name becomes a path on disk."""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from typing import BinaryIO, NamedTuple

from reelgym.errors import MediaError

MAX_MEMBERS = 1_000_000
"""Members after which a tar is refused."""

MAX_HEADER_BYTES = 1024 * 1024
"""Largest extended header that is read: a name needs a few hundred bytes, a hostile file promises gigabytes."""

Members = dict[str, tuple[int, int]]
"""Name of a member to where its bytes start and how many they are."""


class Index(NamedTuple):
    """What is in a tar: its members, and what is wrong with it, in words."""

    members: Members
    damage: str


class _Headers(io.RawIOBase):
    """A file of which only small pieces may be read: what `tarfile` asks for while it walks from header to header."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes; at most {MAX_HEADER_BYTES} are read")
        return self._file.read(size)


def members(file: BinaryIO, name: str) -> Index:
    """Return the regular files of a tar.

    Links, devices and sparse files are left out, and so are names that are absolute or lead upwards. Of two members of
    one name the later one counts, as when unpacking.

    Args:
        file: The tar, at its beginning.
        name: What errors call it.

    Raises:
        MediaError: It is no tar that can be read in place (compressed ones cannot).
    """
    found: Members = {}
    damage = ""
    try:
        with tarfile.open(fileobj=_Headers(file), mode="r:") as archive:
            for count, member in enumerate(archive):
                if count >= MAX_MEMBERS:
                    return Index(found, f"more than {MAX_MEMBERS} members, those after are not read")
                vars(archive)["members"] = []  # `tarfile` would keep every header.
                inside = confined(member.name)
                if inside is not None and member.isreg() and not member.issparse():
                    found[inside] = (member.offset_data, member.size)
            # A header that makes no sense ends the loop like the end of the tar, which is a block of zeros or none.
            file.seek(archive.offset)
            if any(file.read(tarfile.BLOCKSIZE)):
                damage = f"damaged at byte {archive.offset}, what follows is not read"
    except (tarfile.TarError, EOFError, OverflowError, RecursionError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not found:
            remedy = "unpack it, or pack it again without compression"
            raise MediaError(name, "open", f"not an uncompressed tar ({line}); {remedy}") from error
        damage = f"damaged ({line}), what follows is not read"
    return Index(found, damage)


def confined(name: str) -> str | None:
    """Return a member's name in its plain form, or None where it is empty, absolute or leads upwards.

    >>> confined("./a//b.mp4"), confined("../b.mp4"), confined("/etc/x.mp4")
    ('a/b.mp4', None, None)
    """
    plain = posixpath.normpath(name)
    if plain in (".", "..") or plain.startswith(("/", "../")) or "\0" in plain:
        return None
    return plain


class Window(io.RawIOBase):
    """A span of a file as a file of its own, read-only; closing it closes the file."""

    def __init__(self, path: str, start: int, size: int) -> None:
        """Open the file; OSError where that fails."""
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by `close`
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place in the span."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the span and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return up to so many bytes from here, never any beyond the span."""
        left = max(0, self._size - self._at)
        count = left if size is None or size < 0 else min(size, left)
        data = os.pread(self._file.fileno(), count, self._start + self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
