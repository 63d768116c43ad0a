"""From the name of a video in a record to a file inside one folder, and to nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from reelgym.errors import RequestError
from reelgym.synthesis.labelled.record import Draft
from reelgym.video.find import EXTENSIONS


class Videos:
    """A folder of videos that records name."""

    def __init__(self, root: Path) -> None:
        """Take the folder.

        Raises:
            RequestError: It is no folder.
        """
        if not root.is_dir():
            raise RequestError(f"--videos {root}: no such folder; give the folder that the records' paths start from")
        self.root = root
        self._known: dict[str, tuple[str | None, str]] = {}

    def placed(self, drafts: Sequence[tuple[int, Draft]], file: str) -> tuple[dict[int, str], list[dict[str, str]]]:
        """Return {place among the drafts: path of its video}, and a line of quarantine for every other draft."""
        found: dict[int, str] = {}
        lost: list[dict[str, str]] = []
        for at, (row, draft) in enumerate(drafts):
            path, reason = self.find(draft.video)
            if path is None:
                lost.append({"path": f"{file} row {row}", "row": str(row), "boundary": "open", "reason": reason})
            else:
                found[at] = path
        return found, lost

    def find(self, name: str) -> tuple[str | None, str]:
        """Return (path, "") of the file that a record means, or (None, reason)."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> tuple[str | None, str]:
        inside = os.path.normpath(name.replace("\\", "/"))
        if "\0" in name:
            return None, "its video's name holds a zero byte"
        if os.path.isabs(inside):
            inside = os.path.relpath(inside, os.path.abspath(self.root))
        if inside.split("/")[0] == "..":
            return None, f"its video {name} lies outside of {self.root}"
        path = os.path.join(self.root, inside)
        if os.path.isfile(path):
            return path, ""
        grown = [path + extension for extension in sorted(EXTENSIONS) if os.path.isfile(path + extension)]
        if len(grown) == 1:
            return grown[0], ""
        if grown:
            return None, f"its video {name} may be {' or '.join(map(os.path.basename, grown))}"
        return None, f"its video {name} is not in {self.root}"
