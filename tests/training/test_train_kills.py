"""A run killed with SIGKILL in any phase, repeated, ends bit for bit in what an undisturbed run ends in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from kill_work import MOMENTS
from training_runs import equal, numbers, weights_of

from reelgym.training import checkpoint

HERE = Path(__file__).parent
LIMIT_SECONDS = 1200


def work(kind: str, root: Path, moments: list[str] | int) -> dict[str, Any]:
    """Run `kill_work` in a process of its own, which forks before it has computed anything."""
    shared = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, str(HERE / "kill_work.py"), kind, str(root), json.dumps(moments)]
    done = subprocess.run(command, env=shared, stdout=subprocess.PIPE, text=True, timeout=LIMIT_SECONDS, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def assert_equal_runs(whole: Path, killed: Path) -> None:
    assert numbers(killed) == numbers(whole) and len(numbers(whole)) >= 6
    assert equal(weights_of(whole, 6), weights_of(killed, 6))
    steps = [checkpoint.latest(run) for run in (whole, killed)]
    moments = [checkpoint.read_moments(step) for step in steps if step]
    assert equal(moments[0], moments[1]) and len(moments) == 2
    left, right = (checkpoint.read_state(step) for step in steps if step)
    assert (left.step, left.best_step, left.best_value) == (right.step, right.best_step, right.best_value)
    stored = [sorted(path.name for path in run.glob("rollouts-*.parquet")) for run in (whole, killed)]
    assert stored[0] == stored[1]
    for name in stored[0]:
        assert pq.read_table(whole / name).equals(pq.read_table(killed / name))
    leftover = [*killed.rglob("*.partial"), *(killed / "checkpoints").glob(".*")]
    assert not leftover, "what a killed run left half written is gone"


@pytest.mark.timeout(LIMIT_SECONDS + 60)
def test_a_run_killed_in_each_phase_ends_as_one_left_alone(tmp_path: Path) -> None:
    moments = ["sample", "score", "update", "moments"]
    found = work("rl", tmp_path, moments)
    assert found == {"whole": 0, "ends": dict.fromkeys(moments, -9), "last": 0}
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.soak
@pytest.mark.skipif("REELGYM_SOAK" not in os.environ, reason="many lives of a run; `make soak` runs it")
@pytest.mark.timeout(LIMIT_SECONDS + 60)
@pytest.mark.parametrize("kind", ["rl", "rl_lora"])
def test_no_moment_of_a_step_or_of_a_checkpoint_matters(kind: str, tmp_path: Path) -> None:
    found = work(kind, tmp_path, list(MOMENTS))
    assert found == {"whole": 0, "ends": dict.fromkeys(MOMENTS, -9), "last": 0}
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.soak
@pytest.mark.skipif("REELGYM_SOAK" not in os.environ, reason="many lives of a run; `make soak` runs it")
@pytest.mark.timeout(LIMIT_SECONDS + 60)
@pytest.mark.parametrize("kind", ["rl", "sft"])
def test_twenty_kills_from_outside_at_random_moments_change_nothing(kind: str, tmp_path: Path) -> None:
    found = work(kind, tmp_path, 20)
    assert found["whole"] == 0 and found["last"] == [0] * 4
    assert -9 in found["ends"] and set(found["ends"]) <= {-9, 0}
    for turn in range(4):
        assert_equal_runs(tmp_path / "whole", tmp_path / f"killed-{turn}")
