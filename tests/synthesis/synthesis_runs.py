"""What the tests of synthesis share: an engine inside this process, small clips, and how results are compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from local_server import listening

from reelgym.synthesis import worker
from reelgym.video import write_mp4

SETTINGS: dict[str, Any] = {
    "config": {
        "frames": 6,
        "hidden": 2,
        "distractors": 2,
        "margin": 0,
        "min_before": 1,
        "min_after": 1,
        "short_side": 28,
    },
    "per_video": 2,
    "split_share": 0.5,
}
"""What the tests cut with."""


class Inline:
    """An engine without processes: results come back as from a pipe, newest job of every four first."""

    def run(self, jobs: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
        numbered = enumerate(jobs)
        while batch := list(islice(numbered, 4)):
            for number, job in reversed(batch):
                yield number, json.loads(json.dumps(worker.perform(json.loads(json.dumps(job)))))

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def scene(path: Path, seed: int, seconds: int = 12) -> Path:
    """A small video of plainly different pictures, four a second."""
    blocks = np.random.default_rng(seed).integers(0, 256, (seconds * 4, 4, 4, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(str(path), blocks.repeat(16, 1).repeat(16, 2), 4)
    return path


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the address of a web server that gives the files of a folder."""
    pytest.importorskip("aiohttp")

    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with listening(partial(Files, directory=str(folder))) as address:
        yield address


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a dataset folder, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def became(folder: Path) -> dict[str, str]:
    """What every input became."""
    lines = map(json.loads, (folder / "inputs.jsonl").read_text().splitlines())
    return {line["path"]: line["became"] for line in lines}
