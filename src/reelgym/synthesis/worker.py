"""What happens to one file: probed, decoded, cut into samples. Also a process that does so over pipes.

Jobs and results are JSON values, so a pool needs neither pickle nor an importable `__main__`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import IO, Any

from reelgym import tasks
from reelgym.data.dataset import sample_to_row
from reelgym.errors import MediaError, RequestError, WorkError
from reelgym.video import Store, Video, auto_fps, probe, read

Job = dict[str, Any]


def perform(job: Job) -> dict[str, Any]:
    """Return the result of one job; a file that cannot be used is a result too, under `quarantine`.

    Jobs: {do: probe, path} gives {video}; {do: cut, video, task, config, fps, per_video, seed, split, store} gives
    {samples: [row, ...], warnings: [...]} with rows of `sample_to_row`.
    """
    try:
        if job["do"] == "probe":
            return {"video": asdict(probe(job["path"]))}
        return cut(Video(**job["video"]), job)
    except MediaError as error:
        return {"quarantine": {"path": error.path, "boundary": error.boundary, "reason": error.reason}}


def cut(video: Video, job: Job) -> dict[str, Any]:
    """Return the sample rows of one video and what is damaged in it; fills the store on the way if one is named."""
    task = tasks.configure(job["task"], job["config"])
    fps = job["fps"]
    rate = auto_fps(video.duration_seconds, task.wanted_frames()) if fps == "auto" else float(fps)
    spec = task.spec(rate)
    if job["store"] is None:
        frames = read(video, spec)
    else:
        frames, _ = Store(job["store"]).frames_many(video.identity, video.path, [spec, task.shown(video, rate)])
    made = task.generate(video, frames, seed=job["seed"], split=job["split"], count=job["per_video"])
    return {"samples": [sample_to_row(sample) for sample in made], "warnings": list(frames.warnings)}


def serve(jobs: IO[str], results: IO[str]) -> None:
    """Answer every line of `jobs` with one line of `results`, until the pipe closes.

    What is wrong with the request ({refused}) or the machine ({failed}) is no fault of the file.
    """
    for line in jobs:
        try:
            result = perform(json.loads(line))
        except RequestError as error:
            result = {"refused": str(error)}
        except WorkError as error:
            result = {"failed": str(error)}
        results.write(json.dumps(result) + "\n")
        results.flush()


if __name__ == "__main__":
    # What a library prints must not reach the pipe of results.
    _results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, _results)
