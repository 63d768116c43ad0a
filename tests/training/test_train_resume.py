"""A run killed at any moment and repeated ends in the numbers of one that was left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from training_runs import Killed, equal, kill_after, load, media, numbers, rl_run, samples, sft_run, weights_of

from reelgym.errors import RequestError
from reelgym.models import loading
from reelgym.training import Data, checkpoint, rl, sft
from reelgym.training.held_out import HeldOut


def train(run: Any, out: Path, progress: Callable[[int, int], None] | None = None, **kwargs: Any) -> Path:
    return (rl.train if hasattr(run, "rubric") else sft.train)(run, out, progress, load=load, **kwargs)


RUNS = {
    "rl": lambda: rl_run(evaluated=True, eval_every=2),
    "rl_inner_steps": lambda: rl_run(inner_steps=2, minibatches=3, kl_coef=0.1),
    "rl_lora": lambda: rl_run(lora_rank=2, kl_coef=0.1, gradient_checkpointing=True),
    "sft": lambda: sft_run(evaluated=True, eval_every=2),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_killed_run_resumes_to_the_same_weights_and_metrics(kind: str, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(RUNS[kind](), whole)
    with pytest.raises(Killed):
        train(RUNS[kind](), broken, kill_after(3))  # One step after the checkpoint of step 2.
    assert len(numbers(broken)) >= 3
    train(RUNS[kind](), broken)
    assert equal(weights_of(whole, 4), weights_of(broken, 4))
    assert numbers(whole) == numbers(broken)
    assert checkpoint.read_state(broken / "checkpoints" / "step-4").step == 4
    stored = [sorted(path.name for path in run.glob("rollouts-*.parquet")) for run in (whole, broken)]
    assert stored[0] == stored[1]
    for name in stored[0]:
        assert pq.read_table(whole / name).equals(pq.read_table(broken / name))


def state(run: Path | str) -> dict[str, torch.Tensor]:
    return dict(load(str(run)).model.state_dict())


def test_training_changes_the_weights_and_a_frozen_tower_stays(tmp_path: Path) -> None:
    before, after = state("small"), state(train(rl_run(steps=2), tmp_path))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any("visual" in name for name in changed)
    trained = {n for n in before if n.endswith("proj.weight") and "language_model" in n}
    assert trained and trained <= changed


def test_a_tower_that_learns_changes_too(tmp_path: Path) -> None:
    before = state("small")
    for name, run in (("sft", sft_run(steps=1)), ("rl", rl_run(steps=1, train_tower=True, kl_coef=0.1))):
        after = state(train(run, tmp_path / name))
        assert any("visual" in n and not torch.equal(before[n], after[n]) for n in before), name


def test_lora_changes_the_adapter_alone_and_saves_nothing_else(tmp_path: Path) -> None:
    train(rl_run(steps=2, lora_rank=2), tmp_path)
    saved = {path.name for path in (tmp_path / "checkpoints" / "step-2").glob("*.safetensors")}
    assert saved == {"adapter_model.safetensors", "optimizer.safetensors"}
    adapter = weights_of(tmp_path, 2)
    assert not any("visual" in name or "lm_head" in name for name in adapter)
    assert any(value.any() for name, value in adapter.items() if "lora_B" in name)


def test_half_written_checkpoints_are_never_loaded_and_are_removed(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(rl_run(), tmp_path, kill_after(3))
    root = tmp_path / "checkpoints"
    (root / ".step-3.99.partial").mkdir()
    (root / "step-9").mkdir()  # No training.json: not one of ours, or not complete.
    assert checkpoint.latest(tmp_path) == root / "step-2"
    train(rl_run(), tmp_path)
    assert not list(root.glob(".step-*"))


def test_a_fault_while_saving_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Killed):
        train(rl_run(), tmp_path, kill_after(2))

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(checkpoint.WorkError, match=r"step-4: the checkpoint could not be written .*No space left"):
        train(rl_run(), tmp_path)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-2"]


def test_a_changed_setting_is_an_error_that_lists_it(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(rl_run(), tmp_path, kill_after(2))
    changed = rl_run(lr=1.0, group_size=4)
    with pytest.raises(RequestError, match=r"config.group_size was 3, is 4; config.lr was 0.003, is 1.0"):
        train(changed, tmp_path)
    with pytest.raises(RequestError, match=r"data.digest was '[0-9a-f]{64}'"):
        train(replace(rl_run(), data=Data(samples(4), media)), tmp_path)
    with pytest.raises(RequestError, match=r"type was 'RLRun', is 'SFTRun'|holds a run with other settings"):
        train(sft_run(), tmp_path)


def test_where_the_data_lie_is_told_and_never_compared(tmp_path: Path) -> None:
    for folder in ("there", "elsewhere"):
        train(replace(rl_run(steps=1), data=Data(samples(), media, folders=(folder,))), tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["origin"] == {"datasets": [folder]}


def test_more_steps_and_what_is_kept_may_change(tmp_path: Path) -> None:
    train(rl_run(steps=2, schedule="constant"), tmp_path)
    train(rl_run(steps=4, schedule="constant", save_every=1, store_rollouts=False), tmp_path)
    whole = train(rl_run(steps=4, schedule="constant"), tmp_path / "whole")
    assert equal(weights_of(tmp_path, 4), weights_of(whole, 4))
    assert json.loads((tmp_path / "config.json").read_text())["config"]["steps"] == 4


def test_a_finished_run_is_left_as_it_is_and_loads_nothing(tmp_path: Path) -> None:
    train(rl_run(steps=2), tmp_path)
    before = numbers(tmp_path)

    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a finished run loads no policy")

    assert rl.train(rl_run(steps=2), tmp_path, load=forbidden) == tmp_path
    assert numbers(tmp_path) == before


def test_a_stop_flag_saves_after_the_step_and_leaves(tmp_path: Path) -> None:
    seen: list[int] = []
    train(rl_run(), tmp_path / "run", lambda done, total: seen.append(done), should_stop=lambda: seen == [1])
    assert seen == [1] and checkpoint.latest(tmp_path / "run") == tmp_path / "run" / "checkpoints" / "step-1"
    train(rl_run(), tmp_path / "run")
    whole = train(rl_run(), tmp_path / "whole")
    assert equal(weights_of(tmp_path / "run", 4), weights_of(whole, 4))


def test_a_run_told_to_stop_before_its_first_step_takes_none(tmp_path: Path) -> None:
    train(rl_run(), tmp_path / "run", should_stop=lambda: True)
    assert checkpoint.latest(tmp_path / "run") is None
    assert train(rl_run(), tmp_path / "run") and checkpoint.latest(tmp_path / "run") is not None


def test_the_last_three_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    scripted = iter([{"eval/score": value} for value in (0.1, 0.9, 0.2, 0.3, 0.4, 0.5, 0.6)])  # Best at step 1.
    patch = pytest.MonkeyPatch()
    patch.setattr(HeldOut, "measure", lambda held_out: next(scripted))
    train(rl_run(evaluated=True, eval_every=1, save_every=1, steps=6), tmp_path)
    patch.undo()
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*"))
    assert names == ["step-1", "step-4", "step-5", "step-6"]
    assert checkpoint.best(tmp_path) == tmp_path / "checkpoints" / "step-1"
    best = json.loads((tmp_path / "checkpoints" / "best.json").read_text())
    assert best == {"checkpoint": "step-1", "metric": "eval/score", "value": 0.9, "untrained": 0.1}
    assert checkpoint.caveat(tmp_path) == ""


def test_a_run_below_its_untrained_model_stands_for_its_best_checkpoint_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([0.9, 0.3, 0.5, 0.5, 0.4])
    monkeypatch.setattr(HeldOut, "measure", lambda held_out: {"eval/score": next(values)})
    train(rl_run(evaluated=True, eval_every=1, save_every=1), tmp_path)
    assert checkpoint.best(tmp_path) == tmp_path / "checkpoints" / "step-2"
    assert loading.resolve(str(tmp_path)).endswith("step-2")
    assert checkpoint.caveat(tmp_path) == f"{tmp_path}: the untrained model scored higher, 0.9 against 0.5 (eval/score)"
    assert checkpoint.read_state(tmp_path / "checkpoints" / "step-4").stale == 4


def test_a_run_without_evaluations_stands_for_its_last_checkpoint(tmp_path: Path) -> None:
    train(rl_run(steps=2, save_every=1), tmp_path)
    assert checkpoint.best(tmp_path) == tmp_path / "checkpoints" / "step-2" and checkpoint.caveat(tmp_path) == ""


def test_patience_stops_a_run_that_no_longer_gains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([0.5, 0.6, 0.6, 0.4, 0.9])
    monkeypatch.setattr(HeldOut, "measure", lambda held_out: {"eval/score": next(values)})
    run = rl_run(evaluated=True, eval_every=1, patience=2, steps=10)
    train(run, tmp_path)
    assert [row["step"] for row in numbers(tmp_path)] == [0, 1, 2, 3]
    train(run, tmp_path)  # Finished: no further evaluation is drawn.
    assert next(values) == 0.9


def test_a_time_budget_ends_a_run_after_a_step(tmp_path: Path) -> None:
    train(rl_run(steps=50, time_budget_seconds=1e-6), tmp_path)
    assert [row["step"] for row in numbers(tmp_path)] == [1]
    assert checkpoint.latest(tmp_path) is not None
