"""Where a video lies, in one string: a path, a URI, or a member of a tar at either, written `shard.tar/clip.mp4`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

from reelgym.errors import MediaError, RequestError, WorkError
from reelgym.video import remote, tar
from reelgym.video.remote import About, scheme_of

Target = str | BinaryIO
"""What a reader opens: a path on this machine, or an open file."""


@dataclass(frozen=True)
class Place:
    """A place taken apart.

    Attributes:
        text: As named.
        base: The file that is opened: a path or a URI.
        member: Name inside the tar at `base`, or None.
        is_remote: Whether `base` is a URI.
    """

    text: str
    base: str
    member: str | None
    is_remote: bool


def parse(text: str) -> Place:
    """Return a place taken apart. On this machine `x.tar/y` is a member only where x.tar is a file."""
    if scheme_of(text) is not None:
        remote.check(text)
        base, found, member = text.partition(".tar/")
        return Place(text, base + ".tar", member, True) if found and member else Place(text, text, None, True)
    at = text.find(".tar" + os.sep)
    while at >= 0:
        if os.path.isfile(text[: at + 4]):
            return Place(text, text[: at + 4], text[at + 5 :], False)
        at = text.find(".tar" + os.sep, at + 1)
    return Place(text, text, None, False)


def about(text: str) -> About:
    """Return size and version of what lies at a place, without reading it.

    Raises:
        MediaError: It is not there or may not be read.
        WorkError: A remote store cannot be reached.
    """
    place = parse(text)
    told = remote.about(place.base) if place.is_remote else _about_local(place)
    return told if place.member is None else About(_span(place, told)[1], told.tag)


def stamp(text: str) -> tuple[int, int]:
    """Return (size in bytes, a number that changes with the version), (-1, 0) where it cannot be asked.

    The number is the time of change in nanoseconds on this machine, and a hash of the version tag elsewhere.
    """
    try:
        told = about(text)
    except MediaError:
        return -1, 0
    kind, _, value = told.tag.partition("=")
    if kind == "changed":
        return told.size, int(value.split()[0])
    return told.size, int.from_bytes(hashlib.sha256(told.tag.encode()).digest()[:6], "big")


@contextlib.contextmanager
def opened_place(text: str, deadline: float) -> Iterator[Target]:
    """Give what a reader opens for a place: the path itself, a window into a local tar, or a fetched copy.

    Raises:
        MediaError: It is not there, is no regular file, may not be read, or fetching it took too long.
        WorkError: A remote store cannot be reached, or the disk is full.
    """
    place = parse(text)
    if not place.is_remote and place.member is None:
        _about_local(place)
        yield text
        return
    told = remote.about(place.base) if place.is_remote else _about_local(place)
    start, size = _span(place, told)
    if place.is_remote:
        yield remote.fetched(place.base, told, (start, size), deadline)
        return
    try:
        window = tar.Window(place.base, start, size)
    except OSError as error:
        raise MediaError(text, "open", error.strerror or str(error)) from error
    with window:
        yield cast("BinaryIO", window)


def read_span(text: str, start: int, stop: int, deadline: float) -> bytes:
    """Return the bytes [start, stop) of what lies at a place; remote ones are fetched whole only if they must be."""
    place = parse(text)
    if place.is_remote:
        offset = _span(place, remote.about(place.base))[0] if place.member is not None else 0
        data = remote.read_span(place.base, offset + start, offset + stop)
        if data is not None:
            return data
    with opened_place(text, deadline) as target, contextlib.ExitStack() as stack:
        file = stack.enter_context(open(target, "rb")) if isinstance(target, str) else target
        file.seek(start)
        return file.read(stop - start)


def members_of(base: str) -> tuple[list[str], str]:
    """Return the places of all members of a tar, sorted, and what is wrong with it, in words.

    Raises:
        MediaError: It cannot be read as an uncompressed tar.
    """
    is_remote = scheme_of(base) is not None
    told = remote.about(base) if is_remote else _about_local(Place(base, base, None, False))
    index = _index(base, told)
    return sorted(f"{base}/{name}" for name in index.members), index.damage


def root_of(texts: Sequence[str]) -> str:
    """Return the folder or prefix that holds all these places; empty where they lie on different machines."""
    if not any(scheme_of(text) for text in texts):
        return os.path.commonpath([os.path.dirname(os.path.abspath(text)) for text in texts])
    split = [text.split("/")[:-1] for text in texts]
    common = [parts[0] for parts in zip(*split, strict=False) if len(set(parts)) == 1]
    ahead = next((n for n, parts in enumerate(zip(*split, strict=False)) if len(set(parts)) > 1), len(common))
    return "/".join(common[:ahead]) if ahead >= 3 else ""


def relative(text: str, root: str) -> str:
    """Return a place relative to its root, with forward slashes; `joined` undoes it."""
    if scheme_of(text) is None:
        path = os.path.abspath(text)
        return (os.path.relpath(path, root) if root else path).replace(os.sep, "/")
    return text[len(root) + 1 :] if root else text


def joined(root: str, name: str) -> str:
    """Return the place of a name below a root; the root may have moved, from a disk to a bucket too."""
    if not root or scheme_of(name) is not None or os.path.isabs(name):
        return name
    return f"{root.rstrip('/')}/{name}" if scheme_of(root) else os.path.join(root, name)


def _about_local(place: Place) -> About:
    try:
        found = os.stat(place.base)
    except (OSError, ValueError) as error:
        raise MediaError(place.text, "open", getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        words = "not a file; a folder is searched by naming it on the command line"
        raise MediaError(place.text, "open", words)
    return About(found.st_size, f"changed={found.st_mtime_ns} {found.st_ino}")


def _span(place: Place, told: About) -> tuple[int, int]:
    """Return (start, size) of a place in its base."""
    if place.member is None:
        return 0, told.size
    try:
        members = _index(place.base, told).members
    except MediaError as error:
        raise MediaError(place.text, "open", error.reason) from error
    if place.member not in members:
        raise MediaError(place.text, "open", f"no such file in {place.base}")
    start, size = members[place.member]
    if start + size > told.size:
        raise MediaError(place.text, "open", "the tar ends before this file does")
    return start, size


@lru_cache(maxsize=16)
def _index(base: str, told: About) -> tar.Index:
    """Return the index of a tar; that of a remote one is made once and kept beside the copies."""
    if scheme_of(base) is None:
        try:
            with open(base, "rb") as file:
                return tar.members(file, base)
        except OSError as error:
            raise MediaError(base, "open", error.strerror or str(error)) from error
    folder = remote.copies_folder()
    kept = folder / f"{hashlib.sha256(json.dumps([base, told.size, told.tag]).encode()).hexdigest()}.index"
    with contextlib.suppress(OSError, ValueError, TypeError):
        members, damage = json.loads(kept.read_text(encoding="utf-8"))
        return tar.Index({name: (int(a), int(b)) for name, (a, b) in members.items()}, str(damage))
    found = remote.skim(base, lambda file: tar.members(file, base))
    temporary = folder / f"{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(found), encoding="utf-8")
        os.replace(temporary, kept)
    except OSError as error:
        raise WorkError(f"cannot write to {folder}: {error.strerror}; free some space") from error
    return found


def refuse_unknown_scheme(text: str) -> None:
    """Raise RequestError for what looks like a URI of a scheme that is not read."""
    scheme, found, _ = text.partition("://")
    if found and scheme.isalnum() and scheme_of(text) is None and not os.path.exists(text):
        raise RequestError(f"{text}: scheme {scheme!r} is not read; known: {', '.join(remote.SCHEMES)}")
