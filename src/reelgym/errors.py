"""The error family: what a user did wrong, what the work could not do, and what is wrong with one media file.

Form of every message: what was given, what is allowed, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ReelgymError(Exception):
    """Base of all errors that are told to the user in one line; `exit_code` is what the command line returns."""

    exit_code = 1


class RequestError(ReelgymError, ValueError):
    """The request was wrong (a name, a value, a path): exit code 2."""

    exit_code = 2


class WorkError(ReelgymError, RuntimeError):
    """The request was right and the work failed (disk full, no usable video, training diverged): exit code 1."""


class MediaError(ReelgymError):
    """One media file cannot be used; becomes one quarantine line, never the end of a run.

    Args:
        path: The file, as the user would name it.
        boundary: Where it failed: `open`, `probe`, `decode` or `task`.
        reason: One line that a person understands.
    """

    def __init__(self, path: str, boundary: str, reason: str) -> None:
        """Name the file, where it failed and why."""
        super().__init__(f"{path}: {boundary}: {reason}")
        self.path, self.boundary, self.reason = path, boundary, reason

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str, str]]:
        """Survive the trip between worker processes."""
        return type(self), (self.path, self.boundary, self.reason)


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name closest to `name`, or None where nothing is close.

    >>> nearest("mpv", ["mvp", "jigsaw"])
    'mvp'
    """
    found = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return found[0] if found else None


def unknown(kind: str, name: str, allowed: Iterable[str]) -> RequestError:
    """Return the error for a name that does not exist, naming the nearest one and all that do.

    >>> str(unknown("task", "mpv", ["mvp"]))
    "unknown task 'mpv'; did you mean 'mvp'? Known: mvp"
    """
    names = sorted(allowed)
    close = nearest(name, names)
    hint = f"; did you mean {close!r}?" if close else "."
    return RequestError(f"unknown {kind} {name!r}{hint} Known: {', '.join(names) or 'none'}")
