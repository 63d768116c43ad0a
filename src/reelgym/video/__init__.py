"""Files to frames: probe, decode, sample, de-duplicate, and the store. Knows no model.

Public names: Video, FrameSpec, Frames.
"""

from reelgym.video.types import Frames, FrameSpec, Video

__all__ = ["FrameSpec", "Frames", "Video"]
