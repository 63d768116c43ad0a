"""The pool: a job that hangs or kills its process costs one result."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from reelgym.synthesis.pool import Pool

# Stands in for the worker: says which process it is, hangs, dies, or fails with words.
FAKE = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    if "note" in job: open(job["note"], "w").write(str(os.getpid()))
    if job["do"] == "hang": time.sleep(60)
    if job["do"] == "kill": os.kill(os.getpid(), 9)
    if job["do"] == "raise": raise ValueError("out of cheese")
    print(json.dumps({"pid": os.getpid(), "big": "x" * job.get("size", 0)}), flush=True)
"""


def results(pool: Pool, *jobs: str) -> dict[int, dict[str, object]]:
    return dict(pool.run([{"do": job} for job in jobs]))


@pytest.mark.soak
def test_a_hang_a_kill_and_a_failure_cost_one_result_each() -> None:
    with Pool(2, seconds=1.0, command=[sys.executable, "-c", FAKE]) as pool:
        start = time.monotonic()
        found = results(pool, "ok", "hang", "kill", "ok", "raise", "ok")
        assert time.monotonic() - start < 20
    assert found[1] == {"died": "took longer than the time limit"}
    assert found[2] == {"died": "the worker process died (signal 9)"}
    assert found[4] == {"died": "the worker process died (exit code 1): ValueError: out of cheese"}
    assert all("pid" in found[number] for number in (0, 3, 5))


def test_a_process_past_its_time_is_gone(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with Pool(1, seconds=1.0, command=[sys.executable, "-c", FAKE]) as pool:
        found = dict(pool.run([{"do": "hang", "note": str(note)}, {"do": "ok"}]))
        with pytest.raises(ProcessLookupError):
            os.kill(int(note.read_text()), 0)
    assert "died" in found[0] and "pid" in found[1]


def test_processes_are_kept_between_runs_and_large_results_arrive_whole() -> None:
    with Pool(1, seconds=30, command=[sys.executable, "-c", FAKE]) as pool:
        first = results(pool, "ok", "ok", "ok")
        ((_, again),) = pool.run([{"do": "ok", "size": 3_000_000}])
    assert len({str(result["pid"]) for result in first.values()} | {str(again["pid"])}) == 1
    assert len(str(again["big"])) == 3_000_000


def test_leaving_a_run_early_stops_its_processes() -> None:
    with Pool(2, seconds=30, command=[sys.executable, "-c", FAKE]) as pool:
        running = pool.run([{"do": "ok"}, {"do": "hang"}, {"do": "hang"}])
        next(running)
        start = time.monotonic()
        running.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 5
