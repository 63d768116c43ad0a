"""Metrics: sums and counts tallied within a step, averaged over ranks, one JSON line per step."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor


class Tally:
    """Running sums and counts by metric name (`room/quantity[/statistic]`); their ratio is the mean of the step."""

    def __init__(self) -> None:
        """Begin empty."""
        self._sums: dict[str, tuple[float, float]] = {}

    def add(self, name: str, total: float, count: float = 1.0) -> None:
        """Add a sum over `count` things."""
        before = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = (before[0] + total, before[1] + count)

    def count(self, name: str, times: float) -> None:
        """Count something over the step: the row tells the sum, per rank."""
        self._sums[name] = (self._sums.get(name, (0.0, 0.0))[0] + times, 1.0)

    def add_tensors(self, metrics: dict[str, tuple[Tensor, Tensor]], room: str) -> None:
        """Add what a `LossSum` reports, under `room/`."""
        for name, (total, count) in metrics.items():
            self.add(f"{room}/{name}", float(total), float(count))

    def add_values(self, name: str, values: Sequence[float] | NDArray[np.float64]) -> None:
        """Add the mean of values; NaN (not applicable) is left out."""
        known = [float(value) for value in np.ravel(np.asarray(values, dtype=np.float64)) if not math.isnan(value)]
        self.add(name, sum(known), len(known))

    def means(self, accelerator: Accelerator) -> dict[str, float]:
        """Return sum / count over all ranks for every name that counted anything, sorted by name."""
        tallies = [self._sums] if accelerator.num_processes == 1 else gather_object([self._sums])
        names = sorted({name for tally in tallies for name in tally})
        joined = {name: [tally.get(name, (0.0, 0.0)) for tally in tallies] for name in names}
        counts = {name: sum(count for _, count in parts) for name, parts in joined.items()}
        return {name: sum(total for total, _ in joined[name]) / counts[name] for name in names if counts[name]}


class MetricsFile:
    """`RUN/metrics.jsonl`: one row per step, in order; rows past a checkpoint are dropped when it is resumed."""

    def __init__(self, run: Path, *, after: int) -> None:
        """Open for appending; keep only rows of steps up to `after` (a half-written last row goes too)."""
        self._path = run / "metrics.jsonl"
        kept = [json.dumps(row) for row in read(self._path) if row["step"] <= after]
        partial = self._path.with_name(f".metrics.{os.getpid()}.partial")
        partial.write_text("".join(f"{line}\n" for line in kept))
        partial.replace(self._path)

    def append(self, step: int, row: dict[str, float]) -> None:
        """Add the row of a step; a number that is not finite is written as null."""
        plain = {name: value if math.isfinite(value) else None for name, value in row.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **plain}) + "\n")


@contextmanager
def timed(tally: Tally, phase: str) -> Iterator[None]:
    """Add the seconds of a phase to the step's row, as `time/PHASE_seconds`."""
    began = time.perf_counter()
    yield
    tally.add(f"time/{phase}_seconds", time.perf_counter() - began)


def read(path: Path) -> list[dict[str, float]]:
    """Return the rows of a metrics file; an absent file has none, and a torn last line is left out."""
    if not path.is_file():
        return []
    rows: list[dict[str, float]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
