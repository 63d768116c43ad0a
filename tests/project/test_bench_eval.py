"""The benchmark of evaluations: its arms write the same tokens, and it says where they would not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelgym import models


def test_the_stand_in_and_ours_write_the_same_and_a_difference_is_no_tie(
    repository: Path, world_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository / "bench"))
    import eval_throughput as bench

    dataset, samples = bench.questions(world_videos, tmp_path / "set", 2, 9)
    assert len(samples) == len({sample.messages for sample in samples}) == 18
    theirs = bench.one_by_one(bench.stock(models.load("tiny")), dataset, samples, 4)
    ours: Any = bench.together(models.load("tiny"), dataset, samples, 4, tmp_path / "kept")
    assert sum(bench.compared(theirs, ours)) == 18
    assert all(theirs.phases[phase] > 0 for phase in ("decode", "encode", "generate"))

    name = samples[0].id
    ours.replies[name] = [*ours.replies[name][:-1], -1]
    theirs.margins[name][-1] = 1e-5
    assert bench.compared(theirs, ours) == (17, 1)
    theirs.margins[name][-1] = 1.0
    with pytest.raises(SystemExit, match="the arms do not compute the same"):
        bench.compared(theirs, ours)
