"""One row of `synth_throughput.py`: reads files in one way, with one decoder thread, in a process of its own.

    python bench/readers.py ROW OPTIONS_JSON FILE...

Prints one line of JSON: seconds (wall), cpu_seconds (of this process and its children; both without imports), frames
(or samples), peak_bytes, and which of torch and transformers were loaded. Peers are imported here alone, so this file
also runs in an environment without reelgym.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import types
from collections.abc import Callable
from typing import Any

SIDE = 224
"""Shorter side in pixels of the frames that are kept."""

Row = Callable[[list[str], dict[str, Any]], int]


def raw(paths: list[str], options: dict[str, Any]) -> int:
    """Decode every frame with libavcodec and keep none."""
    import av

    count = 0
    for path in paths:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for _ in container.decode(stream):
                count += 1
    return count


def exact(paths: list[str], options: dict[str, Any]) -> int:
    """Read 1 frame per second exactly, as `synth` does: a pass over the packets, then the planned frames."""
    from reelgym.video import FrameSpec, read

    spec = FrameSpec(fps=1.0, short_side=SIDE)
    return sum(len(read(path, spec)) for path in paths)


def snapped(paths: list[str], options: dict[str, Any]) -> int:
    """Read 1 frame per second snapped to key frames: not exact, for comparison."""
    from reelgym.video import FrameSpec, read

    spec = FrameSpec(fps=1.0, short_side=SIDE, snapped=True)
    return sum(len(read(path, spec)) for path in paths)


def synth(paths: list[str], options: dict[str, Any]) -> int:
    """Identify and cut each file as a worker of `synth --task mvp --fps 1` does; with `store`, through a store."""
    from reelgym.synthesis.worker import perform

    return sum(_samples(perform(job)) for job in jobs_of(paths, options))


def pool(paths: list[str], options: dict[str, Any]) -> int:
    """Cut the files, each twice and the largest first, as `synth` does, in `workers` processes.

    They are started, and the files identified, before the clock.
    """
    return sum(_samples(result) for _, result in options["pool"].run(options["jobs"]))


def _samples(result: dict[str, Any]) -> int:
    if "quarantine" in result:
        print(result["quarantine"], file=sys.stderr)
    return len(result.get("samples", ()))


def jobs_of(paths: list[str], options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the jobs that cut these files; the files are identified on the way."""
    from reelgym.synthesis.listing import list_inputs
    from reelgym.synthesis.run import cut_job
    from reelgym.synthesis.settings import resolve
    from reelgym.video import identify

    settings = resolve("mvp", None, 1.0)
    entries = list_inputs(paths, 0).entries
    store = None if options.get("store") is None else [options["store"], None]
    return [cut_job(settings, one, identify(one.path)) | {"store": store} for one in entries]


def ffmpeg(paths: list[str], options: dict[str, Any]) -> int:
    """Pipe the output of `ffmpeg -vf fps=1,scale` into this process."""
    import imageio_ffmpeg

    count = 0
    for path in paths:
        height, width = _fitted(path)
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            "-threads",
            "1",
            "-i",
            path,
            "-an",
            "-filter_threads",
            "1",
        ]
        command += ["-vf", f"fps=1,scale={width}:{height}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while len(process.stdout.read(3 * height * width)) == 3 * height * width:
                count += 1
        if process.returncode:
            raise RuntimeError(f"ffmpeg ended with {process.returncode}")
    return count


def opencv(paths: list[str], options: dict[str, Any]) -> int:
    """Grab every frame, retrieve and resize one per second by index."""
    import cv2

    cv2.setNumThreads(1)
    count = 0
    for path in paths:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        rate, number, due = capture.get(cv2.CAP_PROP_FPS) or 25.0, 0, 0.0
        while capture.grab():
            if number >= due:
                picture = capture.retrieve()[1]
                height, width = _scaled(*picture.shape[:2])
                cv2.cvtColor(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
                count, due = count + 1, due + rate
            number += 1
        capture.release()
    return count


def decord(paths: list[str], options: dict[str, Any]) -> int:
    """Ask decord for one frame per second by index, scaled by decord."""
    import decord as reader

    count = 0
    for path in paths:
        height, width = _fitted(path)
        video = reader.VideoReader(path, width=width, height=height, num_threads=1)
        step = max(1.0, video.get_avg_fps())
        wanted = [round(k * step) for k in range(len(video)) if round(k * step) < len(video)]
        for first in range(0, len(wanted), 32):
            count += len(video.get_batch(wanted[first : first + 32]).asnumpy())
    return count


def qwen_decord(paths: list[str], options: dict[str, Any]) -> int:
    """Run `qwen_vl_utils.fetch_video` at 1 FPS with its decord reader, held to one thread."""
    import decord as reader

    plain = reader.VideoReader
    reader.VideoReader = lambda path, **others: plain(path, **{**others, "num_threads": 1})
    return _qwen(paths, "decord")


def _qwen(paths: list[str], backend: str) -> int:
    os.environ["FORCE_QWENVL_VIDEO_READER"] = backend
    _stub_torchvision()
    import torch
    from qwen_vl_utils import vision_process

    # Where its reader fails it would go on with torchvision's, and time that.
    vision_process.VIDEO_READER_BACKENDS["torchvision"] = _no_torchvision
    torch.set_num_threads(1)
    count = 0
    for path in paths:
        height, width = (round(side / 28) * 28 for side in _fitted(path))
        wanted = {"video": path, "fps": 1.0, "min_frames": 2, "max_frames": 100_000}
        found = vision_process.fetch_video(wanted | {"resized_height": height, "resized_width": width})
        count += len(found)
    return count


def _no_torchvision(*_: object) -> None:
    raise RuntimeError("its reader failed")


def _stub_torchvision() -> None:
    """Put a module in the place of torchvision where that does not load: its resize is torch's own interpolation."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, AttributeError):
        import torch

        def resize(video: Any, size: Any, interpolation: Any = None, antialias: bool = True) -> Any:
            big = torch.nn.functional.interpolate(video.float(), list(size), mode="bicubic", antialias=antialias)
            return big.clamp(0, 255).round().to(video.dtype)

        functional = types.SimpleNamespace(resize=resize)
        modes = types.SimpleNamespace(BICUBIC="bicubic")
        transforms: Any = types.ModuleType("torchvision.transforms")
        transforms.functional, transforms.InterpolationMode = functional, modes
        package: Any = types.ModuleType("torchvision")
        package.__version__, package.io, package.transforms = "0.0", types.SimpleNamespace(), transforms
        sys.modules |= {"torchvision": package, "torchvision.transforms": transforms}


def _fitted(path: str) -> tuple[int, int]:
    """Return (height, width) of a file's pictures with the shorter side at SIDE, even."""
    import av

    with av.open(path) as container:
        context = container.streams.video[0].codec_context
        return _scaled(context.height, context.width)


def _scaled(height: int, width: int) -> tuple[int, int]:
    return (round(height * SIDE / min(height, width) / 2) * 2, round(width * SIDE / min(height, width) / 2) * 2)


ROWS: dict[str, Row] = {
    "raw decode": raw,
    "exact, 1 FPS": exact,
    "key frames, 1 FPS": snapped,
    "synth": synth,
    "synth, from the store": synth,
    "synth, 1 worker": pool,
    "synth, 2 workers": pool,
    "ffmpeg fps=1": ffmpeg,
    "OpenCV grab": opencv,
    "decord": decord,
    "qwen-vl-utils, decord": qwen_decord,
}
WARMED_BY_A_FILE = ("qwen", "decord", "OpenCV", "exact", "key frames", "synth", "raw")
"""Rows whose imports must not count: they read a small file first."""


def main() -> None:
    """Run one row and print what it took."""
    row, options, paths = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
    if row.startswith(WARMED_BY_A_FILE) and "workers" not in options:
        ROWS[row]([options["small"]], {**options, "store": None})
    if "workers" in options:
        from reelgym.synthesis.pool import Pool

        options["pool"] = Pool(options["workers"], seconds=3600)
        list(options["pool"].run(jobs_of([options["small"]], options) * options["workers"]))
        options["jobs"] = jobs_of(paths, options) * 2
        options["jobs"].sort(key=lambda job: -job["stamp"][0])
    used, before, own = _cpu(), _children(), _waited("self")[1]
    begun = time.perf_counter()
    frames = ROWS[row](paths, options)
    seconds = time.perf_counter() - begun
    own = _waited("self")[1] - own
    spent = [
        [now - then for now, then in zip(one, before[pid], strict=True)]
        for pid, one in _children().items()
        if pid in before
    ]
    if "pool" in options:
        options["pool"].__exit__(None, None, None)  # Only a process that has ended is counted.
    heavy = sorted({"torch", "transformers"} & set(sys.modules))
    found = {"seconds": seconds, "cpu_seconds": _cpu() - used, "frames": frames, "peak_bytes": _peak(), "heavy": heavy}
    if spent:
        # On cores of their own: the busiest worker, and the time in which nobody had or wanted a core.
        idle = max(0.0, seconds - max(map(sum, spent)) - own)
        found["without_waiting"] = max(on for on, _ in spent) + idle
        found["spent"] = spent
    print(json.dumps(found))


def _children() -> dict[str, tuple[float, float]]:
    """Return {child process: what `_waited` says of it}; none where the system does not tell them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return {pid: _waited(pid) for pid in file.read().split()}
    except OSError:
        return {}


def _waited(pid: str) -> tuple[float, float]:
    """Return for how many seconds a process was on a core, and ready but waiting for one; 0 where nobody counts."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            on, waiting = file.read().split()[:2]
    except OSError:
        return 0.0, 0.0
    return int(on) / 1e9, int(waiting) / 1e9


def _cpu() -> float:
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _peak() -> int:
    """Return the largest resident memory of this process or of a child, in bytes."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    try:  # ru_maxrss of a process begins at that of the one which started it.
        with open("/proc/self/status", encoding="ascii") as file:
            own = int(file.read().partition("VmHWM:")[2].split()[0]) * 1024
    except OSError:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, children)


if __name__ == "__main__":
    main()
