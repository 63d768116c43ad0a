"""Temporal jigsaw on the embedded world: another pretext task on the very videos that MVP puzzles are cut from."""

from __future__ import annotations

from reelgym.data.sample import Split
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import held
from reelgym.recipes.mvp import beside
from reelgym.tasks.jigsaw import JigsawConfig
from reelgym.training.config import Data, RLRun

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
    return beside(_data, model, seed)


def _data(split: Split, videos: int, per_video: int, seed: int) -> Data:
    ground = proving.ground(split, videos, per_video, seed)
    found = proving.cut(ground.videos, "jigsaw", PUZZLE, task="jigsaw", split=split, per_video=per_video, seed=seed)
    # Videos without an MVP puzzle teach nobody: arms are compared on the same ones.
    sources = {sample.source for sample in ground.dataset.samples}
    return held(found, [sample for sample in found.samples if sample.source in sources])
