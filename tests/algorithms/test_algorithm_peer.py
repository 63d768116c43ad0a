"""Our losses equal those of TRL 1.16 on the same tensors; golden values by `scripts/make_golden_losses.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reelgym.algorithms import BNPO, CISPO, DAPO, GRPO, GSPO, Clipped, DrGRPO

GOLDEN = json.loads((Path(__file__).parent / "golden" / "trl_losses.json").read_text(encoding="utf-8"))
KINDS: dict[str, type[Clipped]] = {kind.name: kind for kind in (GRPO, BNPO, DrGRPO, DAPO, CISPO, GSPO)}
by_case = pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['algorithm']}-{case['kl_coef']}")


def algorithm(case: dict[str, Any]) -> Clipped:
    own = {"max_completion_tokens": GOLDEN["max_completion_tokens"]} if case["algorithm"] == "dr_grpo" else {}
    return KINDS[case["algorithm"]](clip_low=case["clip_low"], clip_high=case["clip_high"], **own)


def given(dtype: torch.dtype) -> list[Tensor]:
    inputs = GOLDEN["inputs"]
    logprobs, old, ref, scalar = (
        torch.tensor(inputs[name], dtype=dtype) for name in ("logprobs", "old_logprobs", "ref_logprobs", "advantages")
    )
    return [logprobs, old, ref, scalar[:, None].expand_as(logprobs), torch.tensor(inputs["mask"])]


@by_case
def test_every_token_and_its_gradient_are_the_peers_in_float64(case: dict[str, Any]) -> None:
    logprobs, *others = given(torch.float64)
    logprobs.requires_grad_()
    tokens = algorithm(case).tokens(logprobs, *others, kl_coef=case["kl_coef"]).loss
    torch.testing.assert_close(tokens, torch.tensor(case["tokens"], dtype=torch.float64), rtol=0, atol=1e-10)
    loss = algorithm(case).loss(logprobs, *others, kl_coef=case["kl_coef"])
    mean = loss.total / loss.count
    assert mean.item() == pytest.approx(case["loss"], abs=1e-10)
    mean.backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    torch.testing.assert_close(logprobs.grad, torch.tensor(case["gradient"], dtype=torch.float64), rtol=0, atol=1e-10)


@by_case
def test_the_sum_is_the_peers_in_float32(case: dict[str, Any]) -> None:
    loss = algorithm(case).loss(*given(torch.float32), kl_coef=case["kl_coef"])
    assert (loss.total / loss.count).item() == pytest.approx(case["loss_float32"], rel=1e-6, abs=1e-6)


def test_the_golden_tensors_reach_every_branch() -> None:
    logprobs, old, _, advantages, mask = given(torch.float64)
    ratio, sign = (logprobs - old).exp()[mask], advantages.sign()[mask]
    for high, side in ((True, 1.0), (False, -1.0), (True, -1.0), (False, 1.0)):
        beyond = ratio > 1.28 if high else ratio < 0.8
        assert bool((beyond & (sign == side)).any())
    assert bool((ratio > 1.5).any())  # The bound of cispo.
    means = (torch.where(mask, logprobs - old, 0.0).sum(1) / mask.sum(1)).exp()
    assert bool((means > 1.04).any()) and bool((means < 0.97).any()) and not bool(mask.all(1).all())
