"""Time a whole GRPO step (sample, score, update) against TRL's GRPOTrainer on the same weights, prompts and threads.

Every arm of every pair is a process of its own: ours, then the peer's under --peer-python, by turns. A ratio is the
peer's over ours within a pair; the medians over pairs are shown with least and greatest. Memory is the peak resident
size less what was resident after imports, weights and a forward pass of one token. The model is a bench-sized
Qwen2.5-VL with random weights in float32, its tower frozen; prompts are masked video prediction with frames as images.
Time inside the peer's processor (ours: encoding) is shown apart, and ratios are given without it and with it.

    python bench/group_step.py --peer-python /path/to/venv/bin/python --quick
    python bench/group_step.py --peer-python ... --prompt 4096 --group 16 --json out.json

The peer's environment: pip install trl==1.16.0 torch==2.13.0 transformers==5.23.0. Without --peer-python a stand-in
takes its place: our own code with one row per completion and the prompt in each. It is named in what is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from step_flops import Counter
from step_job import FRAMES, SIDE, frame_tokens
from step_ours import encode

from reelgym.models import tiny
from reelgym.models.base import Policy

HERE = Path(__file__).parent
SIZE = tiny.Size(
    width=128,
    layers=4,
    heads=4,
    key_value_heads=1,
    mlp=688,
    vision_width=64,
    vision_layers=5,
    vision_heads=4,
    vision_mlp=171,
    initializer_range=0.02,
)
"""Qwen2.5-VL-3B's proportions at a sixteenth of its width: 8 query heads to one of keys become 4, the MLP is 5.4 widths
wide, the tower's 2.7."""

PHASES = ("sample", "score", "update")


def make_model(folder: Path) -> Policy:
    """Write the bench's model to a folder and return it."""
    policy = tiny.build("qwen2_5_vl", size=SIZE)
    large = 1 << 30
    policy.sizing = replace(policy.sizing, image_min_pixels=SIDE * SIDE, image_max_pixels=large)
    policy.save(folder)
    return policy


def make_job(policy: Policy, options: argparse.Namespace, prompt: int, group: int) -> dict[str, Any]:
    """Return a job whose prompt has exactly `prompt` tokens."""
    eos = sorted(policy.eos_ids)
    job: dict[str, Any] = {
        "prompt": prompt,
        "completion": options.completion,
        "group": group,
        "steps": options.steps,
        "warm": 1,
        "threads": options.threads,
        "checkpointing": options.checkpointing,
        "barred": sorted({*policy.forbidden_ids.tolist(), *eos}),
        "filler": "",
    }
    missing = prompt
    for _ in range(40):
        job["ids"] = encode(policy, job, 0).ids.tolist()
        missing = prompt - len(job["ids"])
        if not missing:
            return job
        if missing < 0:
            job["filler"] = job["filler"][:missing]
        else:
            job["filler"] += "".join(str(place * place % 7) for place in range(missing))
    raise SystemExit(f"no prompt of {prompt} tokens found: {missing} missing; try another length")


def run_arm(job: dict[str, Any], command: list[str], folder: Path) -> dict[str, Any]:
    """Run one arm in a fresh process and return what it wrote."""
    path, out = folder / "job.json", folder / "out.json"
    out.unlink(missing_ok=True)
    path.write_text(json.dumps(job | {"model": str(folder / "model"), "out": str(out)}), encoding="utf-8")
    threads = {"OMP_NUM_THREADS": str(job["threads"]), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*command, str(path)], env={**os.environ, **threads}, capture_output=True, text=True)
    if done.returncode or not out.exists():
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def phases(found: dict[str, Any]) -> dict[str, float]:
    """Return the median seconds of an arm's steps by phase, `total` without the processor and `whole` with it."""
    steps = [{**step, "total": sum(step[name] for name in PHASES)} for step in found["steps"]]
    for step in steps:
        step["whole"] = step["total"] + step["processor"]
    return {name: statistics.median(step[name] for step in steps) for name in (*PHASES, "processor", "total", "whole")}


def summary(values: list[float]) -> dict[str, float]:
    """Return median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(policy: Policy, options: argparse.Namespace, shape: tuple[int, int], folder: Path) -> dict[str, Any]:
    """Return one row of the table."""
    job = make_job(policy, options, *shape)
    ours = [sys.executable, str(HERE / "step_ours.py")]
    peer = [options.peer_python, str(HERE / "step_trl.py")] if options.peer_python else [*ours, "--padded"]
    pairs = [(run_arm(job, ours, folder), run_arm(job, peer, folder)) for _ in range(options.pairs)]
    seconds = [[phases(arm) for arm in pair] for pair in pairs]
    wanted = {"sample": "sample", "update": "update", "total": "total", "total_with_processor": "whole"}
    ratios = {name: summary([theirs[key] / own[key] for own, theirs in seconds]) for name, key in wanted.items()}
    peaks = [[arm["peak_bytes"] for arm in pair] for pair in pairs]
    ratios["peak_memory"] = summary([own / theirs for own, theirs in peaks])
    rows, columns = frame_tokens(job["prompt"])
    names = ("ours", "peer")
    return {
        "shape": {name: job[name] for name in ("prompt", "completion", "group", "checkpointing")}
        | {"frames": FRAMES, "frame_tokens": rows * columns},
        "peer": pairs[0][1]["peer"],
        "versions": pairs[0][1]["versions"],
        "machine": {"processor": processor(), "threads": options.threads, "load": os.getloadavg()[1]},
        "pairs": options.pairs,
        "ratios": ratios,
        "bounds": Counter(policy, job).bounds(),
        "seconds": {
            name: {key: summary([pair[place][key] for pair in seconds]) for key in seconds[0][0]}
            for place, name in enumerate(names)
        },
        "peak_bytes": {name: summary([pair[place] for pair in peaks]) for place, name in enumerate(names)},
    }


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def show(row: dict[str, Any]) -> str:
    """Return a row as text."""
    shape, ratios, bounds = row["shape"], row["ratios"], row["bounds"]

    def cell(name: str) -> str:
        found = ratios[name]
        bound = f" of {bounds[name]:.1f}" if name in bounds else ""
        return f"{name} {found['median']:.2f} ({found['min']:.2f} to {found['max']:.2f}){bound}"

    own, theirs = (row["seconds"][name] for name in ("ours", "peer"))
    lines = [
        f"{shape['prompt']} + {shape['completion']} tokens, G = {shape['group']}, against {row['peer']}",
        "  times faster, of at most: " + ", ".join(map(cell, ("sample", "update", "total", "total_with_processor"))),
        f"  {cell('peak_memory')}: {row['peak_bytes']['ours']['median'] / 2**20:.0f} of "
        f"{row['peak_bytes']['peer']['median'] / 2**20:.0f} MiB; tower over text {bounds['tower_over_text']:.2f}",
    ]
    for name, found in (("ours", own), ("peer", theirs)):
        lines.append(f"  {name}: " + ", ".join(f"{key} {value['median']:.2f} s" for key, value in found.items()))
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, print one row after the other, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter of an environment with trl==1.16.0")
    parser.add_argument("--prompt", type=int, nargs="+", default=[2048], help="prompt tokens; several make a table")
    parser.add_argument("--group", type=int, nargs="+", default=[8], help="completions per prompt; several too")
    parser.add_argument("--completion", type=int, default=128)
    parser.add_argument("--steps", type=int, default=2, help="measured steps per process, after one that warms up")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing on both sides")
    parser.add_argument("--quick", action="store_true", help="one honest row: 2048 + 128, G = 8, one pair")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.steps, options.prompt, options.group = 1, 1, [2048], [8]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        policy = make_model(Path(folder) / "model")
        for shape in product(options.prompt, options.group):
            rows.append(measure(policy, options, shape, Path(folder)))
            print(show(rows[-1]), flush=True)
            if options.json:
                whole = {"ratios": rows[0]["ratios"], "rows": rows}
                options.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
