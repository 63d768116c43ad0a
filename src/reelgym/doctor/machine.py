"""What this machine can run: one check per line, each with what to do where it fails."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from reelgym.doctor.check import Check, guarded

GIB = 1024**3
TRAIN = ("torch", "transformers", "accelerate", "peft", "safetensors", "datasets")
OPTIONAL = ("ray", "vllm", "yaml", "psutil", "playwright")


def checks(store: Path) -> Iterator[Check]:
    """Yield every check; the work of one is done when it is asked for.

    Args:
        store: Folder of the frame store, whose disk is looked at.
    """
    yield Check("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")
    yield Check("cores", None, str(_cores()))
    yield _memory()
    yield from (_disk(name, folder) for name, folder in (("store disk", store), ("work disk", Path.cwd())))
    yield guarded("video", _video)
    yield from (_package(name) for name in TRAIN)
    yield guarded("torch device", _device)
    for name in OPTIONAL:
        there = importlib.util.find_spec(name) is not None
        yield Check(f"optional {name}", None, "installed" if there else "not installed")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> Check:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    except (ValueError, OSError, AttributeError):
        return Check("memory", None, "unknown on this system")
    return Check("memory", total >= 3, f"{total:.1f} GiB" + ("" if total >= 3 else "; the demo wants 3 GiB"))


def _disk(name: str, folder: Path) -> Check:
    there = next(p for p in (folder, *folder.resolve().parents) if p.exists())
    free = shutil.disk_usage(there).free / GIB
    advice = "" if free >= 1 else "; make room: 1 GiB at least"
    return Check(name, free >= 1, f"{free:.1f} GiB free at {there}{advice}")


def _video() -> Check:
    """Encode two dozen frames, read them again through the store, and name codec and size."""
    import numpy as np

    from reelgym.video import FrameSpec, Store, probe, read, write_mp4

    frames = [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(24)]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "probe.mp4"))
        encoder = write_mp4(path, iter(frames), 8)
        video = probe(path)
        spec = FrameSpec(fps=4.0)
        seen = Store(Path(folder, "store")).frames(video.identity, path, spec)
        good = len(seen) == len(read(path, spec)) == 12
    return Check("video", good, f"encoded and read back as {video.codec} by {encoder}, PyAV {metadata.version('av')}")


def _package(name: str) -> Check:
    try:
        return Check(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        advice = "synth, inspect and list work without; for the rest pip install 'reelgym[train]'"
        return Check(name, None, f"not installed: {advice}")


def _device() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("torch device", None, "torch is not installed")
    import torch

    if not torch.cuda.is_available():
        return Check("torch device", True, f"CPU, {torch.get_num_threads()} threads; no CUDA GPU seen")
    there = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
    found = f"{torch.cuda.device_count()} x {there.name}, {free / GIB:.0f} of {total / GIB:.0f} GiB free, {bf16}"
    return Check("torch device", True, f"{found}, CUDA {torch.version.cuda}")
