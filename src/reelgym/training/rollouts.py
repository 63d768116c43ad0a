"""Stored rollouts: every trajectory with its segments, its reward term by term, and its advantages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelgym.data.trajectory import Group
from reelgym.rewards.base import Scores

SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("sample", pa.string()),
        ("member", pa.int32()),
        ("text", pa.string()),
        ("stop", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("loss_mask", pa.list_(pa.bool_())),
        ("segments", pa.list_(pa.struct([("name", pa.string()), ("start", pa.int32()), ("stop", pa.int32())]))),
        ("rewards", pa.string()),
        ("advantages", pa.list_(pa.float32())),
        ("errors", pa.list_(pa.string())),
    ]
)
"""One row per trajectory: its last turn. `rewards` is JSON, {term: {segment: number, or null where it does not apply}};
a term of the whole completion has the one segment `completion`."""


class RolloutFiles:
    """`RUN/rollouts-STEP[-RANK].parquet`: what was sampled since the file before, up to step STEP."""

    def __init__(self, run: Path, *, after: int, rank: int, ranks: int) -> None:
        """Drop files of steps after `after`: they will be sampled again."""
        self._run, self._suffix = run, f"-{rank:04d}" if ranks > 1 else ""
        self._rows: list[dict[str, Any]] = []
        if rank == 0:
            for path in run.glob("rollouts-*.parquet"):
                if int(re.findall(r"\d+", path.name)[0]) > after:
                    path.unlink()

    def add(
        self,
        step: int,
        group: Group,
        terms: Mapping[str, Scores],
        advantages: NDArray[np.float32],
        *,
        columns: Mapping[str, Sequence[str]],
    ) -> None:
        """Keep a group until the next `write`.

        Args:
            step: When it was sampled.
            group: G trajectories.
            terms: Label to (G, S) scores.
            advantages: (G, T) float32; cut to each completion's length.
            columns: Label to the names of its S segments.
        """
        for member, trajectory in enumerate(group.trajectories):
            turn = trajectory.final
            rewards = {label: _by_segment(columns[label], value[member]) for label, value in terms.items()}
            self._rows.append(
                {
                    "step": step,
                    "sample": group.sample.id,
                    "member": member,
                    "text": turn.text,
                    "stop": turn.stop,
                    "ids": turn.ids.tolist(),
                    "logprobs": turn.logprobs.tolist(),
                    "loss_mask": turn.loss_mask.tolist(),
                    "segments": [{"name": s.name, "start": s.start, "stop": s.stop} for s in turn.segments],
                    "rewards": json.dumps(rewards),
                    "advantages": advantages[member, : len(turn.ids)].tolist(),
                    "errors": list(trajectory.errors),
                }
            )

    def write(self, step: int) -> None:
        """Write what was kept to `rollouts-STEP.parquet`, and forget it."""
        if not self._rows:
            return
        path = self._run / f"rollouts-{step:06d}{self._suffix}.parquet"
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        pq.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA), partial, compression="zstd")
        partial.replace(path)
        self._rows = []


def _by_segment(names: Sequence[str], values: Scores) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, values, strict=True)}
