"""Video files among paths, folders, URIs and tars."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reelgym.errors import MediaError, RequestError
from reelgym.video.places import members_of, parse, refuse_unknown_scheme
from reelgym.video.remote import listed, scheme_of
from reelgym.video.sniff import HEAD_BYTES, container_of

_NAMES = """
3g2 3gp asf avi divx f4v flv gif h264 264 265 hevc ivf m2ts m2v m4v mkv mov mp4 mpe mpeg mpg mts mxf ogm ogv qt rm rmvb
ts vob webm wmv y4m
"""
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())
"""Names that promise a video, lower case."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        paths: Files to probe, sorted, each file once.
        ignored: How many other files the folders held.
        unreadable: (folder or tar, reason) of what lies below the inputs and could not be searched, or only in part.
    """

    paths: tuple[str, ...]
    ignored: int
    unreadable: tuple[tuple[str, str], ...] = ()


def search(inputs: Sequence[str]) -> Found:
    """Return the places of the video files of these files, folders and URIs.

    A file named directly is always passed on. In a folder, searched to the bottom, hidden names included, a file is
    passed on if it has a video's extension, whatever it holds (`probe` says what is wrong with it), or if its first
    bytes are a video's, whatever its name; under a URI the extension alone decides, since a look costs a request. A
    `.tar` stands for its members, which are judged by extension. Every other file is ignored and counted. Symbolic
    links are followed, loops are not; a file reached twice counts once. A folder below an input that may not be
    searched, and a damaged tar, are listed.

    Raises:
        RequestError: If a path does not exist or may not be searched, or nothing was found.
    """
    if not inputs:
        raise RequestError("no videos given; give video files or folders that hold some")
    paths: dict[str, str] = {}
    ignored = 0
    unreadable: dict[str, str] = {}
    for given in map(os.fspath, inputs):
        for path, direct in _candidates(given, unreadable):
            if direct or _looks_like_video(path):
                real = path if scheme_of(path) else os.path.realpath(path)
                paths[real] = min(paths.get(real, path), path)
            else:
                ignored += 1
    if not paths:
        what = f"{ignored} files that are no videos" if ignored else "no files"
        what += f" and {len(unreadable)} folders or tars that may not be searched" if unreadable else ""
        raise RequestError(f"{', '.join(inputs)}: holds {what}; give video files or folders that hold some")
    return Found(tuple(sorted(paths.values())), ignored, tuple(sorted(unreadable.items())))


def find_videos(inputs: Sequence[str]) -> list[str]:
    """Return the sorted paths of `search`."""
    return list(search(inputs).paths)


def _candidates(given: str, unreadable: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield (place, named directly) for one input, members instead of tars."""
    if scheme_of(given) is None and parse(given).member is None and not os.path.exists(given):
        refuse_unknown_scheme(given)
        raise RequestError(f"{given}: no such file or folder; give video files or folders that hold some")
    for path, direct in _remote_files(given) if scheme_of(given) else _files(given, unreadable):
        if not path.lower().endswith(".tar") or (direct and parse(path).member):
            yield path, direct
            continue
        try:
            members, damage = members_of(path)
        except MediaError as error:
            if direct:
                raise RequestError(f"{path}: {error.reason}") from error
            unreadable[path] = f"{error.reason}: nothing in it was read"
            continue
        if damage:
            unreadable[path] = damage
        yield from ((member, False) for member in members)


def _remote_files(given: str) -> Iterator[tuple[str, bool]]:
    """Yield (URI, named directly) for a URI of a file, of a member of a tar, or of a prefix."""
    names = None if parse(given).member else listed(given)
    yield from [(given, True)] if names is None else ((name, False) for name in names)


def _files(given: str, unreadable: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield (path, named directly) for one input; note the folders below it that may not be searched."""
    if not os.path.isdir(given):
        yield given, True
        return
    seen: set[str] = set()

    def note(error: OSError) -> None:
        words = error.strerror or str(error)
        if error.filename == given:
            raise RequestError(f"{given}: cannot be searched ({words}); give a folder that may be read") from error
        unreadable[str(error.filename)] = f"{words}: nothing in this folder was read"

    for folder, folders, names in os.walk(given, onerror=note, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from ((os.path.join(folder, name), False) for name in _regular(folder, names))


def _regular(folder: str, names: Iterable[str]) -> list[str]:
    """Return the names of regular files, sorted: no pipe, socket or device is ever opened."""
    return sorted(name for name in names if os.path.isfile(os.path.join(folder, name)))


def _looks_like_video(path: str) -> bool:
    """Say whether a file found in a folder is passed on: by its extension, else by its first bytes."""
    if os.path.splitext(path)[1].lower() in EXTENSIONS:
        return True
    if scheme_of(path) or parse(path).member:
        return False
    try:
        with open(path, "rb") as file:
            return container_of(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False
