"""What a run says and does when it is given what it cannot train on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import Killed, equal, kill_after, load, numbers, rl_run, sft_run, weights_of

from reelgym.data.trajectory import Turn
from reelgym.errors import RequestError, WorkError
from reelgym.models.base import Policy
from reelgym.rollout.local import LocalSampler
from reelgym.training import RLConfig, checkpoint, packing, rl, sft
from reelgym.training.dumps import MOST
from reelgym.training.optim import Optimizer
from reelgym.training.session import Session

Change = Callable[[Turn, int], Turn]


class Changing:
    """The local sampler, each of its completions changed on the way: member i of each group by `change(turn, i)`."""

    def __init__(self, policy: Policy, change: Change) -> None:
        self._inner, self._change = LocalSampler(policy), change

    def sample(self, prompts: Sequence[Any], **how: Any) -> list[list[Turn]]:
        found = self._inner.sample(prompts, **how)
        return [[self._change(turn, member) for member, turn in enumerate(group)] for group in found]


def train(out: Path, change: Change, **settings: Any) -> Path:
    return rl.train(rl_run(**settings), out, load=load, sampler=lambda policy: Changing(policy, change))


def cut(turn: Turn, length: int) -> Turn:
    return replace(
        turn, ids=turn.ids[:length], logprobs=turn.logprobs[:length], loss_mask=turn.loss_mask[:length], segments=()
    )


def test_a_group_of_one_is_refused() -> None:
    with pytest.raises(RequestError, match="group_size=1 must be at least 2: a group of one has nothing to compare"):
        RLConfig(group_size=1)


WRONG: list[tuple[Change, str]] = [
    (lambda turn, i: replace(turn, ids=np.tile(turn.ids, 9)), r"member|completion 0 of prompt 0 has \d+ tokens, above"),
    (lambda turn, i: replace(turn, logprobs=turn.logprobs[:-1]), r"has (\d+) tokens, \d+ log-probs and a mask of \1"),
    (lambda turn, i: replace(turn, logprobs=turn.logprobs * np.nan), "has log-probs that are no log-probs"),
    (lambda turn, i: replace(turn, logprobs=turn.logprobs + 99), "has log-probs that are no log-probs"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=range(len(WRONG)))
def test_completions_that_are_not_as_asked_stop_the_run_before_anything_is_scored(
    change: Change, message: str, tmp_path: Path
) -> None:
    with pytest.raises(WorkError, match=message):
        train(tmp_path, change, steps=1)
    assert numbers(tmp_path) == []


def test_an_empty_completion_is_scored_and_trains_nothing(tmp_path: Path) -> None:
    train(tmp_path / "some", lambda turn, i: cut(turn, 0) if i == 1 else turn, steps=1)
    row = numbers(tmp_path / "some")[0]
    assert row["optim/refused"] == 0 and row["optim/empty"] == 0 and row["optim/grad_norm"] > 0
    train(tmp_path / "all", lambda turn, i: replace(cut(turn, 0), text="a" * i), steps=1)
    row = numbers(tmp_path / "all")[0]
    assert row["train/groups_with_signal"] == 1.0 and row["rollout/tokens"] == 0
    assert row["optim/refused"] == 0 and row.get("optim/grad_norm", 0.0) == 0


@pytest.mark.parametrize("groups", ["keep", "drop"])
def test_equal_rewards_move_nothing(groups: str, tmp_path: Path) -> None:
    out = train(tmp_path, lambda turn, i: replace(turn, text="b"), steps=1, groups=groups)
    row = numbers(out)[0]
    assert row["train/groups_with_signal"] == 0 and row["optim/refused"] == 0 and row.get("optim/grad_norm", 0.0) == 0


def broken(by: float, calls: set[int]) -> Any:
    """Return `group_logprobs` whose results are multiplied by `by` in some calls, from 0."""
    plain, seen = packing.group_logprobs, [-1]

    def found(*args: Any, **kwargs: Any) -> Any:
        seen[0] += 1
        factor = by if seen[0] in calls else 1.0
        return [[row * factor for row in rows] for rows in plain(*args, **kwargs)]

    return found


def test_a_refused_step_is_counted_and_kept_for_inspection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "group_logprobs", broken(torch.nan, {0}))
    train(tmp_path, lambda turn, i: turn, steps=2, save_every=1)
    assert [row["optim/refused"] for row in numbers(tmp_path)] == [1.0, 0.0]
    assert not equal(weights_of(tmp_path, 1), weights_of(tmp_path, 2))
    (path,) = (tmp_path / "dumps").iterdir()
    kept = json.loads(path.read_text())
    assert kept["step"] == 1 and kept["loss"] == kept["grad_norm"] == "nan"
    assert kept["bad_gradient_count"] >= len(kept["bad_gradients"]) > 0
    assert {group["sample"] for group in kept["groups"]} <= {f"s{i}" for i in range(5)}
    for group in kept["groups"]:
        for member in group["members"]:
            assert len(member["ids"]) == len(member["logprobs"]) == len(member["advantages"]) == len(member["trained"])


def test_an_infinite_gradient_is_refused_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Optimizer._gradients

    def infinite(self: Optimizer, count: float) -> list[torch.Tensor]:
        next(iter(self._params.values())).grad.fill_(torch.inf)  # type: ignore[union-attr]
        return plain(self, count)

    monkeypatch.setattr(Optimizer, "_gradients", infinite)
    sft.train(sft_run(steps=1), tmp_path, load=load)
    kept = json.loads(next((tmp_path / "dumps").iterdir()).read_text())
    assert kept["grad_norm"] in ("inf", "nan") and kept["bad_gradient_count"] == len(kept["bad_gradients"]) == 1
    assert np.isfinite(kept["loss"]) and all(example["reply_ids"] for example in kept["examples"])


def test_the_third_in_a_row_ends_the_run_and_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "group_logprobs", broken(torch.nan, set(range(99))))
    with pytest.raises(WorkError, match=r"3 times in a row\. .*dumps/step-000003-0000-0\.json holds the batch"):
        train(tmp_path, lambda turn, i: turn)
    assert len(list((tmp_path / "dumps").iterdir())) == 3 <= MOST


def test_going_on_with_another_model_or_another_kind_of_run_says_what_differs_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        rl.train(rl_run(), tmp_path, kill_after(2), load=load)
    with pytest.raises(RequestError, match=r"policy was 'small', is 'tiny'\. Set them back, or choose another folder"):
        rl.train(replace(rl_run(), policy="tiny"), tmp_path, load=load)
    with pytest.raises(RequestError, match=r"other settings: this was RLRun, is SFTRun\. .*choose another folder"):
        sft.train(sft_run(), tmp_path, load=load)


def test_accelerates_own_sharding_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RequestError, match=r"launch with distributed_type MULTI_GPU.* and give shard=true"):
        rl.train(rl_run(steps=1), tmp_path, load=load)


class Course:
    """A curriculum of one number."""

    def __init__(self) -> None:
        self.level = 0

    def state(self) -> Mapping[str, Any]:
        return {"level": self.level}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.level = state["level"]


def test_what_is_kept_goes_into_checkpoints_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course, plain = Course(), Session.end_step

    def end_step(self: Session, *args: Any) -> None:
        course.level += 1
        plain(self, *args)

    monkeypatch.setattr(Session, "end_step", end_step)
    opened = rl.Loop.__init__

    def opening(self: rl.Loop, run: Any, session: Session, *others: Any) -> None:
        session.keep("course", course)
        opened(self, run, session, *others)

    monkeypatch.setattr(rl.Loop, "__init__", opening)
    with pytest.raises(Killed):
        rl.train(rl_run(), tmp_path, kill_after(3), load=load)
    assert checkpoint.read_kept(tmp_path / "checkpoints" / "step-2")["course"] == {"level": 2}
    course.level = 99
    rl.train(rl_run(), tmp_path, load=load)
    assert course.level == 4
