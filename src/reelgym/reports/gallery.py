"""Pictures of questions inside a page: few, small, each once, and only as many as a page can carry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample
from reelgym.errors import MediaError, RequestError
from reelgym.reports.images import encode
from reelgym.reports.payload import Frame
from reelgym.reports.viewer.pictures import parts_of, reduced, shape_of
from reelgym.tasks.base import MediaReader

SIDE, QUALITY = 112, 74
"""Short side of a picture in pixels, and how well it is kept."""

MOST_FRAMES = 8
"""Frames of one clip; of longer clips as many, spread evenly."""

MOST_QUESTIONS, MOST_BYTES = 200, 9_000_000
"""Questions with pictures, and bytes of all pictures together: a page stays below about 15 MB."""


class Gallery:
    """Takes pictures of questions until it is full.

    Attributes:
        frames: Pictures by name.
        missing: From a question's id to why it has no pictures; in neither where the page has no room for it.
        shown: Ids of questions whose pictures are here.
    """

    def __init__(self, media: MediaReader | None) -> None:
        """Take what reads pixels; None takes no picture."""
        self.frames: dict[str, bytes] = {}
        self.missing: dict[str, str] = {}
        self.shown: set[str] = set()
        self._media, self._bytes = media, 0
        self._taken: dict[Clip | Image, tuple[Frame, ...]] = {}

    def fill(self, samples: Iterable[Sample]) -> None:
        """Take the pictures of samples in their order, of at most `MOST_QUESTIONS` and as long as they fit."""
        for sample in samples:
            if self._media is None or len(self.shown) >= MOST_QUESTIONS or self._bytes >= MOST_BYTES:
                return
            try:
                for part in parts_of(sample):
                    self.show(part)
                self.shown.add(sample.id)
            except (RequestError, MediaError) as error:
                self.missing[sample.id] = f"No frames: {error}"

    def show(self, part: Clip | Image) -> tuple[Frame, ...]:
        """Return the pictures of a part; they are taken the first time."""
        if part not in self._taken:
            self._taken[part] = tuple(self._take(part))
        return self._taken[part]

    def _take(self, part: Clip | Image) -> Iterable[Frame]:
        assert self._media is not None
        times = part.times if isinstance(part, Clip) else (part.time,)
        places = spread(len(times))
        told = (part.shown_seconds or times) if isinstance(part, Clip) else (None,)
        shape = shape_of(part, SIDE)
        for place, pixels in zip(places, self._media(reduced(part, places, SIDE)), strict=True):
            image = encode(pixels, quality=QUALITY)
            name = hashlib.sha256(image).hexdigest()[:12]
            self._bytes += len(image) if name not in self.frames else 0
            self.frames[name] = image
            yield Frame(seconds=told[place], address=f"#{name}", shape=shape)


def spread(length: int) -> list[int]:
    """Return the places of the frames that are shown, the first and the last among them.

    >>> spread(16)
    [0, 2, 4, 6, 9, 11, 13, 15]
    """
    if length <= MOST_FRAMES:
        return list(range(length))
    return [round(place * (length - 1) / (MOST_FRAMES - 1)) for place in range(MOST_FRAMES)]


def order(samples: Sequence[Sample], first: Iterable[str] = ()) -> list[Sample]:
    """Return samples in the order in which they get pictures: those named first, then whole videos by a fixed draw."""
    early = set(first)

    def rank(sample: Sample) -> tuple[bool, str, str]:
        return sample.id not in early, hashlib.sha256(sample.source.encode()).hexdigest(), sample.id

    return sorted(samples, key=rank)
