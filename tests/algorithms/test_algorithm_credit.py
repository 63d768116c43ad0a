"""Advantages: hand arithmetic, the loop oracle, degenerate groups, and segments that reduce to plain GRPO."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reelgym.algorithms import BNPO, CISPO, DAPO, GRPO, GSPO, Algorithm, DrGRPO
from reelgym.errors import RequestError

ALGORITHMS: list[Algorithm] = [GRPO(), DrGRPO(), DAPO(), BNPO(), CISPO(), GSPO()]
NAN = math.nan


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def whole(members: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Return segments and mask of completions that are one segment and trained throughout."""
    return torch.zeros(members, tokens, dtype=torch.int64), torch.ones(members, tokens, dtype=torch.bool)


def oracle(scores: list[float], eps: float | None) -> list[float]:
    """Return the advantages of one column by the plainest loops; NaN members get 0."""
    known = [score for score in scores if not math.isnan(score)]
    if len(known) < 2 or max(known) - min(known) <= 1e-9 * max(1.0, max(abs(k) for k in known)):
        return [0.0] * len(scores)
    mean = math.fsum(known) / len(known)
    scale = 1.0 if eps is None else statistics.stdev(known) + eps
    return [0.0 if math.isnan(score) else (score - mean) / scale for score in scores]


def test_grpo_divides_by_the_unbiased_deviation_plus_eps() -> None:
    # Scores 1, 0, 0, 1: mean 0.5, deviations +-0.5, unbiased variance 4 * 0.25 / 3 = 1/3.
    # So A = +-0.5 / (0.577350... + 0.0001) = +-0.865876...; the biased deviation would give +-0.9998.
    advantages = GRPO().advantages(column(1, 0, 0, 1), *whole(4, 2))
    wanted = 0.5 / (math.sqrt(1 / 3) + 1e-4)
    assert advantages[:, 0].tolist() == pytest.approx([wanted, -wanted, -wanted, wanted], rel=1e-7)
    assert torch.equal(advantages[:, 0], advantages[:, 1])


def test_dr_grpo_only_centres() -> None:
    # Mean of 1, 0, 0.5, 0.5 is 0.5.
    assert DrGRPO().advantages(column(1, 0, 0.5, 0.5), *whole(4, 1))[:, 0].tolist() == [0.5, -0.5, 0.0, 0.0]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
@pytest.mark.parametrize(
    "scores",
    [
        (0.0, 0.0, 0.0),
        (0.1 + 0.2, 0.3, 0.3),  # 0.1 + 0.2 is 0.30000000000000004: float noise is no signal.
        (1e6, 1e6 * (1 + 1e-15), 1e6),
        (0.1, 0.1, 0.1),  # Their mean is not 0.1 in float64.
        (0.7, NAN, NAN),  # One member to compare with none.
        (NAN, NAN, NAN),
    ],
)
def test_a_group_without_variance_gets_exactly_zero(algorithm: Algorithm, scores: tuple[float, ...]) -> None:
    advantages = algorithm.advantages(column(*scores), *whole(3, 2))
    assert advantages.eq(0).all()


def test_a_small_true_difference_is_signal() -> None:
    assert GRPO().advantages(column(0.5, 0.5 + 1e-6), *whole(2, 1))[1, 0] > 0


@given(
    scores=st.lists(
        st.lists(st.one_of(st.just(NAN), st.floats(-3, 3, width=32)), min_size=3, max_size=3), min_size=1, max_size=9
    ),
    which=st.sampled_from(ALGORITHMS),
)
@settings(max_examples=80, deadline=None)
def test_every_column_equals_the_loop_oracle(scores: list[list[float]], which: Algorithm) -> None:
    # Token t of each completion belongs to segment t.
    segments = torch.arange(3).expand(len(scores), 3)
    mask = torch.ones(len(scores), 3, dtype=torch.bool)
    found = which.advantages(torch.tensor(scores, dtype=torch.float64), segments, mask)
    eps = None if which.name == "dr_grpo" else 1e-4
    for place in range(3):
        wanted = oracle([row[place] for row in scores], eps)
        assert found[:, place].tolist() == pytest.approx(wanted, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_segments_are_normalised_apart_and_one_segment_is_the_plain_method_to_the_last_bit(
    algorithm: Algorithm,
) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(6, 3, dtype=torch.float64, generator=generator)
    segments = torch.randint(-1, 3, (6, 11), generator=generator)
    mask = torch.rand(6, 11, generator=generator) > 0.2
    found = algorithm.advantages(scores, segments, mask)
    for place in range(3):
        alone = algorithm.advantages(scores[:, [place]], *whole(6, 11))
        belongs = mask & (segments == place)
        assert torch.equal(found[belongs], alone[belongs])
    assert found[~mask | (segments == -1)].eq(0).all()


def test_a_member_a_score_does_not_apply_to_stands_outside_the_statistics() -> None:
    with_gap = GRPO().advantages(column(1, NAN, 0, 0), *whole(4, 1))
    without = GRPO().advantages(column(1, 0, 0), *whole(3, 1))
    assert torch.equal(with_gap[[0, 2, 3]], without)
    assert with_gap[1, 0] == 0


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(RequestError, match=r"scores \(2, 1\), segments \(3, 4\)"):
        GRPO().advantages(column(1, 0), *whole(3, 4))
    with pytest.raises(RequestError, match="a token is of segment 1, scores have 1 columns"):
        GRPO().advantages(column(1, 0), torch.ones(2, 1, dtype=torch.int64), torch.ones(2, 1, dtype=torch.bool))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GRPO(clip_low=0.0), r"clip_low=0.0, clip_high=0.2: clip_low is in \(0, 1\]"),
        (lambda: DAPO(clip_high=-1.0), "clip_high=-1.0"),
        (lambda: GRPO(eps=0.0), "eps=0.0 must be above 0"),
        (lambda: DrGRPO(max_completion_tokens=0), "max_completion_tokens=0 must be at least 1"),
    ],
)
def test_settings_outside_their_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make()  # type: ignore[operator]
