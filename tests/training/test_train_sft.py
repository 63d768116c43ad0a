"""The supervised loop: the loss by the oracle, masked prompts, token-budget batches, memorising, held-out loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_runs import load, media, numbers, sft_run

from reelgym.errors import RequestError
from reelgym.models.base import Policy
from reelgym.training import Example, SFTRun, sft


def train(run: SFTRun, out: Path) -> list[dict[str, float]]:
    sft.train(run, out, load=load)
    return numbers(out)


def oracle(policy: Policy, example: Example) -> tuple[float, int]:
    """Return (summed loss, tokens) of a reply by one plain forward of the stock model, token by token."""
    prompt = policy.encode(example.messages, media, generate=True)
    reply = torch.tensor([*policy.tokenize(example.reply), policy.end_id])
    ids = torch.cat([prompt.ids, reply])
    after = prompt.next_position + torch.arange(len(reply))
    positions = torch.cat([prompt.positions, after.expand(3, -1)], 1)
    policy.set_attention("sdpa")
    with torch.no_grad():
        hidden = policy.hidden(ids[None], positions[:, None], features=policy.features([prompt])).last_hidden_state
        logits = policy.logits(hidden)[0]
    logits[:, policy.forbidden_ids] = -torch.inf
    scores = logits.log_softmax(-1)
    # The logits at a token predict the next one; the prompt's own tokens are no targets.
    places = range(len(prompt.ids), len(ids))
    return -sum(float(scores[place - 1, ids[place]]) for place in places), len(reply)


def test_the_first_loss_is_that_of_the_stock_model_per_reply_token(tmp_path: Path) -> None:
    run = sft_run(steps=1, examples_per_step=5)
    row = train(run, tmp_path)[0]
    parts = [oracle(load("small"), example) for example in run.data.items]
    assert row["loss/nll"] == pytest.approx(sum(p[0] for p in parts) / sum(p[1] for p in parts), rel=1e-5)
    assert row["train/reply_tokens"] == sum(p[1] for p in parts)


def test_the_token_budget_does_not_change_the_numbers(tmp_path: Path) -> None:
    one, many = train(sft_run(steps=2), tmp_path / "a"), train(sft_run(steps=2, micro_batch_tokens=1), tmp_path / "b")
    for left, right in zip(one, many, strict=True):
        for name in left:
            assert left[name] == pytest.approx(right[name], rel=2e-3), name


def test_it_memorises_and_the_held_out_loss_falls_with_it(tmp_path: Path) -> None:
    rows = train(
        sft_run(evaluated=True, steps=25, eval_every=25, save_every=100, examples_per_step=5, lr=1e-2), tmp_path
    )
    assert rows[-1]["loss/nll"] < 0.3 * rows[1]["loss/nll"]
    assert rows[-1]["eval/nll"] < 0.3 * rows[0]["eval/nll"]
    assert rows[-1]["eval/score"] == -rows[-1]["eval/nll"]


def test_a_reply_above_the_cap_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"example \d: its reply has \d+ tokens, max_reply_tokens=1"):
        train(sft_run(max_reply_tokens=1), tmp_path)
