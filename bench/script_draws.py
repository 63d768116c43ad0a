"""Whether intervals of chance are honest: how many of many draws of `script:guesser` hold it, on the world's controls.

    python bench/script_draws.py --draws 1000

One draw of a guesser misses its 95% interval one time in twenty, whatever rule it guesses by; so the claim that a set
is at chance for who does not look is tested over draws 0 to N - 1, and none of them is chosen. It shows the mean score,
its spread beside that of independent guesses, and the share of intervals that hold chance.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from reelgym import world
from reelgym.data.dataset import Dataset
from reelgym.evaluation import benchmarks
from reelgym.evaluation.questions import build
from reelgym.evaluation.runner import evaluate
from reelgym.evaluation.scripted import Scripted
from reelgym.recipes import proving
from reelgym.video import Store

CONTROLS = ("world-order", "world-leaky")


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--script", default="guesser", help="one that never looks")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        for name in CONTROLS:
            print(f"{name}: {told(questions(name, Path(folder)), given.script, given.draws)}", flush=True)


def questions(name: str, out: Path) -> Dataset:
    """Return the questions of a control, its videos rendered where `reelgym eval` keeps them."""
    spec = benchmarks.get(name)
    videos, workers = proving.cache_folder() / "world" / f"benchmark-{spec.source.config}", os.cpu_count() or 1
    world.make(videos, count=spec.videos, split="test", kinds=[spec.source.config], workers=workers)
    return build(spec, videos, videos, out / name, workers=1)


def told(found: Dataset, script: str, draws: int) -> str:
    """Return what many draws of a script say."""
    media = found.media(Store(found.path / "frames"))
    scores, held, chance = [], 0, 0.0
    for draw in range(draws):
        one = evaluate(Scripted(f"{script}@{draw}"), found.samples, media, variant="direct")
        interval, chance = one.mean(), one.chance() or 0.0
        scores.append(interval.mean)
        held += interval.low <= chance <= interval.high
    apart = math.sqrt(chance * (1 - chance) / len(found.samples))
    return (
        f"{len(found.samples)} questions, chance {chance:.1%}; {draws} draws of {script}: mean {np.mean(scores):.1%}, "
        f"spread {np.std(scores):.2%} (independent guesses {apart:.2%}), lowest {min(scores):.1%}, highest "
        f"{max(scores):.1%}, {held / draws:.1%} of the 95% intervals hold chance"
    )


if __name__ == "__main__":
    main()
