"""Orders of prompts and the running pass rates they follow: by hand, by simulation, and the same after a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_runs import media, rl_run, samples

from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.training import Data
from reelgym.training.credit import Rollout
from reelgym.training.drawing import Drawing
from reelgym.training.metrics import Tally
from reelgym.training.order import Pick
from reelgym.training.orders.climb import MASTERED, Climb
from reelgym.training.orders.learnable import Learnable
from reelgym.training.orders.shuffled import Shuffled
from reelgym.training.pass_rates import KIND_MEMORY, MEMORY, PARTS, WEIGHT, PassRates

ORDERS = [Shuffled(), Learnable(), Climb()]


def kinds(count: int = 12) -> list:  # type: ignore[type-arg]
    """Samples of two kinds: every second one is of level 2."""
    return [replace(sample, facets={"level": 1 + place % 2}) for place, sample in enumerate(samples(count))]


def test_a_rate_is_its_own_replies_beside_those_of_its_kind() -> None:
    rates = PassRates(kinds(4))
    assert rates.of_samples().tolist() == [0.5] * 4
    rates.count([(0, 3, 4)])
    kind = (3 + 1) / (4 + 2)
    assert rates.of_kinds().tolist() == [kind, 0.5]
    assert rates.of_samples() == pytest.approx([(3 + WEIGHT * kind) / (4 + WEIGHT), 0.5, kind, 0.5])
    rates.count([(0, 0, 4)])
    later = (3 * KIND_MEMORY + 1) / (4 * KIND_MEMORY + 4 + 2)
    own = (3 * MEMORY + WEIGHT * later) / (4 * MEMORY + 4 + WEIGHT)
    assert rates.of_samples()[0] == pytest.approx(own)


def test_measured_rates_are_where_the_running_ones_begin() -> None:
    known = PassRates(kinds(4), {"s0": 1.0, "s1": 0.0})
    high, low, like_high, like_low = known.of_samples()
    assert high > like_high > 0.5 > like_low > low


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 4)), max_size=20))
def test_what_is_saved_is_restored_and_rates_stay_within_0_and_1(seen: list[tuple[int, int]]) -> None:
    rates = PassRates(kinds())
    rates.count((index, passed, 4) for index, passed in seen)
    again = PassRates(kinds())
    again.load_state(json.loads(json.dumps(rates.state())))
    assert again.of_samples().tolist() == rates.of_samples().tolist()
    assert (rates.of_samples() > 0).all() and (rates.of_samples() < 1).all()
    assert sum(rates.parts().values()) == pytest.approx(1) and tuple(rates.parts()) == PARTS


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_a_step_draws_each_sample_once_while_there_are_enough(order) -> None:  # type: ignore[no-untyped-def]
    rates = PassRates(kinds())
    for step in range(1, 4):
        found = order.draw(rates, seed=3, step=step, size=12)
        assert sorted(pick.index for pick in found) == list(range(12))
        assert [pick.place for pick in found] == list(range(12))
        assert found == order.draw(rates, seed=3, step=step, size=12)
    assert order.draw(rates, seed=3, step=1, size=12) != order.draw(rates, seed=4, step=1, size=12)
    many = order.draw(rates, seed=3, step=1, size=30)
    assert len({(pick.index, pick.epoch) for pick in many}) == len(many) == 30
    assert order.some(rates, 3, (1, 2), 12, set(range(10))) in ([10, 11], [11, 10])
    assert order.some(rates, 3, (1, 2), 12, set(range(12))) == []


def test_draws_follow_the_weights() -> None:
    rates = PassRates(kinds(2))
    rates.count([(0, 4, 4)] * 20 + [(1, 2, 4)] * 20)
    weights = Learnable().weights(rates)
    assert weights[1] > 2 * weights[0]
    drawn = [Learnable().some(rates, seed, (1, 1), 1, ())[0] for seed in range(2000)]
    assert np.mean(drawn) == pytest.approx(weights[1] / weights.sum(), abs=4.5 * 0.5 / 2000**0.5)


def test_the_climb_goes_on_to_the_next_kind_when_one_is_mastered() -> None:
    rates = PassRates(kinds())
    rates.count([(0, 2, 4)] * 5 + [(1, 0, 4)] * 5)
    level = np.array([1 + place % 2 for place in range(12)])
    weights = Climb().weights(rates)
    assert weights[level == 1].min() > 2 * weights[level == 2].max()
    rates.count([(0, 4, 4)] * 20)
    assert rates.of_kinds()[0] > MASTERED
    weights = Climb().weights(rates)
    assert weights[level == 2].min() > 2 * weights[level == 1].max()
    rates.count([(1, 4, 4)] * 40)
    assert weights.sum() == pytest.approx(1) and Climb().weights(rates).sum() == pytest.approx(1)


def rolled(pick: Pick, reply: str, *, signal: bool) -> Rollout:
    none = np.zeros(0, np.int64)
    turn = Turn(ids=none, logprobs=none.astype(np.float32), loss_mask=none.astype(bool), text=reply, stop="eos")
    group = Group(sample=puzzles()[pick.index], trajectories=(Trajectory(turns=(turn,)),) * 2)
    return Rollout(pick, "k", group, {"score": np.array([[0.0], [float(signal)]])})


def puzzles() -> list[Sample]:
    return [replace(one, task="mvp", answer=[2, 1], evidence={"pool": 3}) for one in samples(4)]


def drawing(**settings: Any) -> Drawing:
    """A drawing on one rank without a session."""
    run = rl_run(prompts_per_step=2, **settings)
    alone: dict[str, Any] = {"keep": lambda *_: None, "gather": list, "mine": list, "balanced": lambda picks, _: picks}
    session = SimpleNamespace(accelerator=SimpleNamespace(num_processes=1), **alone)
    return Drawing(replace(run, data=Data(puzzles(), media)), session)  # type: ignore[arg-type]


def test_only_questions_as_they_were_drawn_count_for_the_rates() -> None:
    drawn = drawing(order="learnable")
    next(drawn.rounds(1))
    before = drawn.rates.of_samples()
    drawn.saw([rolled(Pick(0, 0, 0, eased=1), "2, 1", signal=True)])
    assert drawn.rates.of_samples().tolist() == before.tolist()
    drawn.saw([rolled(Pick(0, 0, 0), "2, 1", signal=True)])
    assert drawn.rates.of_samples()[0] > before[0]
    drawn.saw([rolled(Pick(1, 0, 1), "1, 3", signal=True)])
    assert drawn.rates.of_samples()[1] < before[1]


def test_a_place_is_trained_on_by_the_group_that_has_signal_in_it() -> None:
    drawn = drawing(groups="resample", rounds=2)
    rounds = drawn.rounds(1)
    first = next(rounds)
    drawn.saw([rolled(pick, "x", signal=bool(pick.place)) for pick in first])
    (again,) = next(rounds)
    assert again.place == 0 and again.index not in {pick.index for pick in first}
    drawn.saw([rolled(again, "x", signal=True)])
    assert list(rounds) == []
    tally = Tally()
    assert [rollout.pick for rollout in drawn.select(1, tally)] == [first[1], again]
    told = tally.means(SimpleNamespace(num_processes=1))  # type: ignore[arg-type]
    assert told["train/groups_trained_on"] == 1.0 and told["train/rounds"] == 2.0
    assert told["train/groups_with_signal"] == pytest.approx(2 / 3)
