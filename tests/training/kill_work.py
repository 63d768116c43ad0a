"""Runs that are killed with SIGKILL at a named moment, one child per life, and one run that is left alone.

Started as a process of its own, that imports torch once and never computes: each life of a run is a fork of it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from training_runs import load, rl_run, sft_run

from reelgym.models.base import Policy
from reelgym.rewards import Rubric
from reelgym.training import checkpoint, metrics, optim, rl, rollouts, sft

RUNS: dict[str, Callable[[], Any]] = {
    "rl": lambda: rl_run(steps=6, save_every=2, evaluated=True, eval_every=2, inner_steps=2, kl_coef=0.1),
    "rl_lora": lambda: rl_run(steps=8, save_every=2, inner_steps=2, lora_rank=2),
    "sft": lambda: sft_run(steps=6, save_every=2, evaluated=True, eval_every=2),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    die()


def _at(owner: Any, name: str, call: int, *, after: bool = False) -> None:
    """Die before or after the `call`-th call, from 1, of a function."""
    plain, seen = getattr(owner, name), [0]

    def dying(*args: Any, **kwargs: Any) -> Any:
        seen[0] += 1
        if seen[0] == call and not after:
            die()
        found = plain(*args, **kwargs)
        if seen[0] == call:
            die()
        return found

    setattr(owner, name, dying)


def torn_weights() -> None:
    plain = checkpoint.save_file

    def torn(tensors: Any, path: Path) -> None:
        plain(tensors, path)
        half_a_file(path)

    checkpoint.save_file = torn  # type: ignore[assignment]


def torn_rollouts() -> None:
    plain = pq.write_table

    def torn(table: Any, path: Path, **how: Any) -> None:
        plain(table, path, **how)
        half_a_file(path)

    rollouts.pq.write_table = torn


def torn_row() -> None:
    """Die with half a line of metrics written, in the third row of this life."""
    seen = [0]
    plain = metrics.MetricsFile.append

    def torn(self: metrics.MetricsFile, step: int, row: dict[str, float]) -> None:
        seen[0] += 1
        before = self._path.stat().st_size if self._path.exists() else 0
        plain(self, step, row)
        if seen[0] == 3:
            os.truncate(self._path, (before + self._path.stat().st_size) // 2)
            die()

    metrics.MetricsFile.append = torn  # type: ignore[method-assign]


MOMENTS: dict[str, Callable[[], None]] = {
    "sample": lambda: _at(Policy, "hidden", 9),
    "score": lambda: _at(Rubric, "terms", 8),
    "update": lambda: _at(optim.Optimizer, "step", 3),
    "moved": lambda: _at(optim.Optimizer, "step", 3, after=True),
    "metrics": torn_row,
    "rollouts": torn_rollouts,
    "weights": lambda: _at(checkpoint, "save_file", 1),
    "moments": torn_weights,
    "rename": lambda: _at(Path, "rename", 1),
    "renamed": lambda: _at(Path, "rename", 1, after=True),
    "prune": lambda: _at(checkpoint, "_prune", 1, after=True),
}
"""Phase of a step, or of a checkpoint, to what makes a run die in it."""


def live(kind: str, out: Path, moment: str | None) -> int:
    """Fork one life of a run; return its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child:
        return child
    if moment:
        MOMENTS[moment]()
    run = RUNS[kind]()
    (rl.train if hasattr(run, "rubric") else sft.train)(run, out, load=load)
    os._exit(0)


def end(child: int) -> int:
    """Return how a life ended: 0, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def chain(kind: str, root: Path, moments: list[str]) -> dict[str, Any]:
    """Run once undisturbed; then die once at each moment in turn, over and over in one folder, and finish."""
    whole = end(live(kind, root / "whole", None))
    ends = {moment: end(live(kind, root / "killed", moment)) for moment in moments}
    return {"whole": whole, "ends": ends, "last": end(live(kind, root / "killed", None))}


def hunt(kind: str, root: Path, kills: int) -> dict[str, Any]:
    """Kill from outside, `kills` times, at random moments of a life that is as long as the undisturbed one."""
    began = time.monotonic()
    whole = end(live(kind, root / "whole", None))
    seconds = time.monotonic() - began
    draw, ends = random.Random(os.environ.get("REELGYM_SOAK", "0")), []
    for turn in range(kills):
        folder = root / f"killed-{turn % 4}"
        child = live(kind, folder, None)
        time.sleep(draw.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        ends.append(end(child))
    return {"whole": whole, "ends": ends, "last": [end(live(kind, root / f"killed-{i}", None)) for i in range(4)]}


if __name__ == "__main__":
    kind, root, moments = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    found = hunt(kind, root, moments) if isinstance(moments, int) else chain(kind, root, moments)
    sys.stdout.write(json.dumps(found) + "\n")
