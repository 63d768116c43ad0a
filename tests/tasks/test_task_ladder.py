"""The levels of masked video prediction, and which of its two rewards is the value."""

from __future__ import annotations

from itertools import pairwise
from math import perm

import numpy as np
import pytest
from task_contract import VIDEO, moving_frames

from reelgym import tasks
from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.tasks.ladder import LEVELS, expand
from reelgym.tasks.mvp import MVPConfig


def made(settings: dict[str, object]) -> list[Sample]:
    task = tasks.configure("mvp", {"short_side": 28, **settings})
    return list(task.generate(VIDEO, moving_frames(task, 90, fps=1.0), seed=0, split="train", count=3))


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_every_level_gives_puzzles_of_its_numbers(level: int) -> None:
    config = MVPConfig(**LEVELS[level])
    for sample in made({"level": str(level)}):
        clips = [part for part in sample.messages[0].parts if isinstance(part, Clip)]
        assert len(sample.answer) == config.hidden
        assert sample.evidence["pool"] == config.hidden + config.distractors
        assert sum(len(clip.times) for clip in clips) == config.frames - config.hidden


def test_each_level_is_harder_than_the_one_before_in_every_number() -> None:
    configs = [MVPConfig(**LEVELS[level]) for level in sorted(LEVELS)]
    for easy, hard in pairwise(configs):
        assert perm(hard.hidden + hard.distractors, hard.hidden) > perm(easy.hidden + easy.distractors, easy.hidden)
        assert hard.hidden >= easy.hidden and hard.distractors > easy.distractors
        assert hard.margin >= easy.margin and hard.window > easy.window
        # None is the strictest threshold that a video allows: its frames are the least alike.
        assert (hard.kappa or 0) >= (easy.kappa or 0) and hard.gap == (hard.kappa and pytest.approx(1 - hard.kappa))
        assert (hard.decoys, easy.decoys) != ("scattered", "run")
    chances = [tasks.get("mvp").chance(made({"level": level})[0])["exact"] for level in sorted(LEVELS)]
    assert chances == sorted(chances, reverse=True) and len(set(chances)) == len(chances)


def test_a_number_beside_a_level_wins_and_no_other_level_exists() -> None:
    assert tasks.configure("mvp", {"level": 4, "margin": 0}).config.margin == 0
    assert expand({"hidden": 2}) == {"hidden": 2}
    for level in (0, 6, "hard", True, 2.5):
        with pytest.raises(RequestError, match=r"levels of mvp are 1 .* to 5"):
            tasks.configure("mvp", {"level": level})
    with pytest.raises(RequestError, match="level"):
        tasks.configure("jigsaw", {"level": 1})


def test_a_manifest_records_the_numbers_and_not_the_level() -> None:
    from reelgym.synthesis.settings import resolve

    config = resolve("mvp", {"level": 2})["tasks"]["mvp"]["config"]
    assert config["hidden"] == config["distractors"] == 2 and "level" not in config


def test_the_reward_decides_whether_a_nearly_right_answer_earns_anything() -> None:
    scorer = tasks.get("mvp")
    (strict, *_), (smooth, *_) = made({"reward": "strict"}), made({})
    reply = ", ".join(map(str, np.roll(strict.answer, 1)))
    assert strict.answer == smooth.answer
    assert scorer.score(reply, strict).value == 0 < scorer.score(reply, smooth).value
    assert scorer.score(reply, strict).parts == scorer.score(reply, smooth).parts
    assert scorer.chance(strict)["value"] == scorer.chance(strict)["exact"] < scorer.chance(smooth)["value"]
    assert scorer.score(scorer.gold(strict), strict).value == 1
    with pytest.raises(RequestError, match="reward='x'"):
        MVPConfig(reward="x")  # type: ignore[arg-type]
