"""What `reelgym new` writes: for every kind a file that works and its test. NAME, Title and the like are replaced."""

from __future__ import annotations

REWARD = '''"""NAME: say here what it pays for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reelgym.data.trajectory import Group
from reelgym.rewards.base import Reward, Scores


@dataclass(frozen=True)
class Title(Reward):
    """1 if the last turn has at most `tokens` tokens, else 0.

    Why: say what it is for, with its paper. Limits: an empty reply is paid too; gate it on accuracy.

    Attributes:
        tokens: Most tokens of the last turn.
    """

    name: ClassVar[str] = "NAME"
    tokens: int = 64

    def score(self, group: Group) -> Scores:
        """Return (G, 1) of 0 and 1."""
        return np.array([[float(len(one.final.ids) <= self.tokens)] for one in group.trajectories])
'''

REWARD_TEST = '''"""NAME: the value by hand, an empty reply, a group of one."""

from __future__ import annotations

from reward_groups import group

from reelgym.rewards.NAME import Title


def test_a_reply_of_at_most_the_tokens_is_paid() -> None:
    assert Title(tokens=2).score(group(["a", "b", ""], tokens=[2, 3, 0])).tolist() == [[1.0], [0.0], [1.0]]


def test_a_group_of_one_has_its_value() -> None:
    assert Title(tokens=2).score(group(["a"], tokens=[3])).tolist() == [[0.0]]
'''

ALGORITHM = '''"""NAME: say here what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reelgym.algorithms.base import standardise
from reelgym.algorithms.clipped import Clipped


@dataclass(frozen=True, kw_only=True)
class Title(Clipped):
    """The advantage is the score minus the mean score of the other members; give the paper with its arXiv id."""

    name: ClassVar[str] = "NAME"

    def normalise(self, scores: Tensor) -> Tensor:
        """Return (G, S)."""
        members = (~scores.isnan()).sum(0)
        return standardise(scores, eps=None) * members / (members - 1).clamp(min=1)

    def aggregate(self, losses: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over tokens, and their number."""
        return losses.sum(), mask.sum().float()
'''

ALGORITHM_TEST = '''"""NAME: advantages by hand, the sign of the gradient, what is masked, a group without variance."""

from __future__ import annotations

import torch

from reelgym.algorithms.NAME import Title

ONE = torch.zeros(3, 1, dtype=torch.int64)


def test_advantages_by_hand() -> None:
    scores = torch.tensor([[1.0], [0.0], [0.0]])
    assert Title().advantages(scores, ONE, ONE == 0).flatten().tolist() == [1.0, -0.5, -0.5]


def test_a_group_without_variance_gives_nothing() -> None:
    assert not Title().advantages(torch.ones(3, 1), ONE, ONE == 0).any()


def test_what_was_paid_becomes_likelier_and_what_is_masked_never_matters() -> None:
    logprobs = torch.full((1, 2), -1.0, requires_grad=True)
    mask = torch.tensor([[True, False]])
    loss = Title().loss(logprobs, logprobs.detach(), None, torch.ones(1, 2), mask)
    loss.total.backward()
    assert logprobs.grad is not None
    assert logprobs.grad[0, 0] < 0 and logprobs.grad[0, 1] == 0
'''

BENCHMARK = '''"""NAME: say what it asks, and give its paper. Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Source

CONSTANT = Benchmark(
    name="DASHED",
    title="Title",
    about="Say in a line what it asks",
    paper="",
    access="open",
    licence="unknown",
    source=Source(hub="OWNER/DASHED", files=("*.json",)),
    columns=Columns(video=("{video}",), options="options", form="text"),
    metrics=(Metric(name="accuracy"),),
    questions=0,
    videos=0,
)
'''

BENCHMARK_TEST = '''"""DASHED: rows of its schema, one of them bad, and the score by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_case import left_out, made, means, rows, scored, video


def row(answer: str) -> dict[str, object]:
    return {"video": "a.mp4", "question": "Which is first?", "options": ["Opening.", "Closing."], "answer": answer}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows(tmp_path / "data" / "questions.json", [row("Opening."), row("Closing."), row("Neither.")])
    video(tmp_path / "videos" / "a.mp4", seed=1)
    return tmp_path


def test_rows_become_questions_and_a_bad_one_is_named(folder: Path) -> None:
    dataset = made("DASHED", folder)
    assert len(dataset.samples) == 2
    assert left_out(dataset) == [("questions.json row 3", "its answer 'Neither.' is none of its 2 options")]


def test_the_score_by_hand(folder: Path) -> None:
    dataset = made("DASHED", folder)
    # "A" is right for the first and wrong for the second: 1 of 2.
    assert means(scored(dataset, {one.id: "A" for one in dataset.samples})) == {"accuracy": 0.5}
'''

TASK = '''"""NAME: say what it shows and asks, why, how it is scored, its limits and its references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reelgym.data.messages import Clip, Text
from reelgym.data.sample import Sample
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Choice, Draft, Reel, exactly, lettered
from reelgym.tasks.timeline import ClipConfig

OPTIONS = ("the first half", "the second half")


@dataclass(frozen=True, kw_only=True)
class TitleConfig(ClipConfig):
    """The numbers of the construction."""

    reward: str = "strict"
    """What `Score.value` is: `strict` or `smooth`. Both are always in the parts."""
    frames: int = 8
    """Frames of the clip."""


class Title(Choice):
    """Say from which half of the video a clip was taken."""

    name: ClassVar[str] = "NAME"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = TitleConfig
    config: TitleConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return 2 * self.config.frames

    def wanted_frames(self) -> int:
        """Return three times as many as are needed."""
        return 3 * self.least

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random stretch of a random half."""
        second = int(rng.integers(2))
        half = len(reel) // 2
        start = second * (len(reel) - half) + int(rng.integers(half - self.config.frames + 1))
        times = reel.seconds(range(start, start + self.config.frames))
        clip = Clip(video=reel.identity, spec=reel.shown, times=times)
        return Draft(
            parts=(clip, Text(f"\\nFrom which part of the video is this?{lettered(OPTIONS)}")),
            answer=[second + 1],
            signature=(start,),
            evidence={"options": list(OPTIONS), "closeness": exactly(second, len(OPTIONS))},
            times=times,
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return the replies of shortcuts that need no model."""
        return {"always_first": "A"}
'''

TASK_TEST = '''"""NAME: gold scores 1 and the other option 0, one seed gives one set. Next: a `TaskContract`."""

from __future__ import annotations

from task_contract import VIDEO, moving_frames

from reelgym import tasks
from reelgym.data.sample import Sample


def made(seed: int = 0) -> list[Sample]:
    task = tasks.get("NAME")
    return list(task.generate(VIDEO, moving_frames(task, 60, fps=4.0), seed=seed, split="train", count=4))


def test_the_right_letter_scores_1_and_the_other_0() -> None:
    task = tasks.get("NAME")
    for sample in made():
        gold = task.gold(sample)
        assert task.score(gold, sample).value == 1
        assert task.score("B" if gold == "A" else "A", sample).value == 0
        assert task.chance(sample)["value"] == 0.5


def test_the_same_seed_gives_the_same_samples_and_another_one_others() -> None:
    assert made() == made()
    assert {one.id for one in made()} & {one.id for one in made(seed=1)} == set()
'''

RECIPE = '''"""NAME: say here what it learns, and from what."""

from __future__ import annotations

from dataclasses import replace

from reelgym.recipes import recipe
from reelgym.recipes.mvp import mvp
from reelgym.training.config import RLRun


@recipe
def NAME(*, model: str = "tiny", data: str = "", kl_coef: float = 0.01, seed: int = 0) -> RLRun:
    """Learn what `mvp` does, kept near where it began; give the paper with its arXiv id, and what is ours.

    Args:
        model: What to start from: `tiny`, a hub name, a folder, a run.
        data: Dataset folder made by `reelgym synth`; the embedded world where empty.
        kl_coef: Weight of the divergence from the first policy.
        seed: Of order, sampling and rendered videos.
    """
    run = mvp(model=model, data=data, seed=seed)
    return replace(run, config=replace(run.config, kl_coef=kl_coef))
'''

RECIPE_TEST = '''"""NAME: what it sets, by its name and its settings, and two steps of it on the tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reelgym.recipes import proving
from reelgym.recipes.NAME import NAME
from reelgym.recipes.resolve import resolve
from reelgym.synthesis import synthesize
from reelgym.training import rl
from reelgym.training.metrics import read


def test_it_is_found_by_its_name_and_takes_its_settings() -> None:
    assert resolve("NAME", []).run.config.kl_coef == 0.01
    assert resolve("NAME", ["kl_coef=0.5", "steps=3"]).run.config.kl_coef == 0.5


def test_two_steps_on_the_tiny_model(world_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "puzzles"
    synthesize([world_videos], data, config=proving.OWN, per_video=1, limit=2, split="train", workers=1)
    run = NAME(data=str(data))
    few = replace(run.config, steps=2, prompts_per_step=1, group_size=2, max_completion_tokens=4)
    rl.train(replace(run, eval_data=None, config=few), tmp_path / "run")
    rows = read(tmp_path / "run" / "metrics.jsonl")
    assert rows[-1]["step"] == 2 and "rewards/score" in rows[-1]
'''

TEMPLATES = {
    "task": ("tasks/NAME.py", TASK, "tasks/test_task_NAME.py", TASK_TEST),
    "reward": ("rewards/NAME.py", REWARD, "rewards/test_reward_NAME.py", REWARD_TEST),
    "algorithm": ("algorithms/NAME.py", ALGORITHM, "algorithms/test_algorithm_NAME.py", ALGORITHM_TEST),
    "benchmark": (
        "evaluation/benchmarks/NAME.py",
        BENCHMARK,
        "evaluation/benchmarks/test_benchmark_NAME.py",
        BENCHMARK_TEST,
    ),
    "recipe": ("recipes/NAME.py", RECIPE, "recipes/test_recipe_NAME.py", RECIPE_TEST),
}
"""By kind: the file below `src/reelgym`, its text, the file below `tests`, its text."""


def filled(text: str, name: str) -> str:
    """Return a template under a name.

    >>> filled("Title NAME CONSTANT DASHED", "leave_out")
    'LeaveOut leave_out LEAVE_OUT leave-out'
    """
    title = "".join(word.capitalize() for word in name.split("_"))
    names = {"Title": title, "NAME": name, "CONSTANT": name.upper(), "DASHED": name.replace("_", "-")}
    for word, with_name in names.items():
        text = text.replace(word, with_name)
    return text
