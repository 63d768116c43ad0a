"""What happens to one video of labelled records: its frames are found. Also a process that does so over pipes."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO, Any

from reelgym.errors import MediaError, WorkError
from reelgym.video import FrameSpec, probe, probe_still, read

_LOOK_SIDE = 32
_ENDING = (1.0, 0.001)
"""Seconds before its end at which a video's ending is shown."""


def look(
    path: str,
    frames: int,
    fps: float,
    spans: Sequence[tuple[float, float]] = (),
    *,
    still: bool = False,
    ending: bool = False,
) -> dict[str, Any]:
    """Return {video, instants, times, warnings} of a video, or {quarantine} with the reason it cannot be used.

    `instants` are the middles of `frames` equal parts of the video, or of fewer where that would be more than `fps`
    per second; an even number, at least 2. `times` are the true times of the frames shown then, each once. `spans` in
    seconds, disjoint and in order, are looked at one after the other instead of the whole; what lies beyond the video's
    end is left out. With `ending` the last two instants are the end and a second before it. With `still` the file is
    one picture, shown at time 0, and the rest says nothing.
    """
    try:
        if still:
            about = asdict(probe_still(path))
            return {"video": about, "instants": [0.0], "times": [0.0], "warnings": [], "still": True}
        video = probe(path)
        parts = [(start, min(stop, video.duration_seconds)) for start, stop in spans or [(0.0, video.duration_seconds)]]
        parts = [(start, stop) for start, stop in parts if start < stop]
        if not parts:
            reason = f"the part from {spans[0][0]:g} s on is none of its {video.duration_seconds:g} s"
            return {"quarantine": {"path": path, "boundary": "record", "reason": reason}}
        length = sum(stop - start for start, stop in parts)
        count = max(2, min(frames, int(length * fps)) // 2 * 2)
        instants = [round(_along(parts, (place + 0.5) * length / count), 6) for place in range(count)]
        if ending:
            instants[-2:] = [round(max(0.0, video.duration_seconds - before), 6) for before in _ENDING]
        found = read(video, FrameSpec(times=tuple(instants), short_side=_LOOK_SIDE))
    except MediaError as error:
        return {"quarantine": {"path": error.path, "boundary": error.boundary, "reason": error.reason}}
    times = sorted(set(found.times.tolist()))
    return {"video": asdict(video), "instants": instants, "times": times, "warnings": list(found.warnings)}


def _along(parts: Sequence[tuple[float, float]], seconds: float) -> float:
    """Return the time of the video after so many seconds of its parts."""
    for start, stop in parts:
        if seconds <= stop - start:
            return start + seconds
        seconds -= stop - start
    return parts[-1][1]


def serve(jobs: IO[str], results: IO[str]) -> None:
    """Answer every line of `jobs` ({path, frames, fps}) with one line of `results`, until the pipe closes."""
    for line in jobs:
        try:
            result = look(**json.loads(line))
        except WorkError as error:
            result = {"failed": str(error)}
        results.write(json.dumps(result) + "\n")
        results.flush()


if __name__ == "__main__":
    _limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (_limit, _limit))
    # What a library prints must not reach the pipe of results.
    _results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, _results)
