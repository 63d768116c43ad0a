from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelgym.errors import RequestError
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.choose import choose, logprobs, narrow

CHANCES = torch.tensor([[0.1, 0.4, 0.2, 0.0, 0.3]], dtype=torch.float64)


def kept(**settings: float) -> list[float]:
    return [round(value, 6) for value in narrow(CHANCES.clone(), SamplingParams(**settings))[0].tolist()]


def test_top_k_keeps_the_likeliest() -> None:
    assert kept(top_k=2) == [0, 0.4, 0, 0, 0.3]
    assert kept(top_k=50) == CHANCES[0].tolist()


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    # Ranked: 0.4, 0.3, 0.2, 0.1; sums 0.4, 0.7, 0.9, 1.0.
    assert kept(top_p=0.39) == [0, 0.4, 0, 0, 0]
    assert kept(top_p=0.41) == [0, 0.4, 0, 0, 0.3]
    assert kept(top_p=0.89) == [0, 0.4, 0.2, 0, 0.3]
    assert kept(top_p=1e-9) == [0, 0.4, 0, 0, 0]


def test_top_p_counts_what_top_k_left() -> None:
    # Of 0.4 and 0.3 the first holds 57%: enough for 0.5, not for 0.6.
    assert kept(top_k=2, top_p=0.5) == [0, 0.4, 0, 0, 0]
    assert kept(top_k=2, top_p=0.6) == [0, 0.4, 0, 0, 0.3]


def test_min_p_compares_with_the_likeliest() -> None:
    # 0.5 * 0.4 = 0.2: 0.1 goes, 0.2 stays.
    assert kept(min_p=0.5) == [0, 0.4, 0.2, 0, 0.3]
    assert kept(min_p=0.51) == [0, 0.4, 0, 0, 0.3]


def test_ties_at_the_boundary_keep_the_lowest_id() -> None:
    even = torch.full((1, 4), 0.25, dtype=torch.float64)
    assert narrow(even, SamplingParams(top_k=2))[0].tolist() == [0.25, 0.25, 0, 0]


def test_a_number_picks_the_token_whose_share_it_falls_in() -> None:
    # Shares in order of id: [0, .1) -> 0, [.1, .5) -> 1, [.5, .7) -> 2, [.7, 1) -> 4; id 3 has none.
    numbers = torch.tensor([0.0, 0.05, 0.11, 0.49, 0.51, 0.69, 0.71, 1 - 2**-53], dtype=torch.float64)
    drawn = choose(CHANCES.log().expand(8, -1), numbers, SamplingParams())
    assert drawn.tolist() == [0, 0, 1, 1, 2, 2, 4, 4]


@given(
    st.lists(st.floats(-30, 5), min_size=2, max_size=12),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.05, 1),
    st.integers(0, 5),
    st.floats(0, 0.9),
)
def test_no_token_is_drawn_that_was_dropped(
    logits: list[float], number: float, top_p: float, top_k: int, min_p: float
) -> None:
    params = SamplingParams(top_p=top_p, top_k=top_k, min_p=min_p)
    scores = logprobs(torch.tensor([logits]), torch.tensor([0]), 1.0)
    token = int(choose(scores, torch.tensor([number], dtype=torch.float64), params))
    left = narrow(scores.double().exp(), params)[0]
    assert token != 0
    assert left[token] > 0
    # Loop oracle: walk along the cumulative distribution.
    target, total, right = number * float(left.sum()), 0.0, -1
    for place, share in enumerate(left.tolist()):
        total += share
        if target < total - 1e-12:
            right = place
            break
    assert token == right or abs(target - total) < 1e-9


def test_frequencies_of_drawn_tokens_are_the_distribution() -> None:
    numbers = torch.from_numpy(np.random.default_rng(0).random(20_000))
    drawn = choose(CHANCES.log().expand(20_000, -1), numbers, SamplingParams())
    shares = torch.bincount(drawn, minlength=5) / 20_000
    torch.testing.assert_close(shares.double(), CHANCES[0], atol=0.012, rtol=0)


def test_temperature_zero_takes_the_likeliest_and_scores_it_at_one() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    scores = logprobs(logits.clone(), torch.tensor([], dtype=torch.int64), 0.0)
    assert choose(scores, None, SamplingParams(temperature=0)).tolist() == [1]
    torch.testing.assert_close(scores, logits.log_softmax(-1))


def test_logprobs_divide_by_temperature_and_bar_the_forbidden() -> None:
    # exp(2 / .5) and exp(1 / .5) over their sum; id 1 is barred.
    scores = logprobs(torch.tensor([[2.0, 9.0, 1.0]]), torch.tensor([1]), 0.5)
    expected = [np.exp(4) / (np.exp(4) + np.exp(2)), 0, np.exp(2) / (np.exp(4) + np.exp(2))]
    np.testing.assert_allclose(scores.exp()[0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", 1.0),
        ("stop", ("",)),
        ("stop", "x"),
    ],
)
def test_settings_outside_their_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(RequestError, match=f"{name}="):
        SamplingParams(**{name: value})
