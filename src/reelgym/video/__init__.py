"""Files to frames: find, probe, decode, sample, de-duplicate, encode, and the store. Knows no model.

Public names: Video, FrameSpec, Frames; find_videos, search, probe, identify, read, read_many, sample_times, auto_fps,
fit; Similarity, GridDescriptor, deduplicate; Store; write_mp4. What is wrong with one file is an errors.MediaError.
"""

from reelgym.video.decode import read, read_many
from reelgym.video.dedupe import GridDescriptor, Similarity, deduplicate
from reelgym.video.encode import write_mp4
from reelgym.video.find import Found, find_videos, search
from reelgym.video.probe import identify, probe
from reelgym.video.sampling import auto_fps, fit, sample_times
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
    "read",
    "read_many",
    "sample_times",
    "search",
    "write_mp4",
]
