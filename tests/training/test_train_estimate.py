from __future__ import annotations

import json
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training_runs import load, rl_run, sft_run

from reelgym import models
from reelgym.data.messages import Message, Text
from reelgym.models import tiny
from reelgym.training import RLConfig, packing
from reelgym.training.estimate import estimate
from reelgym.training.packing import PackItem
from reelgym.training.rehearsal import Rehearsed, advice, rehearse, update_seconds
from reelgym.training.sampler import make_sampler
from reelgym.training.weights import prepare

WIDE = tiny.Size(width=192, layers=4, heads=4, key_value_heads=2, mlp=576)


class Live(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def keep(self, held: torch.nn.Parameter) -> None:
        """Leave out what was there before."""
        self._known |= {one.untyped_storage()._cdata for one in (held.data, held.grad) if one is not None}

    def _gone(self, key: int, size: int) -> None:
        self.now -= size
        self._known.discard(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in (one for one in tree_leaves(out) if isinstance(one, torch.Tensor)):
            storage = tensor.untyped_storage()
            if storage._cdata not in self._known:
                self._known.add(storage._cdata)
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())
        return out


@pytest.mark.parametrize("recompute", [False, True])
def test_the_estimate_of_an_update_is_near_its_measured_peak(recompute: bool) -> None:
    config = RLConfig(
        gradient_checkpointing=recompute,
        group_size=4,
        max_completion_tokens=40,
        micro_batch_tokens=1,
        prompts_per_step=1,
    )
    policy = tiny.build("qwen2_5_vl", size=WIDE)
    prepare(policy, config)
    prompt = policy.encode((Message("user", (Text("x " * 60),)),), None)  # type: ignore[arg-type]
    item = PackItem(prompt, None, [torch.arange(10, 50) for _ in range(4)])
    for parameter in policy.model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    _, live = policy.forbidden_ids, Live()
    for parameter in policy.model.parameters():
        live.keep(parameter)
    with live:
        rows = packing.group_logprobs(policy, [item], recompute=recompute)
        torch.cat(rows[0]).sum().backward()  # type: ignore[no-untyped-call]
    found = estimate(policy.model, replace(rl_run(), config=config), len(prompt), cuda=False)
    always = found.parts["weights"] + found.parts["optimizer"] + found.parts["gradients"]
    told = found.update - always
    assert 0.8 < told / live.peak < 1.25, (told, live.peak)


@pytest.mark.parametrize("rank", [0, 4])
def test_weights_adapter_and_moments_are_counted_exactly(rank: int) -> None:
    config = RLConfig(lora_rank=rank, prompts_per_step=2, group_size=3)
    before = estimate(models.load("tiny").model, replace(rl_run(), config=config), 50, cuda=False)
    policy = models.load("tiny")
    prepare(policy, config)
    trained = sum(one.numel() for one in policy.model.parameters() if one.requires_grad)
    whole = sum(one.numel() for one in policy.model.parameters())
    assert before.parts["weights"] + before.parts["adapter"] == 4 * whole
    assert before.parts["optimizer"] == 8 * trained and before.parts["gradients"] == 4 * trained
    assert before.peak == max(before.rollout, before.update) and before.checkpoint > 8 * trained
    # A step asks 2 prompts of 50 tokens with 3 replies of 512: keys and values of 4 layers, 2 heads of 32, in 4 bytes.
    assert before.parts["KV cache"] == 2 * (50 + 3 * 512) * 2 * 4 * 2 * 32 * 4


def test_shapes_of_a_folder_need_its_config_alone(tmp_path: Path) -> None:
    model = models.load("tiny").model
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_dict()))
    found = models.shape_of(str(tmp_path))
    assert {one.device.type for one in found.parameters()} == {"meta"}
    for run in (rl_run(), sft_run()):
        there, here = (estimate(one, run, 50, cuda=True) for one in (found, model))
        assert there.parts == here.parts
    assert estimate(model, sft_run(), 50, cuda=False).rollout == 0


WELL = Rehearsed(
    groups=8, reward=0.5, solved=0.4, invalid=0.1, signal=0.9, truncated=0.0, tokens=30.0, prompt_tokens=99, seconds=1.0
)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "40 %: well placed, 90 % of the groups"),
        ({"solved": 0.12, "signal": 0.2}, "12 %: too hard, try K=2, l=2"),
        ({"solved": 0.95, "signal": 0.2}, "95 %: too easy"),
        ({"signal": 0.2}, "40 %, but only 20 % of the groups have signal"),
        ({"invalid": 0.8, "signal": 0.1}, "80 % of the replies hold no answer"),
        ({"truncated": 0.5, "invalid": 0.9}, "50 % of the replies are cut off"),
        ({"invalid": None}, "well placed"),
    ],
)
def test_advice_follows_from_what_was_seen(changed: dict[str, Any], words: str) -> None:
    assert advice(replace(WELL, **changed)).startswith(words) or words in advice(replace(WELL, **changed))


def test_a_rehearsal_rolls_groups_out_and_leaves_the_policy_as_it_was() -> None:
    run, policy = rl_run(), load("small")
    prepare(policy, run.config)
    before = {name: value.clone() for name, value in policy.model.state_dict().items()}
    seen: list[tuple[int, int]] = []
    found = rehearse(run, policy, make_sampler(run, policy), lambda done, total: seen.append((done, total)))
    assert (found.groups, found.invalid, seen[-1]) == (5, None, (5, 5))
    assert 0 <= found.reward <= 1 and 0 <= found.signal <= 1 and found.tokens <= 6 and found.prompt_tokens > 5
    assert update_seconds(run, policy, 3.4) > 0
    # What a prompt costs once, and what starting costs, is told apart from what a step costs.
    assert found.sight_seconds > 0 and found.warm_seconds > 0 and found.seconds > 0
    after = policy.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(one.grad is None for one in policy.model.parameters())
