"""What a run has done and what it cost: shown while it runs, never part of the dataset."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Counts of one call; what an earlier call had done is in `resumed` and `samples` only.

    Attributes:
        files: Chosen to be opened.
        resumed: Contents whose result an earlier call had noted.
        cut: Contents decoded by this call.
        samples: Made, by this call or before.
        quarantined: Files left out.
        video_seconds: Length of the videos cut by this call.
        bytes_read: Read from files by the workers of this call, cached or not; 0 where the system does not count it.
        peak_bytes: Largest resident memory of any one worker.
    """

    files: int
    resumed: int = 0
    cut: int = 0
    samples: int = 0
    quarantined: int = 0
    video_seconds: float = 0.0
    bytes_read: int = 0
    peak_bytes: int = 0
    _begun: float = field(default_factory=time.monotonic, repr=False)

    @property
    def seconds(self) -> float:
        """Wall-clock time since the call began."""
        return time.monotonic() - self._begun

    @property
    def throughput(self) -> float:
        """Seconds of video cut per second."""
        return self.video_seconds / max(self.seconds, 1e-9)

    def spend(self, spent: Mapping[str, Any]) -> None:
        """Add what one job cost."""
        self.bytes_read += int(spent.get("bytes_read", 0))
        self.peak_bytes = max(self.peak_bytes, int(spent.get("peak_bytes", 0)))

    def to_json(self) -> dict[str, float]:
        """Return all figures, for `--json`."""
        names = ("files", "resumed", "cut", "samples", "quarantined", "video_seconds", "bytes_read", "peak_bytes")
        whole = {name: getattr(self, name) for name in names} | {"seconds": self.seconds}
        per_sample = self.bytes_read / max(self.samples, 1)
        return whole | {"video_seconds_per_second": self.throughput, "bytes_read_per_sample": per_sample}

    def words(self) -> str:
        """Return the line beside the progress bar."""
        return f"{self.throughput:.1f} video-s/s, {self.samples} samples, {self.quarantined} quarantined"

    def rows(self) -> list[tuple[str, str]]:
        """Return (what, how much) for the end of a run."""
        kept = max(self.samples, 1)
        return [
            ("video cut", f"{self.video_seconds:.0f} s in {self.seconds:.1f} s: {self.throughput:.1f} video-s/s"),
            ("bytes read", f"{self.bytes_read / 2**20:.1f} MiB, {self.bytes_read / kept / 2**20:.2f} per kept sample"),
            ("peak memory of a worker", f"{self.peak_bytes / 2**20:.0f} MiB"),
        ]
