"""Temporal jigsaw on the embedded world: another pretext task on the very videos that MVP puzzles are cut from."""

from __future__ import annotations

import os
from dataclasses import replace

from reelgym.data.dataset import read_dataset
from reelgym.data.sample import Split
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later
from reelgym.recipes.mvp import SIZES
from reelgym.synthesis import synthesize
from reelgym.tasks.jigsaw import JigsawConfig
from reelgym.training.config import Data, RLRun, mvp_rubric

PUZZLE = JigsawConfig(fps=1.0, clips=4, clip_frames=2, trim=0.0, shortest=0.9, short_side=28, smooth="displacement")
"""Eight frames a second apart or more, as four clips of two: as many frames as an MVP puzzle shows. Ours."""


@recipe
def world_jigsaw(*, model: str = "tiny", seed: int = 0) -> RLRun:
    """Learn to put shuffled clips in order by GRPO: temporal jigsaw beside `mvp`, on the same videos.

    Reference: the task is Visual Jigsaw's (arXiv 2509.25190), paid by VideoSSR's displacement (arXiv 2511.06281); the
    size is ours.

    Args:
        model: What to start from; it is trained with the settings of `size=tiny`.
        seed: Of order, sampling and rendered videos.
    """
    return RLRun(
        policy=model,
        data=Later(_data, "train", 120, 6, seed),
        eval_data=Later(_data, "test", 32, 3, seed),
        rubric=mvp_rubric(),
        config=replace(SIZES["tiny"], seed=seed),
    )


def _data(split: Split, videos: int, per_video: int, seed: int) -> Data:
    folder = proving.world_folder(f"mvp-{seed}")
    ground = proving.prepare(folder, split=split, videos=videos, per_video=per_video, seed=seed)
    place = folder / split / "jigsaw"
    synthesize(
        [ground.videos],
        place,
        task="jigsaw",
        config=PUZZLE,
        fps=1.0,
        per_video=per_video,
        seed=seed,
        workers=os.cpu_count() or 1,
        split=split,
    )
    made = read_dataset(place)
    # Videos without an MVP puzzle teach nobody: arms are compared on the same ones.
    sources = {sample.source for sample in ground.dataset.samples}
    kept = [sample for sample in made.samples if sample.source in sources]
    return Data(kept, made.media(proving.store()), folders=(str(made.path.resolve()),))
