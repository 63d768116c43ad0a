"""The curriculum of masked video prediction: five levels of K, l, gap, margin and distractors, from easy to hard.

    level  N   K  l  margin  decoys     kappa  gap    orders to choose from
    1      8   2  1  0       scattered  found  1 - k  6
    2      10  2  2  0       scattered  found  1 - k  12
    3      14  3  3  0       scattered  found  1 - k  120
    4      16  4  4  1       run        0.97   0.03   1,680
    5      18  5  5  2       run        0.99   0.01   30,240

`synth --task mvp --set level=3` makes puzzles of one level; any single number set beside it wins. Up to level 3 frames
are as different as the video allows (the strictest kappa that leaves enough of them); levels 4 and 5 name a kappa, and
with it the gap (the least distance of a candidate from all else that is shown), so that candidates are more alike and
videos that change less than that are refused.

All numbers are ours: MVP (arXiv 2601.03781) published neither its own nor a curriculum. That difficulty must match the
model, and that groups all right or all wrong teach nothing, is from Jigsaw-R1 (arXiv 2505.23590) and SSL4RL (arXiv
2510.16416).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelgym.errors import RequestError

LEVELS: dict[int, dict[str, Any]] = {
    1: {"frames": 8, "hidden": 2, "distractors": 1, "margin": 0, "decoys": "scattered"},
    2: {"frames": 10, "hidden": 2, "distractors": 2, "margin": 0, "decoys": "scattered"},
    3: {"frames": 14, "hidden": 3, "distractors": 3, "margin": 0, "decoys": "scattered"},
    4: {"frames": 16, "hidden": 4, "distractors": 4, "margin": 1, "decoys": "run", "kappa": 0.97, "gap": 0.03},
    5: {"frames": 18, "hidden": 5, "distractors": 5, "margin": 2, "decoys": "run", "kappa": 0.99, "gap": 0.01},
}
"""Settings of `MVPConfig` by level."""


def expand(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of masked video prediction with `level` replaced by its numbers; numbers given stay.

    Raises:
        RequestError: No such level.

    >>> expand({"level": "1", "hidden": 3})["hidden"], expand({"level": 1})["distractors"]
    (3, 1)
    """
    given = dict(settings)
    if "level" not in given:
        return given
    level = given.pop("level")
    known = {str(number): values for number, values in LEVELS.items()}
    if str(level) not in known:
        raise RequestError(f"level={level!r}: the levels of mvp are 1 (easy) to {len(LEVELS)} (hard)")
    return known[str(level)] | given
