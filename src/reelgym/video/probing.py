"""A path to a Video: identity by content, times by packets, shape by the first picture."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from typing import BinaryIO, Literal

from reelgym.errors import MediaError
from reelgym.video.clock import MICRO
from reelgym.video.places import about, opened_place, read_span
from reelgym.video.places import stamp as stamp_of
from reelgym.video.remote import About, scheme_of
from reelgym.video.source import LIMIT_SECONDS
from reelgym.video.timeline import examine
from reelgym.video.types import Video

QUICK_BYTES = 1024**3
"""Size above which `auto` takes the quick identity; ours."""

_PIECE = 1024**2

_KEPT_IDENTITIES = 4096
_identities: dict[tuple[str, About, Scheme], str] = {}
"""Contents known in this process, by place and version of the file."""

Scheme = Literal["full", "quick"]
"""How content is named: by all bytes, or by size, version and the first, middle and last MiB."""


def identify(path: str, scheme: Scheme = "full", *, limit_seconds: float = LIMIT_SECONDS) -> str:
    """Return the name under which everything made from a file is kept: the scheme, a colon, and a SHA-256.

    `full:` hashes all bytes. `quick:` hashes the size, the version tag of a remote file (none for one on this machine)
    and the first, middle and last MiB, so an archive is not read twice; two files that differ only between those
    pieces get one name, and a copy in another bucket may get another. One dataset holds one scheme.

    Raises:
        MediaError: The file cannot be read.
    """
    deadline = time.monotonic() + limit_seconds
    if scheme == "quick":
        return "quick:" + _quick(path, deadline)
    with opened_place(path, deadline) as target:
        try:
            if not isinstance(target, str):
                return "full:" + _hashed(target).hexdigest()
            with open(target, "rb") as file:
                return "full:" + hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            raise MediaError(path, "open", getattr(error, "strerror", None) or str(error)) from error


def identify_once(path: str, scheme: Scheme = "full") -> str:
    """Return `identify`, from memory while the file keeps size, time of change and inode (remote: its version tag)."""
    version = _version(path, scheme)
    if version is None:
        return identify(path, scheme)
    if version not in _identities:
        identity = identify(path, scheme)
        if _version(path, scheme) != version:
            return identity  # It changed while it was read.
        _identities[version] = identity
    return _identities[version]


def vouch(path: str, identity: str, stamp: tuple[int, int]) -> None:
    """Note that a file that has this `places.stamp` has this content, so that `identify_once` need not read it.

    Raises:
        MediaError: The file is not there.
    """
    version = _version(path, scheme_of_identity(identity))
    if version is not None and stamp_of(path) == stamp:
        _identities[version] = identity


def _version(path: str, scheme: Scheme) -> tuple[str, About, Scheme] | None:
    """Return what tells one version of a file from another, None where nothing does; makes room in `_identities`."""
    told = about(path)
    while len(_identities) >= _KEPT_IDENTITIES:
        del _identities[next(iter(_identities))]
    return (path if scheme_of(path) else os.path.realpath(path), told, scheme) if told.tag else None


def scheme_of_identity(identity: str) -> Scheme:
    """Return the scheme of an identity.

    >>> scheme_of_identity("quick:ab")
    'quick'
    """
    return "quick" if identity.startswith("quick:") else "full"


def choose_scheme(sizes: Mapping[str, int], wanted: Literal["auto", "full", "quick"] = "auto") -> Scheme:
    """Return the one scheme for a set of files: `auto` is quick where any is remote or larger than QUICK_BYTES.

    Args:
        sizes: Place of each file to its size in bytes.
        wanted: A scheme, or `auto`.
    """
    if wanted != "auto":
        return wanted
    return "quick" if any(scheme_of(path) or size > QUICK_BYTES for path, size in sizes.items()) else "full"


def _quick(path: str, deadline: float) -> str:
    told = about(path)
    tag = told.tag if scheme_of(path) else ""
    spans = [(0, told.size)]
    if told.size > 3 * _PIECE:
        middle = (told.size - _PIECE) // 2
        spans = [(start, start + _PIECE) for start in (0, middle, told.size - _PIECE)]
    whole = hashlib.sha256(f"reelgym quick 1\n{told.size}\n{tag}\n".encode())
    for start, stop in spans:
        data = read_span(path, start, stop, deadline)
        if len(data) != stop - start:
            raise MediaError(path, "open", "has changed while it was read")
        whole.update(data)
    return whole.hexdigest()


def _hashed(file: BinaryIO) -> hashlib._Hash:
    whole = hashlib.sha256()
    while piece := file.read(_PIECE):
        whole.update(piece)
    return whole


def probe(
    path: str, *, limit_seconds: float = LIMIT_SECONDS, identity: str | None = None, scheme: Scheme = "full"
) -> Video:
    """Return what a file is, without trusting its header.

    The duration runs from the first frame shown to the end of the last, by the packets' times. Rotation by quarter
    turns, mirroring and non-square pixels are undone in all pixels this room returns, so height and width are those of
    the displayed picture.

    Args:
        path: A place (a path, a URI, a member of a tar); a path is data, never a protocol, a pattern or an option.
        limit_seconds: Wall-clock limit.
        identity: What `identify` returned for this file, so that it is not read for that again.
        scheme: How its content is named where `identity` is not given.

    Raises:
        MediaError: With boundary `open`, `probe` or `decode` and one line of reason.
    """
    path = os.fspath(path)
    timeline = examine(path, time.monotonic() + limit_seconds)
    start = 0.0 if timeline.start is None else float(timeline.start * timeline.time_base)
    return Video(
        path=path,
        identity=identity or identify(path, scheme),
        size_bytes=about(path).size,
        duration_seconds=timeline.end / MICRO,
        height=timeline.size[0],
        width=timeline.size[1],
        frame_rate=timeline.rate,
        rotation=timeline.orientation.rotation,
        codec=timeline.codec,
        start_seconds=start,
        warnings=timeline.warnings,
    )
