"""Records of VideoP2R (arXiv 2511.11113): Video-R1's with an observation."""

from __future__ import annotations

from typing import ClassVar

from reelgym.synthesis.labelled.record import Row
from reelgym.synthesis.labelled.video_r1 import VideoR1


class VideoP2R(VideoR1):
    """VideoP2R: Video-R1's fields with observation and clean_version; values may all be text (arXiv 2511.11113)."""

    name: ClassVar[str] = "videop2r"

    def fits(self, row: Row) -> bool:
        """See `Reader.fits`."""
        keys = set(row)
        return {"problem", "problem_type", "path"} <= keys and bool({"observation", "clean_version"} & keys)
