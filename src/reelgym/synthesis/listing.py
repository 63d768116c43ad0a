"""The input files before any is opened: names, sizes, and a choice among them by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reelgym.video import search
from reelgym.video.places import relative, root_of
from reelgym.video.places import stamp as stamp_of
from reelgym.video.probing import Scheme, choose_scheme

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds (of a remote file, a number made of its version tag): what a
changed file shows without being read."""


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
        root: The folder or prefix that holds them all; empty where they lie on different machines.
        entries: By path.
        unreadable: Quarantine lines of folders that could not be searched.
    """

    root: str
    entries: tuple[Entry, ...]
    unreadable: tuple[dict[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """The count and a hash of names and sizes: whether a finished dataset is still of these files."""
        listed = sorted((entry.name, entry.stamp[0]) for entry in self.entries)
        return f"{len(listed)} files, {hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]}"

    def scheme(self, wanted: Literal["auto", "full", "quick"] = "auto") -> Scheme:
        """Return how the content of all of them is named, see `video.probing.choose_scheme`."""
        return choose_scheme({entry.path: entry.stamp[0] for entry in self.entries}, wanted)


def list_inputs(inputs: Sequence[str | Path], seed: int) -> Listing:
    """Return the video files of these files and folders, see `video.search`.

    Raises:
        RequestError: A path does not exist, or nothing was found.
    """
    found = search([str(item) for item in inputs])
    root = root_of(found.paths)
    unreadable = tuple({"path": path, "boundary": "open", "reason": words} for path, words in found.unreadable)
    return Listing(root, tuple(_entry(path, root, seed) for path in found.paths), unreadable)


def _entry(path: str, root: str, seed: int) -> Entry:
    name = relative(path, root)
    stamp = stamp_of(path)
    drawn = hashlib.sha256(json.dumps(["choose", seed, name, stamp[0]]).encode()).hexdigest()
    return Entry(path, name, stamp, int(drawn[:13], 16) / 16**13)
