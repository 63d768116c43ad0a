"""What both arms of `group_step.py` share: the prompt, its frames, the clock, and memory. Needs numpy alone.

A job is a JSON object: model (folder), prompt, completion, group, steps, warm, threads, checkpointing, barred (ids that
are never sampled), filler (text that brings the prompt to its length) and ids (of the prompt, which both arms must
arrive at).
"""

from __future__ import annotations

import json
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BEFORE, AFTER, POOL, HIDDEN = 6, 7, 6, 3
FRAMES = BEFORE + AFTER + POOL
SIDE = 28
"""Pixels of one token's side."""


def frame_tokens(prompt_tokens: int) -> tuple[int, int]:
    """Return rows and columns of one frame in tokens, so that `FRAMES` of them and the text nearly fill a prompt."""
    room = max(1, (prompt_tokens - 180) // FRAMES - 2)
    rows = max(1, int((0.7 * room) ** 0.5))
    return rows, max(1, room // rows)


def frames(job: dict[str, Any], step: int) -> NDArray[np.uint8]:
    """Return (FRAMES, H, W, 3): coarse noise, other noise for each step."""
    rows, columns = frame_tokens(job["prompt"])
    noise = np.random.default_rng(step).integers(0, 256, (FRAMES, 2 * rows, 2 * columns, 3), dtype=np.uint8)
    return noise.repeat(SIDE // 2, 1).repeat(SIDE // 2, 2)


def parts(filler: str) -> list[str | int]:
    """Return the prompt of masked video prediction with every frame as an image: texts, and places of frames."""
    found: list[str | int] = ["Before the gap:\n", *range(BEFORE), "\nAfter the gap:\n", *range(BEFORE, BEFORE + AFTER)]
    found.append(f"\nWhich {HIDDEN} of these {POOL} candidates fill the gap, in time order?")
    for number in range(1, POOL + 1):
        found += [f"\nCandidate {number}: ", BEFORE + AFTER + number - 1]
    return [*found, f"\nAnswer with {HIDDEN} candidate numbers. {filler}"]


def reward(ids: list[int]) -> float:
    """Return something cheap that differs between completions, from 0 to 1."""
    return sum(ids) % 97 / 97


class Clock:
    """Seconds by phase of the step that runs; a phase inside another is taken off the outer one."""

    def __init__(self) -> None:
        """Start with nothing measured."""
        self.steps: list[dict[str, float]] = []
        self.now: dict[str, float] = {}
        self._inside: list[float] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside, less those of phases within, to `name`."""
        begin = time.perf_counter()
        self._inside.append(0.0)
        yield
        seconds = time.perf_counter() - begin
        self.now[name] = self.now.get(name, 0.0) + seconds - self._inside.pop()
        if self._inside:
            self._inside[-1] += seconds

    def end_step(self) -> None:
        """Close the step."""
        self.steps.append(self.now)
        self.now = {}


class Memory:
    """Peak resident bytes above what was resident when this was made."""

    def __init__(self) -> None:
        """Forget peaks before now, where the system allows it."""
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.kept_peak = True
        else:
            self.kept_peak = False
        self.base = _status("VmRSS")

    def peak(self) -> int:
        """Return bytes."""
        return _status("VmHWM") - self.base


def _status(name: str) -> int:
    """Return bytes of a line of /proc/self/status; elsewhere than on Linux the peak of getrusage."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(job: dict[str, Any], clock: Clock, memory: Memory, **more: Any) -> None:
    """Write what an arm measured to the job's `out` file, without its first `warm` steps."""
    found = {"steps": clock.steps[job["warm"] :], "peak_bytes": memory.peak(), "kept_peak": memory.kept_peak, **more}
    Path(job["out"]).write_text(json.dumps(found), encoding="utf-8")
