"""Files behind a URI, through fsspec: listed, asked for their size and version, read in pieces, or fetched whole once.

A file that is decoded is fetched whole into a bounded folder of copies, shared by processes: reading it twice over the
network (once for its times, once for its frames) would cost more. fsspec is imported only where a URI is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from reelgym.errors import MediaError, RequestError, WorkError

SCHEMES = ("gcs", "gs", "hf", "http", "https", "memory", "s3")
"""What a URI may start with."""

MAX_FETCH_BYTES = 64 * 1024**3
"""Largest file that is fetched."""

MAX_LISTED = 10_000_000
"""Files after which a listing ends in an error."""

_COPIES_BYTES = 20 * 1024**3
_PIECE = 8 * 1024**2
_STALE_SECONDS = 24 * 3600.0
_ATTEMPTS = 3
_HTTP_DEPTH = 8
_TAGS = ("VersionId", "version_id", "generation", "blob_id", "md5Hash", "ETag", "etag", "Last-Modified", "created")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class About:
    """What a store says of a file: its size in bytes and the tag of its version, empty where it gives none."""

    size: int
    tag: str


def scheme_of(text: str) -> str | None:
    """Return the scheme of a URI that is read through fsspec, None for anything else: a path on this machine.

    >>> scheme_of("s3://bucket/a.mp4"), scheme_of("concat:a|b.mp4"), scheme_of("ftp://x/a.mp4")
    ('s3', None, None)
    """
    found = re.match(r"([a-z][a-z0-9]*)://", text)
    return found[1] if found and found[1] in SCHEMES else None


def check(uri: str) -> None:
    """Refuse URIs that chain other file systems or carry a password, which would end up in datasets and logs."""
    if "::" in uri:
        raise RequestError(f"{uri}: chained URIs (with ::) are not read; give a plain one")
    if "@" in uri.partition("://")[2].partition("/")[0]:
        raise RequestError("a URI with a user or password in it is not read; put credentials where fsspec finds them")


def about(uri: str) -> About:
    """Return size and version of a remote file, asked anew.

    Raises:
        MediaError: It is not there, may not be read, or tells no size.
        WorkError: The store cannot be reached.
    """
    told = _asked(uri, lambda fs, path: fs.info(path))
    if told.get("type") == "directory":
        raise MediaError(uri, "open", "not a file; a prefix is searched by naming it on the command line")
    if told.get("size") is None:
        raise MediaError(uri, "open", "its size is not told by the server, so it cannot be read")
    return About(int(told["size"]), tag_of(told))


def tag_of(told: dict[str, Any]) -> str:
    """Return the version tag in what fsspec tells of a file: the first known one, as text."""
    return next((f"{name}={told[name]}" for name in _TAGS if told.get(name)), "")


def listed(uri: str) -> list[str] | None:
    """Return the URIs of all files under a prefix, sorted; None where the URI is a file itself.

    Raises:
        RequestError: There is no such thing, or it may not be listed.
    """
    check(uri)
    scheme = uri.partition("://")[0]
    depth = _HTTP_DEPTH if scheme.startswith("http") else None
    try:
        # To a web server everything is a file: there a prefix is what ends in a slash.
        if not uri.endswith("/") if depth else _asked(uri, lambda fs, path: fs.isfile(path)):
            about(uri)
            return None
        names = _asked(uri, lambda fs, path: fs.find(path, maxdepth=depth))
    except MediaError as error:
        raise RequestError(f"{uri}: {error.reason}; give files or prefixes that may be read") from error
    if len(names) > MAX_LISTED:
        raise RequestError(f"{uri}: holds more than {MAX_LISTED} files; give a smaller prefix")
    return sorted(name if "://" in name else f"{scheme}://{name.lstrip('/')}" for name in names)


def read_span(uri: str, start: int, stop: int) -> bytes | None:
    """Return the bytes [start, stop) of a remote file; None where its server gives no pieces."""

    def read(fs: Any, path: str) -> bytes | None:
        try:
            with fs.open(path, "rb", block_size=max(1, stop - start), cache_type="none") as file:
                file.seek(start)
                data = bytes(file.read(stop - start))
        except ValueError:  # fsspec's word for a server that answers a request for a piece with the whole.
            return None
        return data if len(data) == stop - start else None

    return _asked(uri, read)


def skim(uri: str, use: Callable[[BinaryIO], _Found]) -> _Found:
    """Return what `use` makes of the opened file, of which it reads small pieces here and there."""

    def ask(fs: Any, path: str) -> _Found:
        with fs.open(path, "rb", block_size=64 * 1024, cache_type="readahead") as file:
            return use(file)

    return _asked(uri, ask)


def fetched(uri: str, told: About, span: tuple[int, int], deadline: float) -> str:
    """Return the path of a local copy of the bytes [start, start + size) of a remote file, made if it is not there.

    Raises:
        MediaError: It has changed, is too large, or took too long.
        WorkError: The store cannot be reached, or the disk is full.
    """
    start, size = span
    if size > MAX_FETCH_BYTES:
        raise MediaError(uri, "open", f"{size} bytes; at most {MAX_FETCH_BYTES} are fetched")
    folder = copies_folder()
    key = json.dumps([uri, told.size, told.tag, start, size])
    place = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.copy"
    with contextlib.suppress(FileNotFoundError):
        if place.stat().st_size == size:
            os.utime(place)
            return str(place)
    temporary = folder / f"{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _asked(uri, lambda fs, path: _copy(uri, fs, path, (start, size, told.size), temporary, deadline))
        if about(uri) != told:
            raise MediaError(uri, "open", "has changed while it was fetched; repeat the command")
        os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)
    prune_copies(int(os.environ.get("REELGYM_FETCH_BYTES") or _COPIES_BYTES), place)
    return str(place)


def copies_folder() -> Path:
    """Return where copies of remote files are kept: below `REELGYM_CACHE`, or `~/.cache/reelgym`."""
    return Path(os.environ.get("REELGYM_CACHE") or Path.home() / ".cache" / "reelgym") / "fetched"


def _copy(uri: str, fs: Any, path: str, span: tuple[int, int, int], temporary: Path, deadline: float) -> None:
    """Copy (start, size, of a file of so many bytes) to a local file, piece by piece."""
    start, size, whole = span
    # A web server that gives no pieces still gives the whole as a stream.
    streams = uri.startswith("http") and (start, size) == (0, whole)
    options = {"block_size": 0} if streams else {"block_size": _PIECE, "cache_type": "readahead"}
    try:
        with open(temporary, "wb") as out, fs.open(path, "rb", **options) as file:
            if start:
                file.seek(start)
            left = size
            while left and (piece := file.read(min(_PIECE, left))):
                out.write(piece)
                left -= len(piece)
                if time.monotonic() > deadline:
                    raise MediaError(uri, "open", "fetching it took longer than the time limit for one file")
    except OSError as error:
        if error.filename == str(temporary) or error.errno == 28:
            raise WorkError(f"cannot write {temporary}: {error.strerror}; free some space") from error
        raise
    if left:
        raise ConnectionError(f"the connection ended {left} bytes early")


def copies_bytes() -> int:
    """Return how many bytes the copies of remote files take."""
    return sum(size for _, size, _ in _copies(copies_folder()))


def prune_copies(limit_bytes: int, spare: Path | None = None) -> None:
    """Remove the copies used longest ago until the rest fits; `spare` stays in any case."""
    entries = sorted(_copies(copies_folder()))
    total = sum(size for _, size, _ in entries)
    for _, size, place in entries:
        if total <= limit_bytes:
            return
        if place != spare:
            place.unlink(missing_ok=True)
            total -= size


def _copies(folder: Path) -> list[tuple[int, int, Path]]:
    """Return (time of last use in ns, bytes, path) of every copy and index."""
    found: list[tuple[int, int, Path]] = []
    for place in folder.glob("*.*"):
        with contextlib.suppress(FileNotFoundError):
            told = place.stat()
            if place.suffix in (".copy", ".index") or time.time() - told.st_mtime > _STALE_SECONDS:
                found.append((told.st_mtime_ns, told.st_size, place))
    return found


def _asked(uri: str, ask: Callable[[Any, str], _Found]) -> _Found:
    """Return what a file system answers, asked up to three times; its errors in our words."""
    for attempt in range(_ATTEMPTS):
        try:
            fs = _filesystem(uri.partition("://")[0])
            return ask(fs, fs._strip_protocol(uri))
        except (MediaError, RequestError, WorkError):
            raise
        except ImportError as error:
            raise RequestError(f"{uri}: {error}; pip install 'reelgym[remote]'") from error
        except Exception as error:  # Each backend raises its own kinds for a network that fails.
            if (words := _final(uri, error)) is not None:
                raise MediaError(uri, "open", words) from error
            if attempt + 1 == _ATTEMPTS:
                cause = error.__cause__ or error
                line = (str(cause).splitlines() or [""])[0] or type(cause).__name__
                raise WorkError(f"{uri} cannot be read: {line}; repeat the command to go on") from error
            time.sleep(0.2 * 4**attempt)
    raise AssertionError


def _final(uri: str, error: Exception) -> str | None:
    """Return why asking again will not help, or None where it may."""
    cause = error.__cause__
    status = getattr(cause if cause is not None else error, "status", None)
    # fsspec calls a file of a web server that does not answer a lost one; the cause tells them apart.
    lost = isinstance(error, FileNotFoundError) and (cause is None or not uri.startswith("http"))
    if lost or status in (404, 410):
        return "no such file"
    if status in (401, 403) or isinstance(error, PermissionError):
        return "may not be read with the credentials found"
    return None


@cache
def _filesystem(scheme: str) -> Any:
    """Return fsspec's file system of a scheme, without its cache of listings: files change."""
    import fsspec

    return fsspec.filesystem(scheme, use_listings_cache=False)
