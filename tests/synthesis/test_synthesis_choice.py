"""Choosing before opening: by hash, nested, the same whoever does the work; every input is accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from synthesis_runs import SETTINGS, Inline, became, files_of

from reelgym.data.dataset import read_dataset
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis import estimate, local, run, synthesize, worker

pytestmark = pytest.mark.usefixtures("inline")


def opened(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return a set that will hold the names of all files that a worker was asked to open."""
    seen: set[str] = set()
    real = worker.perform

    def noting(job: dict[str, Any]) -> dict[str, Any]:
        seen.add(Path(job["path"]).name)
        return real(job)

    monkeypatch.setattr(worker, "perform", noting)
    return seen


def test_every_input_is_accounted_for(whole: Path) -> None:
    assert became(whole) == {
        **{f"{place}{number}.mp4": "used" for number, place in enumerate(["", "deep/", "", "deep/", ""])},
        "copy of 0.mp4": "duplicate",
        "short.mp4": "quarantined",
        "text.mp4": "quarantined",
    } | {"0.mp4": "used"}
    lines = {line["path"]: line for line in map(json.loads, (whole / "inputs.jsonl").read_text().splitlines())}
    assert list(lines) == sorted(lines)
    assert lines["0.mp4"]["samples"] == 2
    assert lines["copy of 0.mp4"]["of"] == "0.mp4" and lines["copy of 0.mp4"]["identity"] == lines["0.mp4"]["identity"]
    assert lines["text.mp4"]["boundary"] == "open" and lines["short.mp4"]["reason"].startswith("too short")
    assert read_dataset(whole).manifest["counts"]["files"] == 8


def test_the_largest_files_are_cut_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[str] = []

    class Noting(Inline):
        def run(self, jobs: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
            for number, job in enumerate(jobs):
                name = Path(job["path"]).name
                cut.extend([name] if job["do"] == "cut" else [])
                line = {"path": job["path"], "boundary": "open", "reason": "made up"}
                yield number, {"identity": f"full:{name}"} if job["do"] == "identify" else {"quarantine": line}

    monkeypatch.setattr(local, "_engine", lambda *_: Noting())
    for name, size in (("a.mp4", 10), ("b.mp4", 1000), ("c.mp4", 100)):
        (tmp_path / name).write_bytes(bytes(size))
    with pytest.raises(WorkError, match="none of 3 files gave a sample"):
        synthesize([tmp_path], tmp_path / "ds", **SETTINGS)
    assert cut == ["b.mp4", "c.mp4", "a.mp4"]


def test_a_smaller_share_is_part_of_a_larger_one_and_nothing_else_is_opened(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[set[str]] = []
    for share in (0.3, 0.7, 1.0):
        seen = opened(monkeypatch)
        made = synthesize([clips], tmp_path / f"{share}", sample=share, **SETTINGS)
        fate = became(made.path)
        kept.append({name for name, word in fate.items() if word != "not sampled"})
        assert seen == {Path(name).name for name in kept[-1]} and len(fate) == 8
        assert made.counts["not_sampled"] == 8 - len(kept[-1])
    assert kept[0] < kept[1] < kept[2]
    with pytest.raises(RequestError, match=r"sample=1e-09 chooses none of 8 files: raise it"):
        synthesize([clips], tmp_path / "none", sample=1e-9, **SETTINGS)


def test_hours_are_taken_in_the_order_of_the_hash_and_never_exceeded(clips: Path, tmp_path: Path) -> None:
    seconds: list[float] = []
    for most in (1, 30, 45, 1000):
        made = synthesize([clips], tmp_path / f"{most}", max_hours=most / 3600, **SETTINGS)
        seconds.append(sum(source.duration_seconds for source in read_dataset(made.path).sources))
        assert seconds[-1] <= most or most == 1  # the first is always taken
    assert seconds == sorted(seconds) and seconds[-1] == pytest.approx(12 + 14 + 16 + 18 + 20)
    assert made.counts["not_sampled"] == 0


def test_a_limit_takes_whole_videos_and_a_part_of_the_last(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids: list[set[str]] = []
    for limit in (1, 3, 4, 99):
        made = synthesize([clips], tmp_path / f"{limit}", limit=limit, **SETTINGS)
        found = read_dataset(made.path)
        ids.append({sample.id for sample in found.samples})
        assert len(found.samples) == min(limit, 10)
        fate = json.loads("[" + ",".join((made.path / "inputs.jsonl").read_text().splitlines()) + "]")
        assert sum(line.get("samples", 0) for line in fate) == len(found.samples) and len(fate) == 8
    assert ids[0] < ids[1] < ids[2] < ids[3]
    monkeypatch.setattr(run, "CHUNK", 2)  # so that the budget ends the run early
    seen = opened(monkeypatch)
    synthesize([clips], tmp_path / "again", limit=3, **SETTINGS)
    assert len(seen) < 8
    assert files_of(tmp_path / "again") == files_of(tmp_path / "3")


def test_an_estimate_of_all_files_is_what_the_run_gives_and_writes_nothing(
    clips: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("reelgym.synthesis.estimate"), "Pool", lambda *_, **__: Inline())
    monkeypatch.chdir(tmp_path)
    told: list[tuple[int, int]] = []
    found = estimate([clips], timed_files=8, workers=2, progress=lambda d, t: told.append((d, t)), **SETTINGS)
    assert json.loads(json.dumps(found)) == found and told[-1] == (8, 8)
    assert (found["files"], found["timed"]["files"], found["timed"]["quarantined"]) == (8, 8, 2)
    # All files were timed, so that nothing is uncertain; the copy counts twice, since its content is not compared.
    assert found["samples"] == [12.0, 12.0, 12.0]
    assert found["hours"][1] == pytest.approx((80 + 12) / 3600)
    assert found["seconds"][1] == pytest.approx(found["timed"]["seconds"] / 2)
    part = estimate([clips], timed_files=4, workers=2, **SETTINGS)
    low, likely, high = part["hours"]
    assert low <= likely <= high and low < high
    half = estimate([clips], timed_files=8, limit=6, **SETTINGS)
    assert half["samples"][1] == pytest.approx(6) and half["hours"][1] == pytest.approx(found["hours"][1] / 2)
    assert estimate([clips], timed_files=8, shard="1/4", **SETTINGS)["samples"][1] == pytest.approx(3)
    assert list(tmp_path.iterdir()) == []
