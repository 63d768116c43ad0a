"""Bytes in the store beside the frames: written whole or not at all, and checked when read.

A blob (SUFFIX) stands for itself; a note (NOTE) was found from one entry of frames and goes with it.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import uuid

SUFFIX, NOTE, FRAMES = ".features", ".note", ".frames"
_DIGEST_BYTES = 32


def read(place: str) -> bytes | None:
    """Return the bytes of an entry and mark it as used now; None where it is absent, or damaged (then it goes)."""
    try:
        with open(place, "rb") as file:
            kept = file.read()
    except FileNotFoundError:
        return None
    data = kept[:-_DIGEST_BYTES]
    if hashlib.sha256(data).digest() != kept[-_DIGEST_BYTES:]:
        with contextlib.suppress(OSError):
            os.unlink(place)
        return None
    with contextlib.suppress(OSError):
        os.utime(place)
    return data


def note_place(entry: str, name: str) -> str:
    """Return the file of a note beside the file of an entry of frames."""
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{entry.removesuffix(FRAMES)}.{key}{NOTE}"


def remove_with_notes(place: str) -> None:
    """Remove a file of the store if it is still there, and the notes of an entry of frames with it."""
    notes = glob.glob(f"{glob.escape(place.removesuffix(FRAMES))}.*{NOTE}") if place.endswith(FRAMES) else []
    for gone in (*notes, place):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(gone)


def write(root: str, place: str, data: bytes) -> int:
    """Write an entry under a temporary name, rename it, and return its size.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    temporary = os.path.join(root, f"{uuid.uuid4().hex}.tmp")
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.write(hashlib.sha256(data).digest())
        os.replace(temporary, place)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return len(data) + _DIGEST_BYTES
