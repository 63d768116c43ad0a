from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import load, rl_run, sft_run

from reelgym.errors import WorkError
from reelgym.training import packing, rl, sft
from reelgym.training.metrics import read
from reelgym.training.optim import Optimizer

Gradients = list[dict[str, torch.Tensor]]


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> Gradients:
    """Return the sums of gradients of every optimisation step that is taken from now on."""
    found: Gradients = []
    plain = Optimizer.step

    def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        found.append({name: p.grad.clone() for name, p in self._params.items() if p.grad is not None})
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Optimizer, "step", step)
    return found


def short_of_memory(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int, int], bool]) -> list[int]:
    """Let a forward of so many tokens run out of memory where `fails(call, tokens)`; return the sizes tried."""
    plain, tried = packing.group_logprobs, []

    def forward(policy: Any, items: Any, **kwargs: Any) -> Any:
        tried.append(sum(item.num_tokens for item in items))
        if fails(len(tried), tried[-1]):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. More words")
        return plain(policy, items, **kwargs)

    monkeypatch.setattr(packing, "group_logprobs", forward)
    return tried


def close(found: Gradients, right: Gradients) -> bool:
    assert len(found) == len(right) > 0
    for one, other in zip(found, right, strict=True):
        assert one.keys() == other.keys()
        floor = 1e-6 * max(float(value.norm()) for value in other.values())
        if max(float((one[n] - other[n]).norm() / (other[n].norm() + floor)) for n in other) > 1e-5:
            return False
    return True


@pytest.mark.parametrize("settings", [{}, {"kl_coef": 0.1}], ids=["alone", "reference"])
def test_a_step_done_again_in_parts_of_groups_has_the_same_gradient(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gradients: Gradients
) -> None:
    rl.train(rl_run(steps=1, **settings), tmp_path / "plain", load=load)
    # A prompt has up to 37 tokens, a completion up to 6, a group 3 of them: a prompt with one completion fits.
    tried = short_of_memory(monkeypatch, lambda call, tokens: tokens > 44)
    rl.train(rl_run(steps=1, **settings), tmp_path / "short", load=load)
    assert max(tried) > 100 and min(tried) < 44
    assert close(gradients[1:], gradients[:1])
    row = read(tmp_path / "short" / "metrics.jsonl")[-1]
    assert row["optim/out_of_memory"] > 0 and row["optim/micro_batch_tokens"] <= max(tried) / 2
    plain = read(tmp_path / "plain" / "metrics.jsonl")[-1]
    assert row["loss/total"] == pytest.approx(plain["loss/total"], rel=1e-5, abs=1e-7)
    assert plain["optim/out_of_memory"] == 0 and "optim/micro_batch_tokens" not in plain


def test_what_a_broken_attempt_had_added_is_forgotten_and_the_budget_stays_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gradients: Gradients
) -> None:
    run = rl_run(steps=2, micro_batch_tokens=40)
    rl.train(run, tmp_path / "plain", load=load)
    tried = short_of_memory(monkeypatch, lambda call, tokens: call == 2)
    rl.train(run, tmp_path / "short", load=load)
    assert close(gradients[2:3], gradients[:1])
    rows = read(tmp_path / "short" / "metrics.jsonl")
    assert [row["optim/out_of_memory"] for row in rows] == [1.0, 0.0]
    assert rows[0]["optim/micro_batch_tokens"] == rows[1]["optim/micro_batch_tokens"] == max(tried[:2]) // 2


def test_examples_are_learned_again_in_smaller_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gradients: Gradients
) -> None:
    sft.train(sft_run(steps=1), tmp_path / "plain", load=load)
    tried = short_of_memory(monkeypatch, lambda call, tokens: call == 1)
    sft.train(sft_run(steps=1), tmp_path / "short", load=load)
    assert len(tried) > 2 and close(gradients[1:], gradients[:1])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "set lora_rank=16"),
        ({"lora_rank": 2, "gradient_checkpointing": True}, "lower max_prompt_tokens|smaller"),
    ],
)
def test_where_one_completion_is_too_much_one_line_says_what_takes_the_memory(
    settings: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LOGIT_CELLS", 1)
    tried = short_of_memory(monkeypatch, lambda call, tokens: True)
    form = (
        r"^CUDA out of memory: one prompt of \d+ tokens with one completion of \d+ is the least a step can do\. "
        rf"The largest part is [a-z ]+, about [\d.]+ of [\d.]+ GiB: .*({words})"
    )
    with pytest.raises(WorkError, match=form) as caught:
        rl.train(rl_run(steps=1, **settings), tmp_path, load=load)
    assert "\n" not in str(caught.value)
    assert tried == sorted(tried, reverse=True) and len(set(itertools.islice(tried, 3))) == len(tried[:3])
