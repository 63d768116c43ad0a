"""PA-GRPO: a group of four by hand, each switch alone, the equation as loops, and GRPO as its one-segment case."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reelgym.algorithms import GRPO, PAGRPO
from reelgym.errors import RequestError

P, R = 0, 1
"""Columns: observation, and think + answer."""
SEGMENTS = torch.tensor([[P, P, R, R, R, R], [P, R, R, -1, -1, -1], [P, P, P, P, P, R], [-1] * 6])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]]).bool()
SCORES = torch.tensor([[2.2, 0.0], [1.0, 2.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)

# Perception 2.2, 1, 1, 0: mean 1.05, deviations 1.15, -0.05, -0.05, -1.05; squares 1.3225 + 0.0025 + 0.0025 + 1.1025
# = 2.43, over 3: 0.81, root 0.9. Reasoning 0, 2, 1, 0: mean 0.75; -0.75, 1.25, 0.25, -0.75; 0.5625 + 1.5625 + 0.0625 +
# 0.5625 = 2.75, over 3: 0.916666..., root 0.957427.
A_P = [1.15 / 0.9001, -0.05 / 0.9001, -0.05 / 0.9001, -1.05 / 0.9001]
SIGMA_R = math.sqrt(2.75 / 3) + 1e-4
A_R = [-0.75 / SIGMA_R, 1.25 / SIGMA_R, 0.25 / SIGMA_R, -0.75 / SIGMA_R]


def advantages(**settings: object) -> list[list[float]]:
    return PAGRPO(**settings).advantages(SCORES, SEGMENTS, MASK).tolist()  # type: ignore[arg-type]


def close(found: list[list[float]], wanted: list[list[float]]) -> None:
    for row, hand in zip(found, wanted, strict=True):
        assert row == pytest.approx(hand, rel=1e-6)


def test_a_group_of_four_by_hand() -> None:
    # A token of segment k carries A_ik n_i / n_ik. Row 0: n = 6, P has 2 (x 3), R has 4 (x 1.5). Row 1: n = 4, P 1
    # (x 4), R 2 (x 2), one token outside. Row 2: n = 6, P 5 (x 1.2), R 1 (x 6). Row 3 has none: R's on all 3.
    close(
        advantages(),
        [
            [3 * A_P[0]] * 2 + [1.5 * A_R[0]] * 4,
            [4 * A_P[1], 2 * A_R[1], 2 * A_R[1], 0, 0, 0],
            [1.2 * A_P[2]] * 5 + [6 * A_R[2]],
            [A_R[3]] * 3 + [0] * 3,
        ],
    )


def test_averaging_over_the_completion_leaves_the_z_scores_as_they_are() -> None:
    close(
        advantages(average="completion"),
        [
            [A_P[0]] * 2 + [A_R[0]] * 4,
            [A_P[1], A_R[1], A_R[1], 0, 0, 0],
            [A_P[2]] * 5 + [A_R[2]],
            [A_R[3]] * 3 + [0] * 3,
        ],
    )


def test_a_completion_without_segments_may_take_no_credit() -> None:
    with_last, without = advantages(), advantages(elsewhere="none")
    assert without[3] == [0.0] * 6
    assert without[:3] == with_last[:3]


def test_a_segment_that_was_not_written_may_be_answered_for_by_all_that_was() -> None:
    # Row 1 lacks its observation (n = 4, R has 3, one token outside), row 3 has no segment at all.
    bare = SEGMENTS.clone()
    bare[1, 0] = R
    plain = PAGRPO().advantages(SCORES, bare, MASK).tolist()
    owed = PAGRPO(missing="all").advantages(SCORES, bare, MASK).tolist()
    close([plain[1]], [[4 / 3 * A_R[1]] * 3 + [0] * 3])
    close([owed[1]], [[4 / 3 * A_R[1] + A_P[1]] * 3 + [A_P[1]] + [0] * 2])
    assert [owed[row] for row in (0, 2, 3)] == [plain[row] for row in (0, 2, 3)]


def test_without_separation_every_trained_token_carries_the_sum() -> None:
    wanted = [[(A_P[row] + A_R[row]) * float(on) for on in MASK[row]] for row in range(4)]
    close(advantages(credit="all"), wanted)


def test_cross_credit_adds_to_the_observation_alone() -> None:
    plain, cross = advantages(average="completion"), advantages(average="completion", cross=0.5)
    for row in range(4):
        for token in range(6):
            extra = 0.5 * A_R[row] if SEGMENTS[row, token] == P and MASK[row, token] else 0.0
            assert cross[row][token] - plain[row][token] == pytest.approx(extra, abs=1e-6)


def oracle(
    scores: Tensor, segments: Tensor, mask: Tensor, logs: tuple[Tensor, Tensor, Tensor], kl_coef: float
) -> float:
    """Return the loss as the equation reads: segment means summed, the divergence once, both by plain loops."""
    new, old, ref = logs
    columns = [statistics.stdev(column) for column in scores.T.tolist()]
    means = [statistics.fmean(column) for column in scores.T.tolist()]
    total, count = 0.0, 0
    for i in range(len(scores)):
        trained = [t for t in range(mask.shape[1]) if mask[i, t]]
        if not trained:
            continue
        count += 1
        for k, (mean, deviation) in enumerate(zip(means, columns, strict=True)):
            own = [t for t in trained if segments[i, t] == k]
            if not own or deviation == 0:
                continue
            credit = (float(scores[i, k]) - mean) / (deviation + 1e-4)
            ratios = [math.exp(float(new[i, t] - old[i, t])) for t in own]
            clipped = [min(r * credit, min(max(r, 0.8), 1.2) * credit) for r in ratios]
            total -= math.fsum(clipped) / len(own)
        gaps = [float(ref[i, t] - new[i, t]) for t in trained]
        total += kl_coef * math.fsum(math.exp(gap) - gap - 1 for gap in gaps) / len(trained)
    return total / max(count, 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kl_coef", [0.0, 0.3])
def test_the_loss_is_the_equation_by_loops(seed: int, kl_coef: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    members, tokens = 5, 9
    segments = torch.randint(-1, 2, (members, tokens), generator=draw)
    segments[:, :2] = torch.tensor([P, R])
    mask = torch.rand(members, tokens, generator=draw) < 0.8
    mask[:, 0] = True
    scores = torch.rand(members, 2, generator=draw, dtype=torch.float64)
    new, old, ref = (-3 * torch.rand(members, tokens, generator=draw) for _ in range(3))
    algorithm = PAGRPO()
    loss = algorithm.loss(new, old, ref, algorithm.advantages(scores, segments, mask), mask, kl_coef=kl_coef)
    wanted = oracle(scores, segments, mask, (new, old, ref), kl_coef)
    assert float(loss.total / loss.count) == pytest.approx(wanted, rel=2e-5, abs=2e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), kl_coef=st.sampled_from([0.0, 0.1]), cross=st.sampled_from([0.0, 0.5]))
def test_with_one_segment_it_is_grpo_to_the_last_bit(seed: int, kl_coef: float, cross: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    members, tokens = 4, 7
    mask = torch.rand(members, tokens, generator=draw) < 0.7
    segments = torch.zeros(members, tokens, dtype=torch.int64)
    scores = torch.rand(members, 1, generator=draw, dtype=torch.float64)
    logs = [-2 * torch.rand(members, tokens, generator=draw) for _ in range(3)]
    for other in (PAGRPO(cross=cross), PAGRPO(credit="all"), PAGRPO(average="completion"), PAGRPO(missing="all")):
        plain, ours = GRPO().advantages(scores, segments, mask), other.advantages(scores, segments, mask)
        assert torch.equal(plain, ours)
        first = GRPO().loss(*logs, plain, mask, kl_coef=kl_coef)
        second = other.loss(*logs, ours, mask, kl_coef=kl_coef)
        assert torch.equal(first.total, second.total) and torch.equal(first.count, second.count)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_segment_s_reward_moves_no_token_of_another(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    segments = torch.randint(-1, 2, (4, 8), generator=draw)
    mask = torch.rand(4, 8, generator=draw) < 0.8
    scores = torch.rand(4, 2, generator=draw, dtype=torch.float64)
    other = torch.stack([torch.rand(4, generator=draw, dtype=torch.float64), scores[:, R]], 1)
    algorithm = PAGRPO(elsewhere="none")
    first, second = algorithm.advantages(scores, segments, mask), algorithm.advantages(other, segments, mask)
    assert torch.equal(first[segments != P], second[segments != P])


def test_settings_outside_their_range_name_what_is_allowed() -> None:
    with pytest.raises(RequestError, match="cross=-1"):
        PAGRPO(cross=-1)
    with pytest.raises(RequestError, match="pa_grpo missing 'last'"):
        PAGRPO(missing="last")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="pa_grpo average 'token'"):
        PAGRPO(average="token")  # type: ignore[arg-type]
