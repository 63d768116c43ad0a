"""Media: from a named image or clip to its pixels, through the store, from the very file that was named."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelgym.data.edits import apply
from reelgym.data.messages import GREY, Clip, Image
from reelgym.errors import RequestError
from reelgym.video import Frames, FrameSpec, Store, identify
from reelgym.video.places import stamp
from reelgym.video.probing import scheme_of_identity

_HELD = 4


class Media:
    """Turns parts of messages into pixels; call it with an `Image` or a `Clip`.

    Every source is checked once before its first use: that it is there, and its size; the store compares the content
    whenever it has to decode.
    """

    def __init__(self, store: Store, paths: Mapping[str, str | Path], sizes: Mapping[str, int] | None = None) -> None:
        """Name the files.

        Args:
            store: Where decoded frames are kept.
            paths: Video identity to file.
            sizes: Video identity to bytes, where known: a changed file is then noticed without reading it.
        """
        self.store, self.paths, self.sizes = store, dict(paths), dict(sizes or {})
        self._checked: set[str] = set()
        self._held: OrderedDict[tuple[str, FrameSpec], Frames] = OrderedDict()

    @staticmethod
    def joined(parts: Sequence[Media]) -> Media:
        """Return what reads the files of several, at least one, through the store of the first."""
        paths = {identity: path for part in parts for identity, path in part.paths.items()}
        sizes = {identity: size for part in parts for identity, size in part.sizes.items()}
        return Media(parts[0].store, paths, sizes)

    def __call__(self, part: Image | Clip) -> NDArray[np.uint8]:
        """Return (F, H, W, 3) uint8 RGB: the frames of a clip in the order of its times, or one image (F = 1), edited.

        The identity `grey:` gives pixels of value 128 and reads no file: of the size that the part has after its
        edits, and with nothing of what they draw.

        Raises:
            RequestError: The source is not listed, is missing or is not the file that was named; it has no frame at a
                time asked for; or an edit that cannot be done.
        """
        times = (part.time,) if isinstance(part, Image) else part.times
        if part.video == GREY:
            return np.full_like(apply(_grey(part.spec, len(times)), times, part.edits), 128)
        # What is held is unedited, so that edits need no part in its key.
        return apply(self._frames(part.video, part.spec).pick(times), times, part.edits)

    def _frames(self, identity: str, spec: FrameSpec) -> Frames:
        key = (identity, spec)
        if key not in self._held:
            self._held[key] = self.store.frames(identity, self._path(identity), spec)
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def _path(self, identity: str) -> str:
        if identity not in self.paths:
            raise RequestError(f"source {identity} is not listed in this dataset ({len(self.paths)} sources are)")
        path = str(self.paths[identity])
        if identity not in self._checked:
            check_source(path, identity, self.sizes.get(identity))
            self._checked.add(identity)
        return path


def check_source(path: str | Path, identity: str, size_bytes: int | None = None) -> None:
    """Return if the file is there and as long as the one named; its content is read only to name a wrong one.

    Raises:
        RequestError: It is missing, or has another size; both identities are named.
    """
    size, _ = stamp(str(path))
    if size < 0:
        where = (
            "put it back, or name the folder of the videos with --videos (inspect, eval, export; in code media_root)"
        )
        raise RequestError(f"{path} is missing, wanted as {identity}: {where}")
    if size_bytes is not None and size != size_bytes:
        found = identify(str(path), scheme_of_identity(identity))
        raise RequestError(
            f"{path} has changed: wanted {identity}, found {found}; restore it or make the dataset again"
        )


def _grey(spec: FrameSpec, count: int) -> NDArray[np.uint8]:
    if spec.size is None:
        raise RequestError("a grey image or clip needs a spec with a size (height, width)")
    return np.full((count, *spec.size, 3), 128, np.uint8)
