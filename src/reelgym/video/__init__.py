"""Files to frames: find, probe, decode, sample, de-duplicate, encode, and the store. Knows no model.

Public names: Video, FrameSpec, Frames; find_videos, search, probe, probe_still, identify; read, read_many, auto_fps,
sample_times, fit; Similarity, GridDescriptor, deduplicate; Store; write_mp4. One bad file is an errors.MediaError.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reelgym.video.decode import read, read_many
    from reelgym.video.dedupe import GridDescriptor, Similarity, deduplicate
    from reelgym.video.encode import write_mp4
    from reelgym.video.find import Found, find_videos, search
    from reelgym.video.probing import identify, probe
    from reelgym.video.sampling import auto_fps, fit, sample_times
    from reelgym.video.still import probe_still
    from reelgym.video.store import Store, StoreStats
    from reelgym.video.types import Frames, FrameSpec, Video

__all__ = [
    "Found",
    "FrameSpec",
    "Frames",
    "GridDescriptor",
    "Similarity",
    "Store",
    "StoreStats",
    "Video",
    "auto_fps",
    "deduplicate",
    "find_videos",
    "fit",
    "identify",
    "probe",
    "probe_still",
    "read",
    "read_many",
    "sample_times",
    "search",
    "write_mp4",
]

_HOMES = {
    "decode": ("read", "read_many"),
    "dedupe": ("GridDescriptor", "Similarity", "deduplicate"),
    "encode": ("write_mp4",),
    "find": ("Found", "find_videos", "search"),
    "probing": ("identify", "probe"),
    "sampling": ("auto_fps", "fit", "sample_times"),
    "still": ("probe_still",),
    "store": ("Store", "StoreStats"),
    "types": ("FrameSpec", "Frames", "Video"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name on first use: models and training want the types alone, and no reader of videos."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found
