"""kill -9 at random moments of every phase, mid-write included: the dataset in the end is the uninterrupted one."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from synthesis_runs import SETTINGS, became, files_of, served

from reelgym.synthesis import synthesize

# Counts what the run does to files under its folder (open, rename, remove, make a folder) and dies before number N.
# What was about to be renamed or was appended last is torn first, as if the process had gone in the middle of it.
DYING = """
import json, os, signal, sys
out, settings, inputs = sys.argv[1], json.loads(sys.argv[3]), sys.argv[4:]
name, _, number = sys.argv[2].rpartition("@")
count, dies_at = 0, int(number)

def tear(path):
    try:
        size = os.stat(path).st_size
        os.truncate(path, size - min(size, 7) if path.endswith("seen.jsonl") else size // 2)
    except OSError:
        pass

def watch(event, arguments):
    global count
    if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
        return
    path = os.fspath(arguments[0]) if isinstance(arguments[0], (str, os.PathLike)) else ""
    if name not in path or not (path.startswith(out) or event == "os.remove"):
        return
    count += 1
    if count == dies_at:
        tear(path if event == "os.rename" else os.path.join(out, ".synth", "seen.jsonl"))
        os.kill(os.getpid(), signal.SIGKILL)

from reelgym.synthesis import synthesize
sys.addaudithook(watch)
synthesize(inputs, out, workers=1, **settings)
print(count)
"""


def cut(out: Path, moment: str | float, *inputs: Path | str) -> int:
    """Run in a process that dies at the N-th event, `N` or `NAME@N`, or after so many seconds; 0 stands for never.

    Return how many events it came to, or -9.
    """
    at, seconds = (moment, None) if isinstance(moment, str) else ("0", moment)
    command = [sys.executable, "-c", DYING, str(out), at, json.dumps(SETTINGS), *map(str, inputs)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        said, complained = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), complained
    return int(said) if process.returncode == 0 else -signal.SIGKILL


def some_real(request: pytest.FixtureRequest, every: bool = False) -> list[Path]:
    """Real and odd files where they are at hand: all, or a few that are quickly read."""
    try:
        odd, videos = request.getfixturevalue("shared_odd"), request.getfixturevalue("shared_videos")
    except pytest.skip.Exception:
        return []
    if every:
        return [odd, videos]
    names = ("-name-starts-with-dash.mp4", "made_bitflips.mp4", "made_png_renamed.mp4", "made_duplicate_a.mp4")
    return [odd / name for name in (*names, "made_duplicate_b.mp4") if (odd / name).exists()]


@pytest.mark.usefixtures("inline")
def test_three_kills_in_three_phases_change_nothing(
    clips: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    inputs, out, draw = [clips, *some_real(request)], tmp_path / "ds", random.Random(0)
    # While files are looked at or cut; in the middle of noting a result; in the middle of writing the dataset.
    moments = [str(draw.randint(8, 30)), f".json@{draw.randint(3, 6)}", draw.choice(["samples-", "sources"]) + "@1"]
    assert [cut(out, moment, *inputs) for moment in moments] == [-9, -9, -9]
    assert not (out / "dataset.json").exists()
    synthesize(inputs, out, **SETTINGS)  # type: ignore[arg-type]
    synthesize(inputs, tmp_path / "whole", **SETTINGS)  # type: ignore[arg-type]
    assert files_of(out) == files_of(tmp_path / "whole")


@pytest.mark.usefixtures("inline")
def test_kills_over_tars_and_a_web_server_change_nothing(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "web").mkdir()
    for name in ("2.mp4", "4.mp4"):
        shutil.copy(clips / name, tmp_path / "web" / name)
    with tarfile.open(tmp_path / "shard-000.tar", "w") as shard:  # WebDataset: what belongs together has one stem.
        for name in ("0.mp4", "deep/1.mp4", "text.mp4"):
            shard.add(clips / name, name)
            about = tarfile.TarInfo(f"{name[:-4]}.json")
            about.size = 2
            shard.addfile(about, io.BytesIO(b"{}"))
    out, whole = tmp_path / "ds", tmp_path / "whole"
    with served(tmp_path / "web") as address:
        inputs: list[Path | str] = [tmp_path / "shard-000.tar", f"{address}/"]
        # While a file is looked at; in the middle of noting a result; in the middle of writing the dataset.
        assert [cut(out, moment, *inputs) for moment in ("12", ".json@3", "samples-@1")] == [-9, -9, -9]
        assert not (out / "dataset.json").exists()
        synthesize(inputs, out, **SETTINGS)
        shutil.rmtree(tmp_path / "cache")  # Nor does anything hang on the copies that a killed run has fetched.
        synthesize(inputs, whole, **SETTINGS)
    assert files_of(out) == files_of(whole)
    assert Counter(became(whole).values()) == {"used": 4, "quarantined": 1}


@pytest.mark.usefixtures("inline")
def test_a_kill_while_tidying_up_leaves_a_finished_dataset(clips: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "ds"
    shutil.copytree(whole, out)
    (out / ".synth" / "ab").mkdir(parents=True)
    (out / ".synth" / "lock").write_text("{}")
    assert not synthesize([clips], out, **SETTINGS).fresh  # type: ignore[arg-type]
    assert files_of(out) == files_of(whole)


@pytest.mark.soak
@pytest.mark.skipif("REELGYM_SOAK" not in os.environ, reason="minutes of decoding; `make soak` runs it")
@pytest.mark.timeout(3600)
def test_twenty_kills_over_all_real_and_odd_clips_change_nothing(
    clips: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    inputs, out, draw = [clips, *some_real(request, every=True)], tmp_path / "ds", random.Random()
    kinds: list[Callable[[], str | float]] = [
        lambda: str(draw.randint(1, 200)),
        lambda: f".json@{draw.randint(2, 12)}",
        lambda: draw.uniform(0.3, 20.0),
    ]
    moments = [draw.choice(kinds)() for _ in range(15)]
    moments += [draw.choice(["samples-", "sources", "inputs", "quarantine", "dataset.json"]) + "@1" for _ in range(3)]
    moments += ["samples-@2", "lock@2"]
    print(moments)  # The draw is new every time; a failure shows it.
    found = [cut(out, moment, *inputs) for moment in moments]
    print(found)
    synthesize(inputs, out, workers=2, **SETTINGS)  # type: ignore[arg-type]
    synthesize(inputs, tmp_path / "whole", workers=2, **SETTINGS)  # type: ignore[arg-type]
    assert files_of(out) == files_of(tmp_path / "whole")
