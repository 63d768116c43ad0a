"""Rates, decay, clipping and broken gradients by hand; order and digests as functions of the seed."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from training_runs import media, rl_run, samples

from reelgym.errors import RequestError, WorkError
from reelgym.training import Data, RLConfig, SFTConfig
from reelgym.training.describe import describe
from reelgym.training.drawing import check
from reelgym.training.metrics import Tally
from reelgym.training.optim import Optimizer, learning_rate
from reelgym.training.order import derive, picks
from reelgym.training.session import accelerator


def optimizer(model: nn.Module, **settings: Any) -> Optimizer:
    config = SFTConfig(**({"lr": 0.1, "max_grad_norm": 1e9} | settings))
    return Optimizer(model, config, accelerator(config, None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        # Warm-up 2 of 6 steps: 1/2, 1, then 4 steps from the peak downwards.
        ("constant", [0.5, 1, 1, 1, 1, 1]),
        ("linear", [0.5, 1, 1, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 1, 1, 0.5 + math.sqrt(0.5) / 2, 0.5, 0.5 - math.sqrt(0.5) / 2]),
    ],
)
def test_the_rate_rises_then_follows_its_schedule(schedule: Any, rates: list[float]) -> None:
    config = SFTConfig(lr=1.0, steps=6, warmup_steps=2, schedule=schedule)
    assert [learning_rate(config, step) for step in range(1, 7)] == pytest.approx(rates)


def test_adamw_by_hand() -> None:
    # Gradient sum 6 over count 3 is 2; Adam's first step is lr * 2 / (|2| + 1e-8) = 0.1; decay first multiplies the
    # matrix by 1 - 0.1 * 0.5, not the vector.
    model = nn.Linear(1, 1)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    adam = optimizer(model, weight_decay=0.5)
    model.weight.grad, model.bias.grad = torch.full((1, 1), 6.0), torch.full((1,), -6.0)
    update = adam.step(total=12.0, count=3.0, step=1)
    assert update.loss == 4.0 and update.outcome == "taken"
    assert update.grad_norm == pytest.approx(math.sqrt(8))  # Two gradients of size 2.
    assert model.weight.item() == pytest.approx(1 * (1 - 0.05) - 0.1)
    assert model.bias.item() == pytest.approx(1 + 0.1)
    assert model.weight.grad is None


def test_clipping_scales_to_the_norm() -> None:
    model = nn.Linear(2, 1, bias=False)
    adam = optimizer(model, max_grad_norm=1.0)
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert adam.step(total=1.0, count=1.0, step=1).grad_norm == pytest.approx(5.0)
    # The first moment is (1 - beta1) * clipped = 0.1 * (0.6, 0.8).
    assert adam.state()["weight/exp_avg"][0].tolist() == pytest.approx([0.06, 0.08], rel=1e-4)


def test_nothing_counted_moves_nothing() -> None:
    model = nn.Linear(1, 1)
    before = model.weight.item()
    model.weight.grad = torch.ones(1, 1)
    update = optimizer(model).step(total=0.0, count=0.0, step=1)
    tally = Tally()
    update.report(tally)
    row = tally.means(accelerator(SFTConfig(), None))  # type: ignore[arg-type]
    assert row == {"optim/lr": 0.1, "optim/empty": 1.0, "optim/refused": 0.0}  # Nothing to learn is no fault.
    assert model.weight.item() == before and model.weight.grad is None


@pytest.mark.parametrize(("total", "gradient"), [(math.nan, 1.0), (1.0, math.inf), (1.0, math.nan)])
def test_broken_steps_are_refused_and_the_third_in_a_row_ends_the_run(total: float, gradient: float) -> None:
    model = nn.Linear(1, 1)
    before, adam = model.weight.item(), optimizer(model)

    def step(total: float, gradient: float) -> bool:
        model.weight.grad = torch.full((1, 1), gradient)
        return adam.step(total=total, count=1.0, step=1).outcome == "taken"

    assert [step(total, gradient), step(total, gradient)] == [False, False] and model.weight.item() == before
    assert step(1.0, 1.0)  # A good step begins the count anew.
    assert [step(total, gradient), step(total, gradient)] == [False, False]
    with pytest.raises(WorkError, match=r"3 times in a row\. Lower lr"):
        step(total, gradient)
    assert adam.broken == 5


def test_moments_survive_a_round_trip() -> None:
    def make() -> tuple[nn.Linear, Optimizer]:
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        return model, optimizer(model)

    def step(model: nn.Linear, adam: Optimizer, value: float) -> None:
        model.weight.grad, model.bias.grad = torch.full((2, 3), value), torch.full((2,), value)
        adam.step(total=1.0, count=1.0, step=1)

    model, adam = make()
    step(model, adam, 1.0)
    again, restored = make()
    again.load_state_dict(model.state_dict())
    restored.restore(adam.state())
    step(model, adam, -0.3)
    step(again, restored, -0.3)
    assert torch.equal(model.weight, again.weight) and torch.equal(model.bias, again.bias)


def test_moments_of_another_model_are_refused() -> None:
    with pytest.raises(WorkError, match="optimiser state of 'other', which this run does not train"):
        optimizer(nn.Linear(1, 1)).restore({"other/exp_avg": torch.zeros(1)})


@given(seed=st.integers(0, 99), size=st.integers(1, 7), items=st.integers(1, 9))
def test_every_item_comes_once_per_epoch(seed: int, size: int, items: int) -> None:
    steps = items  # size * items draws: `size` whole epochs.
    drawn = [pick for step in range(1, steps + 1) for pick in picks(seed, step, size=size, items=items)]
    assert Counter((p.index, p.epoch) for p in drawn) == Counter((i, e) for e in range(size) for i in range(items))
    assert [p.place for p in picks(seed, 1, size=size, items=items)] == list(range(size))


def test_order_depends_on_the_seed_and_epochs_differ() -> None:
    orders = {tuple(p.index for p in picks(seed, step, size=50, items=50)) for seed in (0, 1) for step in (1, 2)}
    assert len(orders) == 4
    assert derive(0, "a") == derive(0, "a") != derive(1, "a")


def test_tallies_are_means_over_what_was_counted_without_what_does_not_apply() -> None:
    tally = Tally()
    tally.add("loss/total", 6.0, 4.0)
    tally.add("loss/total", 2.0, 4.0)
    tally.add_values("rewards/a", [1.0, math.nan, 0.0])
    tally.add_values("rewards/none", [math.nan])
    assert tally.means(accelerator(SFTConfig(), None)) == {"loss/total": 1.0, "rewards/a": 0.5}  # type: ignore[arg-type]


def test_a_run_is_described_in_plain_json() -> None:
    plain = describe(rl_run())
    assert plain["type"] == "RLRun" and plain["algorithm"] == {
        "type": "GRPO", "clip_low": 0.2, "clip_high": 0.2, "eps": 1e-4,
    }  # fmt: skip
    assert plain["rubric"]["expression"] == {"type": "Letters"}
    assert plain["data"]["items"] == 5


def test_the_digest_of_data_is_that_of_its_content() -> None:
    assert Data(samples(), media).digest == Data(samples(), media).digest != Data(samples(4), media).digest
    with pytest.raises(RequestError, match="no samples to train on"):
        Data([], media)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RLConfig(group_size=1), "group_size=1 must be at least 2"),
        (lambda: RLConfig(temperature=0), "temperature=0 must be above 0"),
        (lambda: RLConfig(minibatches=3, prompts_per_step=2), "minibatches=3 is above prompts_per_step=2"),
        (lambda: check(RLConfig(groups="resmple")), "unknown group policy 'resmple'; did you mean 'resample'"),
        (lambda: check(RLConfig(order="clmb")), "unknown order 'clmb'; did you mean 'climb'"),
        (lambda: RLConfig(kl_coef=-1), "kl_coef=-1 must be at least 0"),
        (lambda: SFTConfig(schedule="cosin"), "unknown schedule 'cosin'; did you mean 'cosine'"),  # type: ignore[arg-type]
        (lambda: SFTConfig(steps=0), "steps=0 must be at least 1"),
        (lambda: SFTConfig(lr=0.0), "lr=0.0 must be above 0"),
    ],
)
def test_settings_outside_their_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make()
