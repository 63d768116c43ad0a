"""Make the packaged weights of an embedded model: look (the tower), read (the text), see (both), then all at once.

    python scripts/make_tiny.py tiny
    python scripts/make_tiny.py tiny-qwen3

The folder that `models.load` opens is written to OUT/NAME; `--install` puts it into the package.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reelgym.curation.states import SQUARES, frame_states
from reelgym.models import load
from reelgym.models.tiny import ASSETS, NAMES, build
from reelgym.recipes import proving
from reelgym.recipes.cold_start import cold_start, ground, read
from reelgym.recipes.process import process_cold_start
from reelgym.training import sft
from reelgym.training.config import SFTRun
from reelgym.training.look import Seen, pretrain_tower

STAGES: tuple[tuple[str, Callable[..., SFTRun], dict[str, Any]], ...] = (
    ("see", cold_start, {"steps": 1000, "drills": 16_000}),
    ("mix", process_cold_start, {"steps": 300}),
    ("reason", process_cold_start, {"steps": 1000, "sight": False, "lr": 1e-3}),
    ("model", process_cold_start, {"steps": 250}),
)
"""After `look` and `read`: frames to squares, then squares to numbers from text alone, then everything at once. The
first mix came before we knew that reasoning wanted the most steps; it is kept because the packaged weights had it."""


def told(name: str) -> Callable[[int, int], None]:
    """Return what writes a line now and then."""
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        if done == total or done % max(1, total // 20) == 0:
            sys.stderr.write(f"{name}: {done}/{total}, {time.monotonic() - began:.0f} s\n")

    return tell


def main() -> None:
    """Make one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(NAMES))
    parser.add_argument("--out", type=Path, default=proving.cache_folder() / "tiny")
    parser.add_argument("--look-steps", type=int, default=700)
    parser.add_argument("--install", action="store_true", help="replace the packaged weights")
    asked = parser.parse_args()
    out = asked.out / asked.name
    puzzles = ground()
    policy = build(NAMES[asked.name])
    seen = [Seen(s.messages, frame_states(s, puzzles.word(s))) for s in puzzles.dataset.samples[::4]]
    media = puzzles.dataset.media(proving.store())
    right = pretrain_tower(policy, seen, media, classes=SQUARES, steps=asked.look_steps, progress=told("look"))
    sys.stderr.write(f"the tower names {right:.1%} of the squares\n")
    policy.save(out / "looked")
    folder = sft.train(read(model=str(out / "looked")), out / "read", told("read"))
    for name, recipe, settings in STAGES:
        folder = sft.train(recipe(model=str(last(folder)), **settings), out / name, told(name))
    load(last(folder)).save(out / "packed")
    if asked.install:
        shutil.rmtree(ASSETS / asked.name, ignore_errors=True)
        shutil.copytree(out / "packed", ASSETS / asked.name)


def last(run: Path) -> Path:
    """Return the last checkpoint of a run."""
    return max((run / "checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))


if __name__ == "__main__":
    main()
