"""Alarms of health on real short runs: each on one that was made to deserve it, none on healthy ones of three seeds.

The runs learn to say A of dark pictures and B of bright ones: the smallest model, after a cold start that taught it the
form of a reply, and to be right two times in three.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import SMALL, SPEC

from reelgym import models
from reelgym.data.messages import GREY, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.models import tiny
from reelgym.models.base import Policy
from reelgym.recipes import demo
from reelgym.rewards import Accuracy, Rubric
from reelgym.training import Data, Example, RLConfig, RLRun, SFTConfig, SFTRun, rl, sft
from reelgym.training.health import RULES, Health, history
from reelgym.training.held_out import blinded
from reelgym.training.metrics import read
from reelgym.training.watch import ALARMS

SEEDS = (0, 1, 2)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


def light(part: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Noise around a bright or a dark tone; what is blind is grey between them."""
    if part.video == GREY:
        return np.full((1, 28, 28, 3), 128, np.uint8)
    low = 200 * (int(part.video) % 2)
    return np.random.default_rng(int(part.video)).integers(low, low + 56, (1, 28, 28, 3)).astype(np.uint8)


def questions(answers: str, *, start: int, options: int = 2) -> list[Sample]:
    """Sixteen pictures, dark and bright by turns, whose right answers repeat the letters given."""
    return [
        Sample(
            id=f"s{number}",
            task="labelled",
            messages=(Message("user", (Image(video=str(number), spec=SPEC, time=0.0), Text("q"))),),
            answer=answers[number % len(answers)],
            split="train" if start == 0 else "test",
            evidence={"kind": "choice", "options": list("abc"[:options])},
            provenance={"source": str(number)},
        )
        for number in range(start, start + 16)
    ]


def load(name: str, *, device: Any = None, dtype: Any = None) -> Policy:
    if name.startswith("small-"):
        return tiny.build("qwen2_5_vl", seed=int(name[6:]), size=SMALL)
    return models.load(name, device=device, dtype=dtype)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By seed, a model that is right two times in three, and says A where it sees nothing."""
    replies = {"A": "AAB", "B": "BBA"}
    examples = [Example(one.messages, letter) for one in questions("AB", start=0) for letter in replies[one.answer]]
    examples += [Example(blind.messages, "A") for one in questions("A", start=0) if (blind := blinded(one))]
    config = SFTConfig(steps=40, save_every=40, examples_per_step=64, lr=5e-3, train_tower=True)
    root = tmp_path_factory.mktemp("form")
    return {
        seed: sft.train(
            SFTRun(policy=f"small-{seed}", data=Data(examples, light), config=replace(config, seed=seed)),
            root / str(seed),
            load=load,
        )
        for seed in SEEDS
    }


def healthy(start: Path, seed: int = 0, **settings: Any) -> RLRun:
    plain: dict[str, Any] = {
        **{"steps": 16, "save_every": 16, "prompts_per_step": 8, "group_size": 8, "lr": 1e-3, "train_tower": True},
        **{"max_completion_tokens": 4, "eval_tokens": 4, "eval_every": 0, "health_every": 4, "health_samples": 16},
    }
    return RLRun(
        policy=str(start),
        data=Data(questions("AB", start=0), light),
        variant="direct",
        rubric=Rubric(expression=Accuracy()),
        config=RLConfig(**(plain | settings), seed=seed),
        eval_data=Data(questions("AB", start=100), light),
    )


def ill(name: str, start: Path) -> RLRun:
    """Return a run that deserves an alarm by what it is paid for, or by how it is set."""
    well = healthy(start)
    if name == "blind rises with seen":  # All answers are B: no look is needed.
        always = (questions("B", start=0), questions("B", start=100))
        return replace(well, data=Data(always[0], light), eval_data=Data(always[1], light))
    if name == "entropy collapses":  # The same, fast, and of nothing but the letter.
        return replace(
            ill("blind rises with seen", start), config=replace(well.config, lr=1e-2, max_completion_tokens=1, steps=24)
        )
    if name == "over half of the groups without signal":  # An answer that the model never gives.
        return replace(well, data=Data(questions("C", start=0, options=3), light))
    if name == "over a fifth cut off":  # A letter and the end of a turn are two tokens.
        return replace(well, config=replace(well.config, max_completion_tokens=1, steps=4, save_every=4))
    assert name == "reward rises while held-out falls"  # B is paid in training alone.
    slow = replace(well.config, lr=2e-4, health_every=1)
    return replace(well, data=Data(questions("B", start=0), light), config=slow)


def watched(run: RLRun, out: Path) -> tuple[list[Health], list[str]]:
    """Return the rows of health of a run, and the names of the alarms that it stored."""
    rl.train(run, out, load=load)
    stored = json.loads((out / ALARMS).read_text()) if (out / ALARMS).exists() else []
    return history(read(out / "metrics.jsonl")), [one["name"] for one in stored]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_an_alarm_fires_on_a_run_made_to_deserve_it(rule: Any, taught: dict[int, Path], tmp_path: Path) -> None:
    assert rule.name in watched(ill(rule.name, taught[0]), tmp_path)[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_alarm_fires_on_a_run_that_learns_to_look(seed: int, taught: dict[int, Path], tmp_path: Path) -> None:
    rows, raised = watched(healthy(taught[seed], seed), tmp_path)
    first, last = rows[0], rows[-1]
    assert first.score is not None and last.score is not None and last.score >= max(first.score, 0.9)
    assert rows[1].reward is not None and last.reward is not None and last.reward - rows[1].reward >= 0.05
    assert len([row for row in rows if row.blind is not None]) >= 4  # Enough for every rule to speak.
    assert raised == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    os.environ.get("REELGYM_SOAK") not in {str(seed + 1) for seed in SEEDS},
    reason="the demo's training, minutes a seed; the first three turns of `make soak` run one each",
)
def test_no_alarm_fires_on_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    demo.run(tmp_path / "demo", seed=int(os.environ["REELGYM_SOAK"]) - 1)
    assert history(read(tmp_path / "demo" / "run" / "metrics.jsonl"))
    assert not (tmp_path / "demo" / "run" / ALARMS).exists()
