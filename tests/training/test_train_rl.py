"""The RL loop: what never changes a step, what is stored, which groups train, and what a broken step does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from training_runs import equal, load, media, numbers, rl_run, samples, weights_of

from reelgym.data.trajectory import Group
from reelgym.errors import RequestError, WorkError
from reelgym.models.base import Policy
from reelgym.rewards import Reward, Rubric
from reelgym.rewards.base import Scores
from reelgym.training import Data, RLRun, packing, rl


def train(run: RLRun, out: Path, **kwargs: Any) -> Path:
    return rl.train(run, out, load=load, **kwargs)


class Flat(Reward):
    """Pays everybody the same."""

    name: ClassVar[str] = "flat"

    def score(self, group: Group) -> Scores:
        return np.full((len(group), 1), 0.3)


def test_micro_batches_do_not_change_the_gradient_of_a_step(tmp_path: Path) -> None:
    one = train(rl_run(steps=1), tmp_path / "one")
    many = train(rl_run(steps=1, micro_batch_tokens=1), tmp_path / "many")
    # After one step Adam's first moment is a tenth of the clipped gradient.
    moments = [load_file(run / "checkpoints" / "step-1" / "optimizer.safetensors") for run in (one, many)]
    gradients = [{k: v for k, v in m.items() if k.endswith("exp_avg")} for m in moments]
    assert any(value.abs().max() > 1e-3 for value in gradients[0].values())
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("settings", [{"lora_rank": 2}, {"train_tower": True, "kl_coef": 0.1}], ids=str)
def test_gradient_checkpointing_does_not_change_a_run(settings: dict[str, Any], tmp_path: Path) -> None:
    plain = train(rl_run(steps=2, **settings), tmp_path / "plain")
    again = train(rl_run(steps=2, gradient_checkpointing=True, **settings), tmp_path / "again")
    for left, right in zip(numbers(plain), numbers(again), strict=True):
        assert left == pytest.approx(right, rel=1e-5, abs=1e-6)
    left, right = weights_of(plain, 2), weights_of(again, 2)
    for name, value in left.items():
        torch.testing.assert_close(right[name], value, rtol=1e-5, atol=1e-6)


def test_two_ranks_take_the_steps_of_one(tmp_path: Path) -> None:
    alone = train(rl_run(steps=2, evaluated=True, weight_decay=0.0), tmp_path / "alone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code = (
        "from training_runs import rl_run, load\nfrom reelgym.training import rl\n"
        f"rl.train(rl_run(steps=2, evaluated=True, weight_decay=0.0), {str(tmp_path / 'two')!r}, load=load)\n"
    )
    shared = os.environ | {
        "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    ranks = [
        subprocess.Popen([sys.executable, "-c", code], env=shared | {"RANK": str(r), "LOCAL_RANK": str(r)})
        for r in range(2)
    ]
    assert [rank.wait(timeout=170) for rank in ranks] == [0, 0]
    for left, right in zip(numbers(alone), numbers(tmp_path / "two"), strict=True):
        assert left.keys() == right.keys()
        for name in left:
            assert left[name] == pytest.approx(right[name], rel=2e-3, abs=2e-5), name
    stored = sorted(path.name for path in (tmp_path / "two").glob("rollouts-*.parquet"))
    assert stored == ["rollouts-000002-0000.parquet", "rollouts-000002-0001.parquet"]
    rows = [row for name in stored for row in pq.read_table(tmp_path / "two" / name).to_pylist()]
    key = lambda row: (row["step"], row["sample"], row["member"])  # noqa: E731
    single = pq.read_table(alone / "rollouts-000002.parquet").to_pylist()
    first = [row["ids"] for row in sorted(rows, key=key) if row["step"] == 1]
    assert first == [row["ids"] for row in sorted(single, key=key) if row["step"] == 1]


def test_the_first_pass_is_on_policy_to_rounding(tmp_path: Path) -> None:
    # One optimisation step per rollout step: log-probs read while decoding equal those of training.
    train(rl_run(steps=2, temperature=0.7), tmp_path)
    for row in numbers(tmp_path):
        assert row["loss/log_ratio"] < 1e-5 and row["loss/clip_fraction"] == 0


def test_the_tower_runs_once_per_prompt_of_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = Policy.features
    monkeypatch.setattr(Policy, "features", lambda self, prompts: seen.append(len(prompts)) or plain(self, prompts))
    train(rl_run(steps=4), tmp_path)  # 12 prompts drawn out of 5 samples.
    assert sum(seen) == 5


def test_rollouts_are_stored_with_their_rewards_and_credit(tmp_path: Path) -> None:
    train(rl_run(steps=2), tmp_path)
    rows = pq.read_table(tmp_path / "rollouts-000002.parquet").to_pylist()
    assert len(rows) == 2 * 3 * 3
    for row in rows:
        rewards = json.loads(row["rewards"])
        assert rewards["letters"] == rewards["score"] and list(rewards["score"]) == ["completion"]
        assert len(row["ids"]) == len(row["logprobs"]) == len(row["advantages"]) == len(row["loss_mask"])
    members = [row for row in rows if (row["step"], row["sample"]) == (rows[0]["step"], rows[0]["sample"])]
    scores = np.array([json.loads(row["rewards"])["score"]["completion"] for row in members])
    wanted = (scores - scores.mean()) / (scores.std(ddof=1) + 1e-4)
    assert [row["advantages"][0] for row in members] == pytest.approx(wanted.tolist(), abs=1e-5)


class Parts(Reward):
    """Pays two segments apart; only the first member has the second."""

    name: ClassVar[str] = "parts"

    @property
    def segments(self) -> tuple[str, ...]:
        return ("observation", "think+answer")

    def score(self, group: Group) -> Scores:
        return np.array([[place / 4, 1.0 if place == 0 else np.nan] for place in range(len(group))])


def test_stored_rewards_name_their_segments(tmp_path: Path) -> None:
    rubric = Rubric(expression=Parts(), logged=(Flat(),))
    train(replace(rl_run(steps=1), rubric=rubric), tmp_path)
    rows = pq.read_table(tmp_path / "rollouts-000001.parquet").to_pylist()
    first, second = (json.loads(next(r["rewards"] for r in rows if r["member"] == member)) for member in (0, 1))
    assert first["parts"] == first["score"] == {"observation": 0.0, "think+answer": 1.0}
    assert second["parts"] == {"observation": 0.25, "think+answer": None}
    assert second["flat"] == {"completion": 0.3}


@pytest.mark.parametrize("groups", ["keep", "drop"])
def test_groups_without_signal_move_nothing_and_cost_no_forward(
    groups: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a group without credit has no gradient to compute")

    monkeypatch.setattr(packing, "group_logprobs", forbidden)
    run = replace(rl_run(steps=1, groups=groups), rubric=Rubric(expression=Flat()))
    train(run, tmp_path)
    row = numbers(tmp_path)[0]
    assert row["train/groups_with_signal"] == 0
    assert row.get("optim/grad_norm", 0.0) == 0
    assert ("loss/total" in row) is (groups == "keep")  # Dropped groups do not count.
    assert row["optim/empty"] == float(groups == "drop") and row["optim/refused"] == 0


def test_completions_cut_at_the_cap_are_left_out_where_asked(tmp_path: Path) -> None:
    train(rl_run(steps=1, max_completion_tokens=2, mask_truncated=True), tmp_path)
    rows = pq.read_table(tmp_path / "rollouts-000001.parquet").to_pylist()
    cut = [row for row in rows if row["stop"] == "length"]
    assert cut and all(not any(row["advantages"]) for row in cut)


def test_three_broken_steps_in_a_row_stop_the_run_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = packing.group_logprobs
    monkeypatch.setattr(packing, "group_logprobs", lambda *a, **k: [[t * torch.nan for t in g] for g in plain(*a, **k)])
    with pytest.raises(WorkError, match=r"step 3: loss nan and gradient norm nan are not finite, 3 times in a row"):
        train(rl_run(save_every=1), tmp_path)
    assert equal(weights_of(tmp_path, 1), weights_of(tmp_path, 2))
    assert [row["optim/refused"] for row in numbers(tmp_path)] == [1.0, 1.0]


def test_one_broken_step_is_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, calls = packing.group_logprobs, iter([torch.nan, 1.0, 1.0])
    monkeypatch.setattr(packing, "group_logprobs", lambda *a, **k: _scaled(plain(*a, **k), next(calls)))
    train(rl_run(steps=3, save_every=1), tmp_path)
    assert [row["optim/refused"] for row in numbers(tmp_path)] == [1.0, 0.0, 0.0]
    assert not equal(weights_of(tmp_path, 1), weights_of(tmp_path, 3))


def _scaled(found: list[list[torch.Tensor]], by: float) -> list[list[torch.Tensor]]:
    return [[row * by for row in group] for group in found]


def test_a_broken_scorer_ends_the_run_with_its_own_fault(tmp_path: Path) -> None:
    class Broken(Reward):
        name: ClassVar[str] = "broken"

        def score(self, group: Group) -> Scores:
            raise KeyError("the scorer's own fault")

    with pytest.raises(KeyError):
        train(replace(rl_run(), rubric=Rubric(expression=Broken())), tmp_path)


def test_a_prompt_above_the_cap_names_its_sample(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"s\d: its prompt has \d+ tokens, max_prompt_tokens=4"):
        train(rl_run(max_prompt_tokens=4), tmp_path)


def test_a_sample_drawn_twice_in_a_step_gets_two_streams(tmp_path: Path) -> None:
    run = replace(rl_run(steps=1, prompts_per_step=2, group_size=2), data=Data(samples(1), media))
    train(run, tmp_path)
    rows = pq.read_table(tmp_path / "rollouts-000001.parquet").to_pylist()
    assert len({tuple(row["ids"]) for row in rows}) == 4


@pytest.mark.soak
def test_the_policy_learns_what_it_is_paid_for(tmp_path: Path) -> None:
    train(rl_run(steps=40, prompts_per_step=4, group_size=8, schedule="constant", save_every=100), tmp_path)
    scores = [row["rewards/score"] for row in numbers(tmp_path)]
    assert np.mean(scores[-5:]) > np.mean(scores[:5]) + 0.05
