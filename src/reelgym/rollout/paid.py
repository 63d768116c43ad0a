"""The journal of replies: what an endpoint was paid for is kept, so that no request is paid twice."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from reelgym.data.files import make_folder
from reelgym.errors import RequestError, WorkError


class Journal:
    """An append-only file of lines `{"key": ..., ...}`, found by key; what was written last for a key counts.

    A key is the hash of the request, so the file may serve any number of runs. A line is written by one system call:
    what a killed run leaves is whole lines and perhaps one torn one, which is cut off. One process writes at a time;
    threads may share it. Only places in the file are held in memory.

    Attributes:
        path: The file.
        damaged: Lines that could not be read, the torn last one aside.
    """

    def __init__(self, path: str | Path) -> None:
        """Open or make the file, and find its lines.

        Raises:
            RequestError: Another process has it open.
            WorkError: It cannot be written.
        """
        self.path = Path(path)
        make_folder(self.path.parent)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise WorkError(
                f"cannot write {self.path} ({error.strerror}): make room or choose another folder"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise RequestError(f"{self.path} is in use by another run: wait for it, or choose another --out") from error
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self.damaged = 0
        self._end = self._find()

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the last line of a key, or None."""
        with self._lock:
            place = self._places.get(key)
        if place is None:
            return None
        line: dict[str, Any] = json.loads(os.pread(self._file, place[1], place[0]))
        return line

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Append a line.

        Raises:
            WorkError: The disk is full or gone.
        """
        line = json.dumps({"key": key, **value}, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                written = os.write(self._file, line)
                if written != len(line):
                    raise OSError(28, "No space left on device")
            except OSError as error:
                raise WorkError(f"cannot write {self.path} ({error.strerror}): make room, then repeat") from error
            self._places[key] = (self._end, len(line))
            self._end += len(line)

    def known(self) -> list[str]:
        """Return every key, in the order of their first lines."""
        with self._lock:
            return list(self._places)

    def close(self) -> None:
        """Let the file go."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Journal:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let the file go."""
        self.close()

    def _find(self) -> int:
        """Fill the places and return the length of the file, its torn last line mended or cut off."""
        end, torn = 0, b""
        with open(os.dup(self._file), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    torn = line
                    break
                key = _key(line)
                if key is not None:
                    self._places[key] = (end, len(line))
                elif line.strip():
                    self.damaged += 1
                end += len(line)
        key = _key(torn)
        if key is None:
            os.ftruncate(self._file, end)
            return end
        self._places[key] = (end, len(torn) + 1)
        return end + len(torn) + os.write(self._file, b"\n")


def _key(line: bytes) -> str | None:
    try:
        key = json.loads(line)["key"]
    except (ValueError, KeyError, TypeError):
        return None
    return key if isinstance(key, str) else None
