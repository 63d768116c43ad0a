"""The command lab: what its dry run says before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reelgym.commands import train_plan

Cli = Callable[..., tuple[int, str, str]]


def test_a_dry_run_tells_the_time_and_memory_of_all_runs_and_writes_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_plan, "rehearsal", lambda one, told: {"seconds": 900.0, "peak_bytes": 3 * 2**30})
    asked = ("lab", "mvp", "--quick", "--dry-run", "--out", tmp_path / "lab")
    code, out, _ = cli(*asked, "--json")
    found = json.loads(out)
    # One recipe and two controls, under two seeds.
    assert code == 0 and list(found["seconds_each"]) == ["mvp", "positive control", "negative control"]
    assert (found["seconds"], found["peak_bytes"]) == (2 * 3 * 900.0, 3 * 2**30)
    code, out, _ = cli(*asked)
    assert code == 0 and "1.50 h" in out and "0.25 h" in out and "3.00 GiB" in out
    assert not (tmp_path / "lab").exists()
