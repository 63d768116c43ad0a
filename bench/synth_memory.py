"""Memory of `synth` over a long list of files: what the run itself and its worker hold after every tenth of the list.

A list of --hours is simulated: one minute of rendered video at 4 frames per second and 64 pixels (what a file holds is
let go before the next, so its size does not matter here), written once a minute of the list under a name of its own
and with a number in a box at the end, so that every file is a content of its own.

    python bench/synth_memory.py --hours 10
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from reelgym.synthesis import synthesize
from reelgym.synthesis.progress import Tally
from reelgym.video import write_mp4


def resident_mib() -> float:
    """Return the resident memory of this process now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    """Write the list, run `synthesize` over it with one worker, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=10.0, help="length of the list")
    count = round(parser.parse_args().hours * 60)
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        scenes = rng.integers(0, 256, (60, 4, 4, 3), np.uint8).repeat(16, 1).repeat(16, 2)
        write_mp4(f"{folder}/piece.mp4", (scenes[frame // 4] for frame in range(240)), 4)
        piece = Path(folder, "piece.mp4").read_bytes()
        videos = Path(folder, "videos")
        videos.mkdir()
        for number in range(count):
            box = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
            (videos / f"{number:05d}.mp4").write_bytes(piece + box)
        print("| Files cut | run, MiB | worker, peak so far, MiB |\n| --- | --- | --- |")
        told: set[int] = set()

        def tell(tally: Tally) -> None:
            tenth = 10 * tally.cut // count
            if tally.cut and tenth not in told:
                told.add(tenth)
                worker = tally.peak_bytes / 2**20
                print(f"| {tally.cut} | {resident_mib():.0f} | {worker:.0f} |", flush=True)

        synthesize([videos], Path(folder, "dataset"), task="mvp", fps=1.0, workers=1, report=tell)


if __name__ == "__main__":
    main()
