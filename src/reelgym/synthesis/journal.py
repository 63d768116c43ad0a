"""The work folder of an unfinished dataset: its lock, its settings, and the result of everything done so far.

A run may be killed at any moment. What it had noted is whole or absent: results are renamed into place, and a torn
last line of the list of identities is passed over.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reelgym.data.files import make_folder, replacing
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis.listing import Entry

WORK = ".synth"
"""Hidden folder inside an unfinished dataset."""


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Yield the work folder of a dataset while this process alone may write it.

    The lock is the kernel's, on a file that names the process: it ends with its process, however that ends, so what a
    killed run leaves is taken over and never waits for anybody.

    Raises:
        RequestError: Another process is at it; the line says which.
    """
    work = make_folder(folder / WORK)
    path = work / "lock"
    with _opened(path) as file:
        if not _locked(file, path):
            raise RequestError(f"{folder} is being written by {_holder(path)}: wait, or choose another --out")
        if not path.exists() or os.fstat(file).st_ino != path.stat().st_ino:
            raise RequestError(f"{folder} was finished by another run just now: repeat the command")
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        yield work


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise WorkError(f"cannot write {path} ({error.strerror}): make room or choose another folder") from error
    try:
        yield file
    finally:
        os.close(file)


def _locked(file: int, path: Path) -> bool:
    """Say whether the lock is ours now. Where the file system has no locks, a live process of this host holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        noted = _read(path) or {}
        if noted.get("host") != socket.gethostname() or noted.get("pid") == os.getpid():
            return True
        with contextlib.suppress(ProcessLookupError, TypeError):
            os.kill(noted["pid"], 0)
            return False
    return True


def _holder(path: Path) -> str:
    noted = _read(path) or {}
    return f"process {noted['pid']} on {noted['host']}" if {"pid", "host"} <= set(noted) else "another process"


def clean(folder: Path) -> None:
    """Remove what a killed run left beside the work folder: half-written files, and samples without `dataset.json`."""
    for pattern in (".*.tmp", "samples-*.parquet"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


class Journal:
    """What is known and done, kept in a work folder."""

    def __init__(self, work: Path) -> None:
        """Take up what an earlier run left."""
        self.work = work
        self._seen_path = work / "seen.jsonl"
        self._seen = dict(self._read_seen())
        self._file: Any = None

    def settings(self) -> dict[str, Any] | None:
        """Return the settings the work was begun with, None where it was not."""
        return _read(self.work / "settings.json")

    def begin(self, settings: dict[str, Any]) -> None:
        """Note the settings."""
        _write(self.work / "settings.json", settings)

    def seen(self, entry: Entry) -> dict[str, Any] | None:
        """Return what was noted of a file of this path, size and time of change."""
        return self._seen.get(_key(entry))

    def note_seen(self, entry: Entry, found: dict[str, Any]) -> None:
        """Note what a file is: {identity, seconds?} or {quarantine}."""
        key = _key(entry)
        self._seen[key] = found
        try:
            if self._file is None:
                self._file = self._seen_path.open("ab", buffering=0)
            # The first newline ends a line that a killed run may have torn.
            self._file.write(b"\n" + json.dumps([key, found]).encode() + b"\n")
        except OSError as error:
            raise WorkError(f"cannot write {self._seen_path} ({error.strerror}): make room, then repeat") from error

    def result(self, identity: str) -> dict[str, Any] | None:
        """Return the result noted for a content; None where there is none or a power cut spoilt it."""
        return _read(self._place(identity))

    def note_result(self, identity: str, result: dict[str, Any]) -> None:
        """Note the result for a content."""
        place = self._place(identity)
        make_folder(place.parent)
        _write(place, result)

    def close(self) -> None:
        """Close the list of identities."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Remove the work folder, the lock last: nobody may begin anew in a folder that is half gone."""
        self.close()
        for path in self.work.iterdir():
            if path.name == "lock":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        # A run that comes now makes the lock anew, and finds the dataset finished.
        shutil.rmtree(self.work, ignore_errors=True)

    def _place(self, identity: str) -> Path:
        name = hashlib.sha256(identity.encode()).hexdigest()
        return self.work / name[:2] / f"{name}.json"

    def _read_seen(self) -> Iterator[tuple[str, dict[str, Any]]]:
        if not self._seen_path.exists():
            return
        with self._seen_path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, TypeError):
                    key, found = json.loads(line)
                    yield key, found


def _key(entry: Entry) -> str:
    return hashlib.sha256(json.dumps([entry.path, *entry.stamp]).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _write(path: Path, value: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value), encoding="utf-8")
