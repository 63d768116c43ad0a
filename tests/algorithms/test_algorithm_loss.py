"""Losses: value by hand, gradient sign, mask and micro-batch invariance, degenerate groups, the loop oracle."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reelgym.algorithms import BNPO, CISPO, DAPO, GRPO, GSPO, Algorithm, DrGRPO, LossSum, cross_entropy
from reelgym.errors import RequestError

ALGORITHMS: list[Algorithm] = [GRPO(), DrGRPO(max_completion_tokens=10), DAPO(), BNPO(), CISPO(), GSPO()]
by_name = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)


def rows(*values: list[float]) -> Tensor:
    return torch.tensor(values)


def mean(loss: LossSum) -> Tensor:
    return loss.total / loss.count


def example(seed: int = 0, members: int = 5, tokens: int = 7) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, tokens + 1, (members, 1), generator=generator)
    mask = torch.arange(tokens)[None] < lengths
    mask &= torch.rand(members, tokens, generator=generator) > 0.1
    mask[:, 0] = True
    logprobs = -torch.rand(members, tokens, generator=generator) * 2
    old = logprobs + 0.4 * torch.randn(members, tokens, generator=generator)
    ref = logprobs + 0.4 * torch.randn(members, tokens, generator=generator)
    advantages = torch.randn(members, tokens, generator=generator)
    return {"logprobs": logprobs, "old": old, "ref": ref, "advantages": advantages, "mask": mask}


def loss_of(algorithm: Algorithm, given: dict[str, Tensor], *, kl_coef: float = 0.1) -> LossSum:
    return algorithm.loss(
        given["logprobs"], given["old"], given["ref"], given["advantages"], given["mask"], kl_coef=kl_coef
    )


def oracle(algorithm: Algorithm, given: dict[str, Tensor], kl_coef: float) -> tuple[float, float]:
    """Return (sum, count) by the plainest loops over the definition."""
    low, high = algorithm.clip_low, algorithm.clip_high  # type: ignore[attr-defined]
    total, trained, sequences = 0.0, 0, 0
    for member in range(len(given["mask"])):
        tokens = [token for token in range(given["mask"].shape[1]) if given["mask"][member, token]]
        drifts = [float(given["logprobs"][member, token] - given["old"][member, token]) for token in tokens]
        losses = []
        for token, drift in zip(tokens, drifts, strict=True):
            new, ref, credit = (float(given[k][member, token]) for k in ("logprobs", "ref", "advantages"))
            ratio = math.exp(sum(drifts) / len(drifts) if algorithm.name == "gspo" else drift)
            bounded = min(max(ratio, 1 - low), 1 + high)
            k3 = math.exp(ref - new) - (ref - new) - 1
            surrogate = bounded * credit * new if algorithm.name == "cispo" else min(ratio * credit, bounded * credit)
            losses.append(-surrogate + kl_coef * k3)
        sequences += bool(losses)
        trained += len(losses)
        total += sum(losses) / len(losses) if algorithm.name in ("grpo", "gspo") and losses else sum(losses)
    counts = {"grpo": sequences, "gspo": sequences, "dr_grpo": sequences * 10}
    return total, counts.get(algorithm.name, trained)


def test_the_three_aggregations_by_hand() -> None:
    # On policy every ratio is 1, so a token's loss is -A. Member 0 has one token of credit 1, member 1 three of -1:
    # token losses -1 and 1, 1, 1.
    logprobs = rows([-1.0, 0.0, 0.0], [-1.0, -2.0, -3.0])
    advantages = rows([1.0, 9.0, 9.0], [-1.0, -1.0, -1.0])
    mask = torch.tensor([[True, False, False], [True, True, True]])

    def of(algorithm: Algorithm) -> tuple[float, float]:
        found = algorithm.loss(logprobs, logprobs, None, advantages, mask)
        return found.total.item(), float(found.count)

    assert of(GRPO()) == (0.0, 2.0)  # Means of sequences: -1 and 1; two sequences.
    assert of(DrGRPO(max_completion_tokens=10)) == (2.0, 20.0)  # -1 + 3, over 2 sequences * 10.
    assert of(DAPO()) == of(BNPO()) == (2.0, 4.0)  # -1 + 3, over 4 tokens.
    assert of(GSPO()) == of(GRPO())
    # CISPO weighs log-probs: -1 * -1 * 1 = 1, and 1 * (-1 - 2 - 3) = -6.
    assert of(CISPO()) == (-5.0, 4.0)


def test_the_ratio_is_clipped_only_where_clipping_lowers_the_objective() -> None:
    # Ratios 1.5, 1.5, 0.5, 0.5 with credit +1, -1, +1, -1, clip 0.2:
    #   +1 at 1.5: min(1.5, 1.2) = 1.2, clipped     -1 at 1.5: min(-1.5, -1.2) = -1.5, kept
    #   +1 at 0.5: min(0.5, 0.8) = 0.5, kept        -1 at 0.5: min(-0.5, -0.8) = -0.8, clipped
    logprobs = torch.log(rows([1.5, 1.5, 0.5, 0.5])).requires_grad_()
    advantages = rows([1.0, -1.0, 1.0, -1.0])
    found = GRPO().loss(logprobs, torch.zeros(1, 4), None, advantages, torch.ones(1, 4, dtype=torch.bool))
    assert found.total.item() == pytest.approx(-(1.2 - 1.5 + 0.5 - 0.8) / 4)
    found.total.backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    # d(-r A)/d logprob = -r A where it is kept, 0 where it is clipped; a quarter each by the mean over tokens.
    assert logprobs.grad[0].tolist() == pytest.approx([0.0, 1.5 / 4, -0.5 / 4, 0.0])
    assert float(found.metrics["clip_fraction"][0] / found.metrics["clip_fraction"][1]) == 0.5


def test_dapo_lets_the_ratio_rise_further_than_it_may_fall() -> None:
    logprobs = torch.log(rows([1.5, 0.5]))
    mask = torch.ones(1, 2, dtype=torch.bool)
    found = DAPO().loss(logprobs, torch.zeros(1, 2), None, rows([1.0, -1.0]), mask)
    assert found.total.item() == pytest.approx(-(1.28 - 0.8))


def test_cispo_keeps_the_gradient_of_every_token_under_a_bounded_weight() -> None:
    # Ratios 6, 2, 1/4 with credit 1, -1, 1: weights 5 (cut), 2, 1/4; d(-w A logprob)/d logprob = -w A, over 3 tokens.
    logprobs = torch.log(rows([6.0, 2.0, 0.25])).requires_grad_()
    found = CISPO().loss(logprobs, torch.zeros(1, 3), None, rows([1.0, -1.0, 1.0]), torch.ones(1, 3, dtype=torch.bool))
    (found.total / found.count).backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None and logprobs.grad[0].tolist() == pytest.approx([-5 / 3, 2 / 3, -0.25 / 3])
    assert found.total.item() == pytest.approx(-(5 * math.log(6) - 2 * math.log(2) + 0.25 * math.log(0.25)))
    assert float(found.metrics["clip_fraction"][0]) == 1


def test_gspo_clips_sequences_as_a_whole_and_leaves_each_token_its_own_credit() -> None:
    # Row 0: ratios 4 and 1/4, whose geometric mean is 1: nothing is clipped, though GRPO would clip both tokens.
    # Row 1: ratios 2 and 1/2 ** 0.5: mean of logs is ln(2) / 4, ratio 1.189 above 1 + 0.1: a credit of 1 is clipped,
    # the same ratio under -1 is not.
    logprobs = torch.log(rows([4.0, 0.25], [2.0, 0.5**0.5])).requires_grad_()
    advantages = rows([1.0, 3.0], [1.0, -1.0])
    found = GSPO(clip_low=0.1, clip_high=0.1).loss(logprobs, torch.zeros(2, 2), None, advantages, advantages != 0)
    ratio = 2**0.25
    assert found.total.item() == pytest.approx(-(1 + 3) / 2 - (1.1 - ratio) / 2, rel=1e-6)
    found.total.backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    assert logprobs.grad.flatten().tolist() == pytest.approx([-0.5, -1.5, 0.0, ratio / 2])


def test_k3_by_hand_and_its_pull() -> None:
    # ref - new = ln 2: k3 = 2 - ln 2 - 1 = 0.306853; its derivative by new is 1 - 2 = -1: the loss falls as the
    # policy moves up to the reference.
    logprobs = rows([-math.log(2)]).requires_grad_()
    mask = torch.ones(1, 1, dtype=torch.bool)
    found = GRPO().loss(logprobs, logprobs.detach(), torch.zeros(1, 1), torch.zeros(1, 1), mask, kl_coef=0.5)
    assert found.total.item() == pytest.approx(0.5 * (1 - math.log(2)))
    found.total.backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None and float(logprobs.grad) == pytest.approx(-0.5)
    assert float(found.metrics["kl"][0]) == pytest.approx(1 - math.log(2))


@by_name
def test_a_descent_step_raises_what_has_credit_and_lowers_what_has_blame(algorithm: Algorithm) -> None:
    given = example()
    logprobs = given["logprobs"].clone().requires_grad_()
    mean(loss_of(algorithm, given | {"logprobs": logprobs, "old": given["logprobs"]}, kl_coef=0.0)).backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    trained = given["mask"]
    assert torch.equal(logprobs.grad.sign()[trained], -given["advantages"].sign()[trained])
    assert logprobs.grad[~trained].eq(0).all()


@by_name
@given(seed=st.integers(0, 10_000), kl_coef=st.sampled_from([0.0, 0.04, 1.0]))
@settings(max_examples=30, deadline=None)
def test_the_loss_equals_the_loop_oracle(algorithm: Algorithm, seed: int, kl_coef: float) -> None:
    case = example(seed)
    found = loss_of(algorithm, case, kl_coef=kl_coef)
    total, count = oracle(algorithm, case, kl_coef)
    assert found.total.item() == pytest.approx(total, rel=1e-4, abs=1e-5)
    assert float(found.count) == count


@by_name
@pytest.mark.parametrize("junk", [math.nan, 1e30, -math.inf])
def test_what_lies_under_the_mask_never_matters(algorithm: Algorithm, junk: float) -> None:
    given = example()
    spoilt = {k: v if k == "mask" else torch.where(given["mask"], v, junk) for k, v in given.items()}
    spoilt["logprobs"].requires_grad_()
    clean, found = loss_of(algorithm, given), loss_of(algorithm, spoilt)
    assert torch.equal(clean.total, found.total) and torch.equal(clean.count, found.count)
    found.total.backward()  # type: ignore[no-untyped-call]
    gradient = spoilt["logprobs"].grad
    assert gradient is not None and gradient[~given["mask"]].eq(0).all() and gradient.isfinite().all()


@by_name
def test_more_padding_and_rows_without_a_trained_token_change_nothing(algorithm: Algorithm) -> None:
    given = example()
    wider = {k: torch.nn.functional.pad(v, (0, 3, 0, 2)) for k, v in given.items()}
    clean, found = loss_of(algorithm, given), loss_of(algorithm, wider)
    assert found.total.item() == pytest.approx(float(clean.total), rel=1e-6)
    assert torch.equal(clean.count, found.count)


@by_name
@given(cut=st.integers(1, 4), order=st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_micro_batches_and_order_change_neither_loss_nor_gradient(
    algorithm: Algorithm, cut: int, order: list[int]
) -> None:
    case = example(3)

    def run(parts: list[list[int]]) -> tuple[float, Tensor]:
        logprobs = case["logprobs"].clone().requires_grad_()
        losses = []
        for part in parts:
            losses.append(loss_of(algorithm, {k: v[part] for k, v in (case | {"logprobs": logprobs}).items()}))
            losses[-1].total.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        joined = LossSum.join(losses)
        assert logprobs.grad is not None
        return mean(joined).item(), logprobs.grad / joined.count

    value, gradient = run([list(range(5))])
    again, gradient_again = run([order[:cut], order[cut:]])
    assert again == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(gradient_again, gradient, rtol=1e-5, atol=1e-8)


@by_name
def test_a_group_without_credit_has_no_gradient_and_still_counts(algorithm: Algorithm) -> None:
    given = example()
    logprobs = given["logprobs"].clone().requires_grad_()
    found = loss_of(algorithm, given | {"logprobs": logprobs, "advantages": torch.zeros(5, 7)}, kl_coef=0.0)
    found.total.backward()  # type: ignore[no-untyped-call]
    assert found.total.item() == 0 and logprobs.grad is not None and logprobs.grad.eq(0).all()
    assert torch.equal(found.count, loss_of(algorithm, given).count)


@by_name
def test_nothing_trained_is_a_sum_and_count_of_zero(algorithm: Algorithm) -> None:
    given = example()
    found = loss_of(algorithm, given | {"mask": torch.zeros_like(given["mask"])})
    assert found.total.item() == 0 and float(found.count) == 0


def test_a_divergence_without_a_reference_is_refused() -> None:
    given = example()
    with pytest.raises(RequestError, match=r"kl_coef=0.1 needs the reference's log-probs"):
        GRPO().loss(given["logprobs"], given["old"], None, given["advantages"], given["mask"], kl_coef=0.1)


def test_cross_entropy_by_hand() -> None:
    # Tokens of probability 1/2, 1/4, and a masked one: -ln(1/8) over 2 tokens.
    logprobs = torch.log(rows([0.5, 0.25, 0.9])).requires_grad_()
    found = cross_entropy(logprobs, torch.tensor([[True, True, False]]))
    assert found.total.item() == pytest.approx(math.log(8)) and float(found.count) == 2
    found.total.backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None and logprobs.grad[0].tolist() == [-1.0, -1.0, 0.0]


def test_cross_entropy_ignores_what_lies_under_the_mask() -> None:
    logprobs = rows([-1.0, math.nan]).requires_grad_()
    found = cross_entropy(logprobs, torch.tensor([[True, False]]))
    found.total.backward()  # type: ignore[no-untyped-call]
    assert found.total.item() == 1.0 and logprobs.grad is not None and logprobs.grad[0].tolist() == [-1.0, 0.0]
