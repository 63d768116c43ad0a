"""Frames of samples on demand: addresses in the page, and the pictures behind them, decoded a few at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from urllib.parse import urlencode

from reelgym.data.messages import GREY, Clip, Image
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.reports.images import encode
from reelgym.reports.payload import Frame
from reelgym.reports.puzzles import Pictures
from reelgym.tasks.base import MediaReader

SIDE, LARGE_SIDE = 168, 640
"""Short side of frames in a strip and of one that is looked at closely, in pixels."""

CHUNK = 16
"""Frames decoded at once: what bounds the memory of a clip of any length."""

MOST_SHOWN = 256
"""Frames of one part that a page shows; of longer clips as many are shown, spread evenly."""

_HELD = 1024


def addresses(sample: Sample, key: str) -> Pictures:
    """Return what gives each part of a sample frames that a served page can fetch, with the times the model is told.

    Args:
        sample: The sample.
        key: What the page calls it.
    """
    parts = parts_of(sample)

    def show(part: Clip | Image) -> tuple[Frame, ...]:
        number = parts.index(part)
        times = part.times if isinstance(part, Clip) else (part.time,)
        return tuple(
            Frame(
                seconds=(part.shown_seconds or times)[place] if isinstance(part, Clip) else None,
                address="frame?" + urlencode({"key": key, "part": number, "place": place}),
                shape=shape_of(part),
            )
            for place in _spread(len(times))
        )

    return show


def parts_of(sample: Sample) -> list[Clip | Image]:
    """Return the clips and images of a sample in the order of its messages."""
    return [part for message in sample.messages for part in message.parts if isinstance(part, Clip | Image)]


class Decoder:
    """Pictures by sample, part and place, as JPEG bytes; neighbours are decoded together, one decode at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: OrderedDict[tuple[str, int, int, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, sample: Sample, media: MediaReader, part: int, place: int, *, large: bool = False) -> bytes:
        """Return one frame.

        Args:
            sample: The sample.
            media: Reads its pixels.
            part: Number of the clip or image among those of the sample.
            place: Of the frame in it.
            large: Whether it is looked at closely.

        Raises:
            RequestError: There is no such frame, or its source is not at hand.
            MediaError: The file cannot be read.
        """
        parts = parts_of(sample)
        if part >= len(parts) or place >= _length(parts[part]):
            raise RequestError(f"{sample.id} has no frame {place} in its part {part}")
        side = LARGE_SIDE if large else SIDE
        key = (sample.id, part, place, side)
        with self._lock:
            if key not in self._held:
                self._decode(key, parts[part], media)
            self._held.move_to_end(key)
            return self._held[key]

    def _decode(self, key: tuple[str, int, int, int], part: Clip | Image, media: MediaReader) -> None:
        name, number, place, side = key
        places = range(place, place + 1) if side == LARGE_SIDE else _chunk(_length(part), place)
        for at, pixels in zip(places, media(reduced(part, places, side)), strict=True):
            self._held[name, number, at, side] = encode(pixels)
        while len(self._held) > _HELD:
            self._held.popitem(last=False)


def _chunk(length: int, place: int) -> range | list[int]:
    """Return the places that are decoded together with one, among those that are shown."""
    shown = _spread(length)
    if place not in shown:
        return [place]
    first = shown.index(place) // CHUNK * CHUNK
    return shown[first : first + CHUNK]


def _spread(length: int) -> list[int]:
    if length <= MOST_SHOWN:
        return list(range(length))
    return [place * length // MOST_SHOWN for place in range(MOST_SHOWN)]


def _length(part: Clip | Image) -> int:
    return len(part.times) if isinstance(part, Clip) else 1


def reduced(part: Clip | Image, places: range | list[int], side: int) -> Clip | Image:
    """Return a part with some of its frames only, which name their times, at a size to look at."""
    times = tuple(part.times[place] for place in places) if isinstance(part, Clip) else (part.time,)
    size = _size(part, side)
    spec = part.spec.resized(size) if size else replace(part.spec, short_side=min(part.spec.short_side or side, side))
    if part.video != GREY:
        named = tuple(sorted(set(times)))
        spec = replace(spec, fps=None, times=named, start_seconds=0.0, stop_seconds=None, filter="area")
    part = replace(part, spec=spec)
    return replace(part, times=times, shown_seconds=None) if isinstance(part, Clip) else part


def _size(part: Clip | Image, side: int) -> tuple[int, int] | None:
    """Return the size at which a part is looked at: a whole multiple of the model's, or a reduced one."""
    if part.spec.size is None:
        return None
    height, width = part.spec.size
    times = side / max(1, min(height, width))
    times = max(1, round(times)) if times >= 1 else times
    # A hostile spec may be a thread of a million pixels.
    times = min(times, 8 * side / max(1, height, width))
    return max(1, round(height * times)), max(1, round(width * times))


def shape_of(part: Clip | Image, side: int = SIDE) -> tuple[int, int] | None:
    """Return height and width as shown, edits that turn the frame included."""
    size = _size(part, side)
    if size is None or any(edit.name == "crop" for edit in part.edits):
        return None
    turned = sum(edit.name == "rotate" and edit.args[:1] in ((90,), (270,)) for edit in part.edits) % 2
    return (size[1], size[0]) if turned else size
