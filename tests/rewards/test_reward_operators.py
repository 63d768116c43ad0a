"""The reward language: each operator by hand, what does not apply, and rubrics over one expression."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from reward_groups import Given, given, group

from reelgym.errors import RequestError, WorkError
from reelgym.rewards import Clip, Expression, Gate, Product, Rescale, Rubric, Schedule, Stack, Sum

NAN = math.nan
TWO = group(["x", "y"])


def paid(expression: Expression, progress: float = 0.0) -> list[float]:
    """Return the one column of an expression's score for a group of two."""
    return Rubric(expression=expression).score(TWO, progress)[:, 0].tolist()


def same(left: list[float], right: list[float]) -> bool:
    return bool(np.allclose(left, right, equal_nan=True, rtol=1e-12, atol=0))


def test_sum_weighs_its_terms() -> None:
    # 1 * 2 + 0.5 * 4 = 4; 1 * 3 + 0.5 * -2 = 2.
    assert paid(Sum((given("a", 2, 3), given("b", 4, -2)), (1.0, 0.5))) == [4.0, 2.0]
    assert paid(Sum((given("a", 2, 3), given("b", 4, -2)))) == [6.0, 1.0]


def test_product_multiplies() -> None:
    assert paid(Product((given("a", 2, 3), given("b", 4, 0)))) == [8.0, 0.0]


def test_sum_and_product_leave_out_what_does_not_apply() -> None:
    terms = (given("a", NAN, NAN), given("b", 4, NAN))
    assert same(paid(Sum(terms)), [4.0, NAN]) and same(paid(Product(terms)), [4.0, NAN])


def test_a_gate_pays_only_above_its_threshold() -> None:
    assert paid(Gate(given("a", 0.7, 0.7), given("ok", 1, 0))) == [0.7, 0.0]
    assert paid(Gate(given("a", 0.7, 0.7), given("ok", 0.5, 0.6), 0.5)) == [0.0, 0.7]


@examples(term=st.floats(-5, 5), condition=st.floats(-5, 0))
def test_a_gate_never_pays_on_a_condition_that_is_not_positive(term: float, condition: float) -> None:
    assert paid(Gate(given("a", term, term), given("ok", condition, 0.0))) == [0.0, 0.0]


def test_a_gate_whose_term_or_condition_does_not_apply_does_not_apply() -> None:
    assert same(paid(Gate(given("a", NAN, 1), given("ok", 0, NAN))), [NAN, NAN])


def test_clip_and_rescale() -> None:
    assert paid(Clip(given("a", -1, 0.4))) == [0.0, 0.4]
    assert paid(Rescale(given("a", 1, 2), 3.0, -1.0)) == [2.0, 5.0]
    # Chance 0.2: (1 - 0.2) / 0.8 = 1 and (0.2 - 0.2) / 0.8 = 0.
    assert paid(Rescale.corrected(given("a", 1, 0.2), 0.2)) == pytest.approx([1.0, 0.0])
    assert same(paid(Clip(given("a", NAN, 3))), [NAN, 1.0])


@pytest.mark.parametrize(
    ("progress", "weight"), [(0.0, 1.0), (0.2, 1.0), (0.35, 0.75), (0.5, 0.5), (0.8, 0.0), (1, 0.0)]
)
def test_a_schedule_moves_in_a_straight_line(progress: float, weight: float) -> None:
    # From 1 at 0.2 to 0 at 0.8: at 0.35 a quarter of the way.
    assert paid(Schedule(given("a", 2, 4), 1.0, 0.0, 0.2, 0.8), progress) == pytest.approx([2 * weight, 4 * weight])


def test_a_stack_gives_each_segment_its_own_column() -> None:
    rubric = Rubric(expression=Stack(("observation", "think+answer"), (given("a", 1, 2), given("b", 3, 4))))
    assert rubric.segments == ("observation", "think+answer")
    assert rubric.score(TWO).tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_a_whole_completion_reward_serves_every_column() -> None:
    wide = Given("w", ((1.0, 2.0), (3.0, 4.0)), ("observation", "think"))
    rubric = Rubric(expression=Gate(Sum((wide, given("a", 10, 20))), given("ok", 1, 0)))
    assert rubric.segments == ("observation", "think")
    assert rubric.score(TWO).tolist() == [[11.0, 12.0], [0.0, 0.0]]


def test_a_rubric_reports_every_term_beside_the_score_and_scores_a_shared_one_once() -> None:
    calls: list[int] = []

    class Counting(Given):
        def score(self, group: object) -> np.ndarray:  # type: ignore[override,type-arg]
            calls.append(1)
            return super().score(group)  # type: ignore[arg-type]

    ok = Counting("ok", ((1.0,), (0.0,)))
    rubric = Rubric(expression=Gate(Sum((given("a", 2, 3), ok), (1.0, 0.2)), ok), logged=(given("seen", 7, 8),))
    terms = rubric.terms(TWO)
    assert list(terms) == ["score", "a", "ok", "seen"]
    assert terms["score"][:, 0].tolist() == [2.2, 0.0]
    assert terms["seen"][:, 0].tolist() == [7.0, 8.0]
    assert len(calls) == 1


def test_two_rewards_under_one_label_are_refused() -> None:
    with pytest.raises(RequestError, match="two different rewards are logged as 'a'"):
        Rubric(expression=Sum((given("a", 1, 2), given("a", 3, 4))))


def test_segments_that_differ_are_refused() -> None:
    left, right = (Given(n, ((1.0, 1.0),) * 2, c) for n, c in (("l", ("a", "b")), ("r", ("c", "d"))))
    with pytest.raises(RequestError, match="cannot be combined with one of"):
        Rubric(expression=Sum((left, right)))


def test_a_reward_of_a_wrong_shape_or_without_bound_is_an_error_and_never_a_zero() -> None:
    with pytest.raises(WorkError, match=r"reward 'a' returned shape \(3, 1\) for 2 trajectories"):
        paid(given("a", 1, 2, 3))
    with pytest.raises(WorkError, match="infinite score on sample 's'"):
        paid(given("a", math.inf, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sum((given("a", 1),), (1.0, 2.0)), "a Sum of 1 terms has 2 weights"),
        (lambda: Product(()), "needs at least one term"),
        (lambda: Clip(given("a", 1), 1.0, 0.0), "low=1.0 is above high=0.0"),
        (lambda: Rescale.corrected(given("a", 1), 1.0), r"chance=1.0 is outside \[0, 1\)"),
        (lambda: Schedule(given("a", 1), 0, 1, 0.5, 0.5), "start=0.5, stop=0.5"),
        (lambda: Stack(("a",), ()), "a Stack of 1 names has 0 terms"),
        (lambda: Stack(("a", "a"), (given("a", 1), given("b", 1))), "names each segment once"),
        (lambda: Stack(("completion", "a"), (given("a", 1), given("b", 1))), "not beside 'completion'"),
    ],
)
def test_expressions_without_meaning_are_refused(make: object, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make()  # type: ignore[operator]
