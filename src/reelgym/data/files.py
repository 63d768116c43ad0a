"""Files that are never seen half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelgym.errors import RequestError, WorkError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it becomes `path` when the block ends well, and is removed otherwise.

    Raises:
        WorkError: The block or the renaming failed for want of space or permission.
    """
    final = Path(path)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, final)
    except OSError as error:
        reason = error.strerror or error
        raise WorkError(f"cannot write {final} ({reason}): make room or choose another folder, then repeat") from error
    finally:
        temporary.unlink(missing_ok=True)


def follow_umask(folder: Path) -> None:
    """Give every file below a folder the permissions of a new one; safetensors lets only its owner read its own."""
    fresh = folder / f".{os.getpid()}.tmp"
    fresh.touch()
    mode = fresh.stat().st_mode & 0o777
    fresh.unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def make_folder(path: str | Path) -> Path:
    """Return the folder, made with its parents where it is not there.

    Raises:
        RequestError: A file is in the way, or the place may not be written.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise RequestError(f"cannot make the folder {folder} ({reason}): choose another one") from error
    return folder
