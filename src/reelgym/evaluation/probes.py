"""Probes: the same question with something taken away, to see whether the score depends on it.

A probe is a function (sample, seed) -> sample registered under a name; the id stays, so that a probe's evaluation pairs
with the plain one row by row. A later probe is one more function here.

    blind             every frame becomes grey; sizes, times and text stay. What is left is guessing and prior.
    shuffled_context  the frames of the clips change places; the times told to the model stay. What is left is the
                      content of the frames without their order.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from reelgym.data.edits import Edit
from reelgym.data.messages import GREY, Clip, Message, Part, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, unknown
from reelgym.video.types import FrameSpec

Probe = Callable[[Sample, int], Sample]

PROBES: dict[str, Probe] = {}
"""Every probe by its name."""

_P = TypeVar("_P", bound=Probe)


def _probe(function: _P) -> _P:
    PROBES[function.__name__] = function
    return function


def get(name: str) -> Probe:
    """Return the probe of this name; an unknown name is an error that lists them."""
    if name not in PROBES:
        raise unknown("probe", name, PROBES)
    return PROBES[name]


@_probe
def blind(sample: Sample, seed: int = 0) -> Sample:
    """Return the sample with the video of every image and clip replaced by one grey, sizes, times and text unchanged.

    Args:
        sample: The sample to blind; its media specs name their size.
        seed: Not used; every probe takes one.

    Raises:
        RequestError: A part whose spec has no exact size: nobody could say how large its grey is.
    """
    del seed
    for message in sample.messages:
        for part in message.parts:
            if not isinstance(part, Text) and part.spec.size is None:
                raise RequestError(
                    f"sample {sample.id} shows media without a size: cut it with an exact size to blind it"
                )
    return replace(sample, messages=_mapped(sample.messages, _greyed))


@_probe
def shuffled_context(sample: Sample, seed: int = 0) -> Sample:
    """Return the sample with the frames of its clips pooled and dealt out again in another order.

    Frames are exchanged between clips of the same video taken and edited in the same way; `shown_seconds` keeps the
    times of the original slots, and an edit of a span goes with its frames. Where at least two frames differ the order
    is never the original one. Images stay.

    Args:
        sample: The sample to change.
        seed: Together with the sample's id it decides the order.
    """
    clips = [part for message in sample.messages for part in message.parts if isinstance(part, Clip)]
    pools: dict[tuple[str, FrameSpec, tuple[Edit, ...]], list[int]] = defaultdict(list)
    for place, clip in enumerate(clips):
        pools[clip.video, _timeless(clip.spec), clip.edits].append(place)
    dealt = list(clips)
    for number, places in enumerate(pools.values()):
        rng = np.random.default_rng(_seed(sample.id, seed, number))
        for place, clip in zip(places, _dealt([clips[p] for p in places], rng), strict=True):
            dealt[place] = clip
    queue = iter(dealt)
    return replace(
        sample, messages=_mapped(sample.messages, lambda part: next(queue) if isinstance(part, Clip) else part)
    )


def _greyed(part: Part) -> Part:
    return part if isinstance(part, Text) else replace(part, video=GREY)


def _mapped(messages: tuple[Message, ...], change: Callable[[Part], Part]) -> tuple[Message, ...]:
    return tuple(Message(m.role, tuple(change(part) for part in m.parts)) for m in messages)


def _timeless(spec: FrameSpec) -> FrameSpec:
    """Return the spec without its own list of times, so that two clips cut by explicit times still pool."""
    return spec if spec.times is None else replace(spec, times=())


def _dealt(clips: list[Clip], rng: np.random.Generator) -> list[Clip]:
    """Return the clips with their frames permuted over all of them."""
    times = [time for clip in clips for time in clip.times]
    spec = clips[0].spec
    if spec.times is not None:
        spec = replace(spec, times=tuple(sorted({t for clip in clips for t in clip.spec.times or ()})))
    order = times
    while order == times and len(set(times)) > 1:
        order = [times[i] for i in rng.permutation(len(times))]
    out, start = [], 0
    for clip in clips:
        stop = start + len(clip.times)
        shown = clip.shown_seconds if clip.shown_seconds is not None else clip.times
        out.append(replace(clip, spec=spec, times=tuple(order[start:stop]), shown_seconds=shown))
        start = stop
    return out


def _seed(sample_id: str, seed: int, pool: int) -> int:
    digest = hashlib.sha256(f"shuffled_context:{sample_id}:{seed}:{pool}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


__all__ = ["PROBES", "Probe", "blind", "get", "shuffled_context"]
