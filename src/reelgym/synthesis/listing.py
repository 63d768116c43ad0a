"""The input files before any is opened: names, sizes, and a choice among them by hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reelgym.video import search

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds: what a changed file shows without being read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One input file as listed.

    Attributes:
        path: As the user would name it.
        name: Relative to the media root, with forward slashes.
        stamp: Size and time of change when listed; (-1, 0) where it could not be asked.
        draw: In [0, 1), by the hash of seed, name and size: files are chosen by it before any is opened.
    """

    path: str
    name: str
    stamp: Stamp
    draw: float


@dataclass(frozen=True)
class Listing:
    """All inputs.

    Attributes:
        root: The folder that holds them all.
        entries: By path.
        unreadable: Quarantine lines of folders that could not be searched.
    """

    root: Path
    entries: tuple[Entry, ...]
    unreadable: tuple[dict[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """The count and a hash of names and sizes: whether a finished dataset is still of these files."""
        listed = sorted((entry.name, entry.stamp[0]) for entry in self.entries)
        return f"{len(listed)} files, {hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]}"


def list_inputs(inputs: Sequence[str | Path], seed: int) -> Listing:
    """Return the video files of these files and folders, see `video.search`.

    Raises:
        RequestError: A path does not exist, or nothing was found.
    """
    found = search([str(item) for item in inputs])
    root = Path(os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in found.paths]))
    unreadable = tuple({"path": path, "boundary": "open", "reason": words} for path, words in found.unreadable)
    return Listing(root, tuple(_entry(path, root, seed) for path in found.paths), unreadable)


def stamp_of(path: str) -> Stamp:
    """Return the stamp of a file, (-1, 0) where it cannot be asked: reading it will tell why."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return -1, 0
    return about.st_size, about.st_mtime_ns


def _entry(path: str, root: Path, seed: int) -> Entry:
    name = Path(os.path.relpath(os.path.abspath(path), root)).as_posix()
    stamp = stamp_of(path)
    drawn = hashlib.sha256(json.dumps(["choose", seed, name, stamp[0]]).encode()).hexdigest()
    return Entry(path, name, stamp, int(drawn[:13], 16) / 16**13)
