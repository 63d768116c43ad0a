"""Video-seconds per second and core of `synth --task mvp --fps 1`, beside raw decoding and other readers.

Every row reads the same file with one decoder thread in a process of its own (`readers.py`), 1 frame per second at a
short side of 224; rows take turns, round by round, and a ratio is that of one round's pair. Time is CPU time of the
process and its children, so that what else the machine does falls out; wall time is in the JSON too. Imports are left
out. Of workers the time for which they were ready and had no core is told apart. `synth` identifies, surveys and cuts
a file as a worker does, with the default structure pass and audit.

Rows: raw decode; exact and snapped (key frames) at 1 FPS; synth from cold; synth from a filled store; 1 and 2 workers;
and of peers, where the environment of --peer-python has them: ffmpeg fps=1 (by imageio-ffmpeg), OpenCV, decord,
qwen-vl-utils. Files: the H.264 files of --clips as one job; long H.264 files made of one clip (`long_videos.py`).

    python bench/synth_throughput.py --clips CLIPS --peer-python PEERS/bin/python --json out.json
    python bench/synth_throughput.py --clips CLIPS --quick
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from long_videos import Long, make

OURS = ("raw decode", "exact, 1 FPS", "key frames, 1 FPS", "synth", "synth, from the store")
SCALING = ("synth, 1 worker", "synth, 2 workers")
PEERS = {
    "ffmpeg fps=1": "imageio_ffmpeg",
    "OpenCV grab": "cv2",
    "decord": "decord",
    "qwen-vl-utils, decord": "qwen_vl_utils, decord",
}
"""Row of a peer: the modules that it needs."""

PEERS_MINUTES = 10
"""Peers read files up to this length only: beyond it nothing changes but the time they take."""

LONG = (Long(10, 720, 50), Long(30, 720, 50), Long(10, 720, None), Long(30, 1080, 50))
QUICK = (Long(1, 720, 50),)


def main() -> None:
    """Read the options, measure file by file, print and write what was found."""
    options = _options()
    folder = Path(options.scratch or tempfile.mkdtemp(prefix="synth_throughput."))
    folder.mkdir(parents=True, exist_ok=True)
    clips = [path for path in sorted(Path(options.clips).iterdir()) if _codec(path) == "h264"]
    clip = Path(options.long_from or max(clips, key=lambda path: path.stat().st_size))
    sets: dict[str, Long | None] = {one.name: one for one in (QUICK if options.quick else LONG)} | {"real clips": None}
    chosen = {name: one for name, one in sets.items() if not options.files or name in options.files}
    peers = {} if options.peer_python is None else _installed(options.peer_python)
    small = str(min(clips, key=lambda p: p.stat().st_size))
    found: dict[str, Any] = {}
    for name, long in chosen.items():
        paths = [make(clip, folder, long)] if long else clips[:6] if options.quick else clips
        rows = [*OURS, *(() if options.quick and not options.rows else SCALING)]
        rows += [row for row in peers if long is None or long.minutes <= PEERS_MINUTES]
        rows = [row for row in rows if not options.rows or row in options.rows]
        found[name] = _measured([str(p) for p in paths], rows, options, folder=folder, small=small)
        _print(name, found[name])
        if options.json:
            whole = {"machine": _machine(), "peers": peers, "long_from": clip.name, "files": found}
            options.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    if not options.scratch:
        shutil.rmtree(folder)


def _codec(path: Path) -> str:
    """Return the codec of a clip; decord reads no AV1, so H.264 alone is compared. Empty where it is no video."""
    from reelgym.errors import MediaError
    from reelgym.video import probe

    try:
        return probe(str(path), identity="full:unused").codec
    except MediaError:
        return ""


def _measured(
    paths: Sequence[str], rows: Sequence[str], options: argparse.Namespace, *, folder: Path, small: str
) -> dict[str, Any]:
    """Return {video_seconds, rows: {row: medians and ratios to raw decode}} of one job; rows take turns."""
    from reelgym.video import probe

    seconds = sum(probe(path, identity="full:unused").duration_seconds for path in paths)
    rounds: list[dict[str, Any]] = []
    for turn in range(options.rounds):
        order = list(rows)
        random.Random(turn).shuffle(order)
        rounds.append({})
        with ThreadPoolExecutor(len(order) if options.together else 1) as threads:
            waiting = {
                threads.submit(_row, row, list(paths), options, folder=folder, small=small): row for row in order
            }
            for done in as_completed(waiting):
                rounds[-1][waiting[done]] = done.result()
                print(waiting[done], done.result(), file=sys.stderr, flush=True)
    return {"video_seconds": seconds, "rows": {row: _summary(row, rounds, seconds) for row in rows}}


def _row(row: str, paths: list[str], options: argparse.Namespace, *, folder: Path, small: str) -> dict[str, Any]:
    """Run one row in a process of its own; a row that fails says so."""
    python = options.peer_python if row in PEERS else sys.executable
    how: dict[str, Any] = {"small": small}
    if "store" in row:
        how["store"] = str(folder / f"store-{hashlib.sha256(repr(paths).encode()).hexdigest()[:12]}")
        if not Path(how["store"]).exists():
            _run(python, "synth", how, paths)
    if "worker" in row:
        how["workers"] = int(row.split()[1])
    return _run(python, row, how, paths)


def _run(python: str, row: str, how: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    script = Path(__file__).with_name("readers.py")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [python, str(script), row, json.dumps(how), *paths]
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _summary(row: str, rounds: Sequence[dict[str, Any]], video_seconds: float) -> dict[str, Any]:
    """Return speed (video-seconds per CPU second), ratio to raw decode, peak memory, and every round."""
    whole = [turn[row] for turn in rounds]
    failed = [one["failed"] for one in whole if "failed" in one]
    if failed:
        return {"failed": failed[0]}
    raws = [turn.get("raw decode", {}).get("cpu_seconds") for turn in rounds]
    twice = 2 if row in SCALING else 1  # They do every job twice, so that two workers have something to do.
    ratios = [raw / one["cpu_seconds"] for raw, one in zip(raws, whole, strict=True) if raw]
    return {
        "speed": statistics.median(video_seconds / one["cpu_seconds"] for one in whole) * twice,
        "of_raw": statistics.median(ratios) * twice if ratios else None,
        "seconds": statistics.median(one["seconds"] for one in whole),
        "peak_mib": max(one["peak_bytes"] for one in whole) / 2**20,
        "heavy": whole[0]["heavy"],
        "rounds": whole,
    }


def _installed(python: str) -> list[str]:
    """Return the peers whose modules the environment has."""
    found = []
    for row, modules in PEERS.items():
        code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {modules.split(', ')!r})))"
        if subprocess.run([python, "-c", code], check=False).returncode == 0:
            found.append(row)
    return found


def _machine() -> dict[str, Any]:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    return {"cpu": model or platform.processor(), "cores": os.cpu_count(), "load": os.getloadavg()}


def _print(name: str, found: dict[str, Any]) -> None:
    """Print one table."""
    print(f"\n{name}: {found['video_seconds']:.0f} s of video")
    print("| Row | video-s per CPU s | of raw decode | wall s | peak MiB |\n| --- | --- | --- | --- | --- |")
    for row, one in found["rows"].items():
        if "failed" in one:
            print(f"| {row} | failed: {one['failed']} | | | |")
        else:
            ratio = "-" if one["of_raw"] is None else f"{one['of_raw']:.2f}"
            print(f"| {row} | {one['speed']:.1f} | {ratio} | {one['seconds']:.1f} | {one['peak_mib']:.0f} |")
    for what, key in (("wall time", "seconds"), ("wall time without waiting for a core", "without_waiting")):
        one, two = ([turn.get(key) for turn in found["rows"].get(row, {}).get("rounds", ())] for row in SCALING)
        if one and two and all([*one, *two]):
            print(f"2 workers are {statistics.median(one) / statistics.median(two):.2f} times 1 in {what}")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", required=True, help="folder of real clips")
    parser.add_argument("--long-from", help="clip that the long files are made of; the largest .mp4 by default")
    parser.add_argument("--scratch", help="folder kept for the long files (1 GB); a temporary one by default")
    parser.add_argument("--peer-python", help="Python of an environment with the peers")
    parser.add_argument("--files", nargs="*", help="only these: real clips, or names such as 10min_720p_key50.mp4")
    parser.add_argument("--rows", nargs="*", help="only these rows")
    parser.add_argument("--rounds", type=int, default=1, help="turns of every row; medians are told")
    parser.add_argument(
        "--together", action="store_true", help="all rows at once: the same conditions on a busy machine"
    )
    parser.add_argument("--quick", action="store_true", help="one minute of 720p and six clips, our rows: < 3 minutes")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
