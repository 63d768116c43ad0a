"""PA-GRPO inside verl: rows carry segments and totals exactly, the estimator is ours, verl's own call takes both."""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import subprocess
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelgym.algorithms import PAGRPO
from reelgym.errors import RequestError, WorkError
from reelgym.models.tiny import ASSETS
from reelgym.peers.carried import carry, read
from reelgym.peers.verl import Manager, Settings, as_dict, asked, pa_grpo

TOTALS = st.one_of(st.just(0.0), st.just(math.nan), st.floats(-8, 8, width=32).filter(lambda x: abs(x) > 2**-20))
INDEX = st.lists(st.integers(-1, 1), min_size=3, max_size=30)
CARRIED = '{"id":"q","task":"labelled","answer":"B","evidence":{"kind":"choice","options":["a cat","a dog"]}}'


def padded(rows: list[list[float]]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


@given(st.lists(TOTALS, min_size=2, max_size=2), INDEX)
def test_a_row_gives_back_what_it_was_given(totals: list[float], index: list[int]) -> None:
    index = [-1, -1, *index]
    found, segments = read(padded([carry(totals, index)]), 2)
    assert segments[0].tolist() == index
    assert found[0].tolist() == pytest.approx(totals, abs=0, nan_ok=True)


@given(TOTALS, st.lists(st.integers(-1, 0), min_size=1, max_size=9))
def test_a_row_of_one_segment_sums_to_its_total(total: float, index: list[int]) -> None:
    row = carry([total], [*index, 0])
    assert read(padded([row]), 1)[0].item() == pytest.approx(total, abs=0, nan_ok=True)
    assert math.isnan(total) or sum(row) == pytest.approx(total, abs=1e-12)


def test_the_last_token_of_a_segment_carries_its_total_and_the_others_a_mark() -> None:
    row = carry([1.0, 2.0], [0, 0, -1, 1, 1])
    assert row[1] == 2.0**-52 and row[4] == 2.0 and row[2] == 0.0 and 0 < max(row[0], row[3]) < 2.0**-99


def test_a_reply_of_one_token_and_one_of_nothing_but_an_observation_are_carried() -> None:
    # Nothing was written that could earn: the missing segment's total is 0, without a token to say so.
    rows = padded([carry([0.0, 1.0], [-1]), carry([1.0, 0.0], [0])])
    found, segments = read(rows, 2)
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0]] and segments.tolist() == [[-1], [0]]


def test_what_cannot_be_carried_or_read_is_refused() -> None:
    with pytest.raises(RequestError, match="3 segments: token-level rewards carry 1 to 2"):
        carry([1.0, 1.0, 1.0], [0, 1, 2])
    with pytest.raises(RequestError, match="totals below 64"):
        carry([64.0], [0])
    with pytest.raises(RequestError, match="segment 1 earned 1 and no token is left"):
        carry([1.0, 1.0], [0, 0])
    with pytest.raises(RequestError, match="use_kl_in_reward=False"):
        read(padded([carry([1.0, 1.0], [0, 0, 1, 1])]) - 0.01, 2)
    with pytest.raises(RequestError, match="a token-level reward of 1e-35 was not written"):
        read(torch.tensor([[1e-35]]), 2)


def by_loops(scores: list[list[float]], index: list[list[int]], eps: float = 1e-4) -> list[list[float]]:
    """Return PA-GRPO's advantages token by token, from the equations."""
    found = []
    for row, of in enumerate(index):
        trained = len(of)
        tokens = []
        for segment in of:
            if segment < 0 and any(one >= 0 for one in of):
                tokens.append(0.0)
                continue
            segment = 1 if segment < 0 else segment
            column = [one[segment] for one in scores]
            advantage = (scores[row][segment] - statistics.mean(column)) / (statistics.stdev(column) + eps)
            count = of.count(segment) or trained
            tokens.append(advantage * trained / count)
        found.append(tokens)
    return found


def test_the_estimator_is_pa_grpo_of_every_group_by_loops() -> None:
    index = [[0, 0, 1, 1, 1, -1], [0, 1, 1, -1], [0, 0, 0, 0, 1], [-1, -1, -1]]
    first = [[2.2, 0.0], [1.0, 2.0], [1.0, 1.0], [0.0, 0.25]]
    second = [[0.0, 2.2], [1.2, 1.2], [1.0, 0.0], [0.0, 0.0]]
    # Members of two groups stand mixed, as a trainer may leave them.
    rows = [carry(scores[n], index[n]) for n in range(4) for scores in (first, second)]
    mask = padded([[1.0] * len(index[n]) for n in range(4) for _ in range(2)]).long()
    names = ["a", "b"] * 4
    found, returned = pa_grpo(padded(rows), mask, names, {"adv_estimator": "pa_grpo"})
    assert torch.equal(found, returned) and found.dtype == torch.float32
    for start, scores in ((0, first), (1, second)):
        for row, hand in zip(found[start::2].tolist(), by_loops(scores, index), strict=True):
            assert row[: len(hand)] == pytest.approx(hand, abs=1e-6, rel=1e-6) and not any(row[len(hand) :])


def test_settings_reach_the_estimator_and_unknown_ones_are_refused() -> None:
    index = [[0, 0, 1], [0, 1, 1]]
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    rows, mask = padded([carry(one, of) for one, of in zip(scores.tolist(), index, strict=True)]), torch.ones(2, 3)
    config = {"reelgym": {"cross": 0.5, "average": "completion"}}
    wanted = PAGRPO(cross=0.5, average="completion").advantages(scores, torch.tensor(index), mask.bool())
    assert torch.allclose(pa_grpo(rows, mask, ["a", "a"], config)[0], wanted, atol=1e-6)
    with pytest.raises(RequestError, match="cros"):
        pa_grpo(rows, mask, ["a", "a"], {"reelgym": {"cros": 1}})
    with pytest.raises(RequestError, match="use_kl_in_reward"):
        pa_grpo(rows, mask, ["a", "a"], {"use_kl_in_reward": True})
    with pytest.raises(RequestError, match="use verl's grpo"):
        Settings(perception=False)


def manager(**settings: object) -> tuple[Manager, Any]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ASSETS / "tiny")
    return Manager(SimpleNamespace(algorithm={"reelgym": settings}), tokenizer), tokenizer


def data(ids: list[int], room: int = 4) -> list[SimpleNamespace]:
    """Return what verl hands over: one completion behind a prompt of two tokens, padded."""
    padding = [0] * room
    batch = {
        "responses": torch.tensor(ids + padding),
        "attention_mask": torch.tensor([1, 1, *([1] * len(ids)), *padding]),
    }
    told = {"reward_model": {"ground_truth": CARRIED}, "raw_prompt": [{"role": "user", "content": "<video>Which?"}]}
    return [SimpleNamespace(batch=batch, non_tensor_batch=told)]


def alone(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a thread of its own: browser tests leave a loop running in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_a_reply_gets_a_row_of_its_own_length_with_what_each_segment_earned() -> None:
    made, tokenizer = manager()
    text = "<observation> I see a dog</observation><think>so</think><answer>B</answer>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = alone(made.run_single(data(ids)))
    totals, segments = read(padded([found["reward_score"]]), 2)
    # The dog is in it (1) and its tags are right (1); the answer is right (1) and its tags (1); both are too short.
    assert totals.tolist() == [[2.0, 2.0]] and len(found["reward_score"]) == len(ids)
    assert set(segments[0].tolist()) == {0, 1} and segments[0].tolist() == sorted(segments[0].tolist())
    wanted = {"reward_observation": 2.0, "reward_think+answer": 2.0, "acc": 1.0, "valid": 1.0, "score": 4.0}
    assert found["reward_extra_info"] == wanted


@pytest.mark.parametrize(
    ("text", "totals"),
    [
        ("B", [0.0, 1.0]),
        ("<observation>a dog</observation><think>so", [2.0, 0.0]),
        ("<think>so</think><answer>A</answer>", [0.0, 1.0]),
        ("<observation>a cat</observation>", [1.0, 0.0]),
    ],
)
def test_a_malformed_reply_is_carried_too(text: str, totals: list[float]) -> None:
    made, tokenizer = manager(length=False)
    found = alone(made.run_single(data(tokenizer(text, add_special_tokens=False)["input_ids"])))
    assert read(padded([found["reward_score"]]), 2)[0].tolist() == [totals]


class Output(SimpleNamespace):
    """Stands for verl's output of an agent loop."""

    def as_dict(self) -> dict[str, Any]:
        scores = torch.zeros(len(self.response_ids))
        scores[-1] = self.reward_score
        return {"rm_scores": scores, "other": 1}


def test_a_row_stands_where_one_score_stood_and_a_score_stays_as_it_was() -> None:
    row = carry([1.0, 2.0], [0, 0, 1])
    output = Output(response_ids=[5, 6, 7], reward_score=row)
    found = as_dict(output, Output.as_dict)
    assert found["rm_scores"].tolist() == row and found["other"] == 1 and output.reward_score is row
    assert as_dict(Output(response_ids=[5, 6], reward_score=0.5), Output.as_dict)["rm_scores"].tolist() == [0.0, 0.5]
    with pytest.raises(WorkError, match="a row of 3 token-level rewards for 2 tokens"):
        as_dict(Output(response_ids=[5, 6], reward_score=row), Output.as_dict)


def test_judges_are_told_the_question_and_that_there_was_a_video() -> None:
    listed = [{"type": "video"}, {"type": "text", "text": "Which?"}]
    for content in ("<video>Which?", listed):
        (message,) = asked(CARRIED, [{"role": "user", "content": content}]).messages
        assert [type(part).__name__ for part in message.parts] == ["Text", "Clip"]
    with pytest.raises(WorkError, match="was not written by"):
        asked("42")


def test_verls_own_call_gives_the_same(repository: Path) -> None:
    python = os.environ.get("REELGYM_VERL")
    if not python:
        pytest.skip("verl is not at hand: REELGYM_VERL names the python of an environment with it (scripts/peers)")
    script = repository / "scripts" / "peers" / "verl_credit.py"
    path = {"PYTHONPATH": str(repository / "src")}
    done = subprocess.run([python, str(script)], capture_output=True, text=True, timeout=300, env=os.environ | path)
    assert done.returncode == 0 and "FAULT" not in done.stdout, done.stdout + done.stderr
