"""Cuts: cheaply from sampled frames and packets, or to the frame by decoding everything.

A cut is the time of the first frame of a new shot. Dissolves and fades are not cuts here: `spans` finds what is black.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from reelgym.video.clock import MICRO, Clock
from reelgym.video.dedupe import GridDescriptor
from reelgym.video.packets import Packets
from reelgym.video.picture import Converter
from reelgym.video.sampling import fit
from reelgym.video.source import LIMIT_SECONDS, opened
from reelgym.video.timeline import examine, shown
from reelgym.video.types import Frames, Video

_CELLS = 8
_BINS = 32
_SIDE = 48
"""Pixels per side, about, of which colours are counted."""

_NEAR = 3
"""Frame steps on each side that a step is compared with."""

SAMPLED_LEAST, SAMPLED_RATIO = 0.35, 2.0
"""A step between sampled frames is a cut from this change on, if it is so many times its quiet neighbours'. Ours."""

EXACT_LEAST, EXACT_RATIO = 0.2, 4.0
"""The same for successive frames of the file, which differ far less. Ours; on the 5 minute montage of real clips these
two find all 58 cuts and no other, at the cost of decoding."""

_SHORTEST = 0.2
"""Of two cuts less than this many seconds apart the greater change counts: a flash, or a blended picture."""


def changes(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return (F - 1,) how much changes from each frame to the next, in [0, 1]: layout and colours, half each.

    Layout is half of 1 - cosine of `GridDescriptor` rows, colours 1 - the intersection of two histograms of brightness
    and colour differences. Camera motion changes the layout and keeps the colours; a change of light does the
    opposite; a cut changes both.
    """
    rows = GridDescriptor(_CELLS).describe(pixels).astype(np.float64)
    layout = (1 - np.einsum("fd,fd->f", rows[1:], rows[:-1])) / 2
    colours = _histograms(pixels)
    kept = np.minimum(colours[1:], colours[:-1]).sum(axis=1)
    return np.asarray((np.clip(layout, 0, 1) + 1 - kept) / 2)


def sampled_cuts(frames: Frames, packets: Packets) -> list[float]:
    """Return the cuts between sampled frames, in seconds, ascending.

    A step between neighbouring samples counts as a cut where it changes much, and much more than the steps around it.
    Its time is that of the packet between the two samples that took the most bytes, key frames first where the
    encoder put one out of turn; without packets, the later sample. Two cuts between two samples are seen as one, and
    frames sampled more rarely than shots change show none.

    Args:
        frames: At a steady rate, any size; about 1 per second or more.
        packets: Of the same file, or `Packets.none()`.
    """
    fresh = np.flatnonzero(np.diff(frames.times, prepend=-1.0) > 0)
    if len(fresh) < 2:
        return []
    times = frames.times[fresh]
    places = _peaks(changes(frames.pixels[fresh]), SAMPLED_LEAST, SAMPLED_RATIO)
    return [_refined(float(times[i]), float(times[i + 1]), packets) for i in places]


def exact_cuts(video: Video | str, *, limit_seconds: float = LIMIT_SECONDS) -> list[float]:
    """Return the cuts of a whole file to the frame, in seconds, ascending; decodes everything.

    The rule of the adaptive detectors (a step against the mean of its neighbours), on small pictures: about the
    speed of decoding.

    Args:
        video: A path or a Video.
        limit_seconds: Wall-clock limit.

    Raises:
        MediaError: The file cannot be read.
    """
    path = video.path if isinstance(video, Video) else os.fspath(video)
    times: list[float] = []
    steps: list[NDArray[np.float64]] = []
    last: NDArray[np.uint8] | None = None
    for moments, pixels in _batches(path, time.monotonic() + limit_seconds):
        joined = pixels if last is None else np.concatenate([last, pixels])
        steps.append(changes(joined))
        times += moments
        last = pixels[-1:]
    if not steps:
        return []
    changed = np.concatenate(steps)
    found: list[int] = []
    for place in _peaks(changed, EXACT_LEAST, EXACT_RATIO):
        if not found or times[place + 1] - times[found[-1] + 1] >= _SHORTEST:
            found.append(place)
        elif changed[place] > changed[found[-1]]:
            found[-1] = place
    return [times[place + 1] for place in found]


def _batches(path: str, deadline: float, size: int = 256) -> Iterator[tuple[list[float], NDArray[np.uint8]]]:
    """Yield (times, pixels) of all frames in order, `size` at a time, 36 pixels high."""
    timeline = examine(path, deadline)
    convert = Converter(fit(*timeline.size, 36), timeline.orientation, "area")
    moments: list[float] = []
    pixels: list[NDArray[np.uint8]] = []
    with opened(path, deadline) as source:
        for moment, frame in shown(source, Clock(source.stream, timeline.start)):
            moments.append(moment / MICRO)
            pixels.append(convert(frame).copy())
            if len(pixels) == size:
                yield moments, np.stack(pixels)
                moments, pixels = [], []
    if pixels:
        yield moments, np.stack(pixels)


def _histograms(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return (F, 3 * 32) histograms of brightness and two colour differences; the whole sums to 1."""
    height, width = (max(1, side // _SIDE) for side in pixels.shape[1:3])
    red, green, blue = np.moveaxis(pixels[:, ::height, ::width].reshape(len(pixels), -1, 3).astype(np.float32), -1, 0)
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    # Colour differences of natural pictures keep to the middle half of their range.
    shares = (light / 256, (0.564 * (blue - light) + 64) / 128, (0.713 * (red - light) + 64) / 128)
    found = np.empty((len(pixels), 3, _BINS))
    for channel, share in enumerate(shares):
        bins = np.clip(share * _BINS, 0, _BINS - 1).astype(np.int64)
        for place, row in enumerate(bins):
            found[place, channel] = np.bincount(row, minlength=_BINS)
    shared: NDArray[np.float64] = found.reshape(len(pixels), -1) / (3 * red.shape[1])
    return shared


def _peaks(steps: NDArray[np.float64], least: float, ratio: float) -> Iterable[int]:
    """Return the places of steps that are large and stand out from the calmer half of their neighbourhood."""
    for place in np.flatnonzero(steps >= least):
        around = np.r_[steps[max(0, place - _NEAR) : place], steps[place + 1 : place + 1 + _NEAR]]
        calm = np.sort(around)[: max(1, (len(around) + 1) // 2)]
        if len(around) == 0 or steps[place] >= ratio * calm.mean():
            yield int(place)


def _refined(before: float, after: float, packets: Packets) -> float:
    """Return the time of the most surprising packet in (before, after], else `after`."""
    inside = np.flatnonzero((packets.times > before + 1e-6) & (packets.times <= after + 1e-6))
    if len(inside) == 0:
        return after
    sizes = packets.sizes[inside].astype(np.float64)
    # A key frame in its usual turn is large without a cut: only one that comes early is a sign.
    early = packets.keys[inside] & ~_in_turn(packets)[inside]
    usual = packets.keys[inside] & ~early
    sizes[usual] = 0
    if early.any():
        sizes[~early] = 0
    return float(packets.times[inside[int(np.argmax(sizes))]]) if sizes.max() > 0 else after


def _in_turn(packets: Packets) -> NDArray[np.bool_]:
    """Return (P,) whether a key frame comes as late as key frames come at most: the encoder's own turn."""
    turn = np.zeros(len(packets.keys), np.bool_)
    places = np.flatnonzero(packets.keys)
    gaps = np.diff(places)
    late = gaps >= gaps.max() if len(gaps) else gaps > 0
    if late.sum() > 1:  # A turn comes more than once; a single longest gap is chance.
        turn[places[1:][late]] = True
    turn[places[:1]] = True
    return turn
