"""A video's fingerprint from sampled frames, and which videos of a corpus show the same.

A frame becomes 64 bits (the signs of its lowest cosine coefficients, in zigzag order, black bars cut off first) and a
4 x 4 grid of mean colours. Signs of low frequencies survive re-encoding, scaling and a crop of a few per cent; the
colours keep apart what only has the same layout. Videos that share 24 successive bits in one frame are compared frame
by frame under one time shift; so a corpus costs about one sort.

Reference: the perceptual hash is the usual DCT hash (Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010), with signs instead of a median. Bands, colours, the alignment and all numbers are ours. Mirrored,
sped-up and re-framed copies are not found, nor excerpts of less than three fifths of the shorter video's frames.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelgym.video.spans import inside_bars, letterbox, luma
from reelgym.video.types import Frames

VERSION = 1
"""Raised whenever the same frames would give another fingerprint."""

MOST_FRAMES = 48
"""Frames of a fingerprint: at whole multiples of the smallest power of two seconds that needs no more."""

_SIDE, _GRID = 32, 4
_BAND, _STRIDE = 24, 10
_FLAT = 4.0
"""Standard deviation of grey levels up to which a frame shows nothing to be known by."""

_APART = 20.0
"""Frames count as the same up to this sum of differing bits of 64 and mean difference of the grid's colours. On 31 real
clips a crop of 5% per side made medians of 5 to 16 bits with 1 to 8 grey levels; other videos differ by about 40."""

_SHARE = 0.6
"""Share of the shorter video's frames that must be found in the other one."""

_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)

_CROWD = 16
"""Videos in one band up to which all pairs are compared; in larger crowds each with its next ones and the first."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What a video is known by, n frames; n is 0 where it shows nothing but flat pictures.

    Attributes:
        times: (n,) float32 seconds.
        bits: (n, 8) uint8, 64 bits each.
        colours: (n, 48) uint8, a 4 x 4 grid of mean RGB.
    """

    times: NDArray[np.float32]
    bits: NDArray[np.uint8]
    colours: NDArray[np.uint8]

    def to_json(self) -> str:
        """Return the fingerprint as text."""
        parts = (self.times.astype("<f4").tobytes(), self.bits.tobytes(), self.colours.tobytes())
        return base64.b64encode(b"".join(parts)).decode("ascii")

    @staticmethod
    def from_json(text: Any) -> Fingerprint:
        """Return the fingerprint written by `to_json`; an empty one from an empty text."""
        raw = base64.b64decode(text or "")
        count, rest = divmod(len(raw), 4 + 8 + 3 * _GRID**2)
        if rest:
            raise ValueError(f"a fingerprint of {len(raw)} bytes is damaged: {4 + 8 + 3 * _GRID**2} for each frame")
        times = np.frombuffer(raw[: 4 * count], "<f4")
        bits = np.frombuffer(raw[4 * count : 12 * count], np.uint8).reshape(count, 8)
        return Fingerprint(times, bits, np.frombuffer(raw[12 * count :], np.uint8).reshape(count, 3 * _GRID**2))


def fingerprint(frames: Frames) -> Fingerprint:
    """Return the fingerprint of a video from frames sampled at any steady rate and size of at least 32 pixels."""
    places = _places(frames.times)
    pixels = frames.pixels[places]
    pixels = inside_bars(pixels, letterbox(pixels))
    plain = _reduced(pixels, _SIDE)
    bright = luma(plain)
    known = bright.std(axis=(1, 2)) > _FLAT
    colours = _reduced(pixels, _GRID)[known].reshape(-1, 3 * _GRID**2)
    signs = _coefficients(bright[known]) > 0
    return Fingerprint(
        frames.times[places][known].astype(np.float32), np.packbits(signs, axis=1), np.rint(colours).astype(np.uint8)
    )


def same(one: Fingerprint, other: Fingerprint) -> bool:
    """Return whether two fingerprints show the same video, or one of them much of the other.

    Frames are paired where bits and colours agree; three fifths of the frames of the shorter one must find a partner
    under one time shift.
    """
    if len(one.times) == 0 or len(other.times) == 0:
        return False
    apart = _ONES[one.bits[:, None] ^ other.bits[None]].sum(axis=2)
    tint = np.abs(one.colours[:, None].astype(np.int16) - other.colours[None]).mean(axis=2)
    left, right = np.nonzero(apart + tint <= _APART)
    if len(left) == 0:
        return False
    shifts = other.times[right] - one.times[left]
    slack = max(_spacing(one.times), _spacing(other.times)) / 2 + 1e-3
    best = 0
    for shift in np.unique(shifts.round(2)):
        near = np.abs(shifts - shift) <= slack
        best = max(best, min(len(np.unique(left[near])), len(np.unique(right[near]))))
    return best >= _SHARE * min(len(one.times), len(other.times))


def clusters(fingerprints: Mapping[str, Fingerprint]) -> dict[str, str]:
    """Return for every identity the smallest identity of the videos that show the same, itself among them.

    A function of the content alone: the order of the mapping does not matter. Alike is taken to be transitive.

    Args:
        fingerprints: Identity to fingerprint.
    """
    leader = {identity: identity for identity in fingerprints}

    def find(identity: str) -> str:
        while leader[identity] != identity:
            leader[identity] = leader[leader[identity]]
            identity = leader[identity]
        return identity

    for one, other in _candidates(fingerprints):
        first, second = sorted((find(one), find(other)))
        if first != second and same(fingerprints[one], fingerprints[other]):
            leader[second] = first
    return {identity: find(identity) for identity in sorted(fingerprints)}


def _candidates(fingerprints: Mapping[str, Fingerprint]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of identities that share a band of bits, each once, in order."""
    buckets: dict[tuple[int, int], set[str]] = defaultdict(set)
    for identity, found in fingerprints.items():
        for key in set(_bands(found.bits)):
            buckets[key].add(identity)
    pairs: set[tuple[str, str]] = set()
    for members in buckets.values():
        crowd = sorted(members)
        if len(crowd) <= _CROWD:
            pairs.update(combinations(crowd, 2))
        else:
            pairs.update((a, b) for step in (1, 2, 3) for a, b in zip(crowd, crowd[step:], strict=False))
            pairs.update((crowd[0], other) for other in crowd[1:])
    yield from sorted(pairs)


def _bands(bits: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Yield (number of the band, its bits as a number) of every frame."""
    whole = np.unpackbits(bits, axis=1).astype(np.int64)
    weights = 1 << np.arange(_BAND)
    for band, start in enumerate(range(0, 64 - _BAND + 1, _STRIDE)):
        for value in whole[:, start : start + _BAND] @ weights:
            yield band, int(value)


def _places(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the frames nearest to whole multiples of the step, each once."""
    if len(times) == 0:
        return np.zeros(0, np.int64)
    step = 1.0
    while times[-1] / step >= MOST_FRAMES:
        step *= 2
    wanted = np.arange(int(times[-1] / step) + 1) * step
    after = np.clip(np.searchsorted(times, wanted), 1, max(1, len(times) - 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    nearer = np.where(np.abs(times[before] - wanted) <= np.abs(times[after] - wanted), before, after)
    return np.asarray(np.unique(nearer), np.int64)


def _spacing(times: NDArray[np.float32]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _reduced(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Return (F, side, side, 3) float64 averages over areas with soft edges, so that scaling changes little."""
    rows, columns = (_weights(length, side) for length in pixels.shape[1:3])
    return np.asarray(np.einsum("ah,fhwc,bw->fabc", rows, pixels, columns, optimize=True))


def _weights(length: int, side: int) -> NDArray[np.float64]:
    """Return (side, length): what share of each output cell each input pixel covers."""
    edges = np.arange(side + 1) * length / side
    low = np.maximum(edges[:-1, None], np.arange(length)[None])
    high = np.minimum(edges[1:, None], np.arange(length)[None] + 1)
    covered = np.maximum(high - low, 0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True))


def _coefficients(bright: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (n, 64) cosine coefficients of (n, 32, 32) pictures in zigzag order, the mean left out."""
    size = bright.shape[1]
    angles = np.pi * (np.arange(size) + 0.5)[None] * np.arange(12)[:, None] / size
    basis = np.cos(angles)
    whole = np.einsum("ui,nij,vj->nuv", basis, bright, basis, optimize=True)
    order = sorted(((u, v) for u in range(12) for v in range(12)), key=lambda p: (p[0] + p[1], p[0]))[1:65]
    return np.asarray(whole[:, [u for u, _ in order], [v for _, v in order]])
