"""What judges and scorers make of bad input: it is told, it is counted, and it is never a silent 0."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from reelgym.data.form import faults
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.errors import WorkError
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import grade
from reelgym.judges import EndpointJudge, RuleJudge
from reelgym.judges.endpoint import key_of
from reelgym.rewards import Case, Perception, Verdict
from reelgym.rewards.perception import LEDGER
from reelgym.rollout.chat import Chat, Endpoint

TAGGED = "<observation>two cats</observation><think>so</think>{}"


def sample(kind: str, answer: str, **evidence: object) -> Sample:
    messages = (Message("user", (Text("What is it?"),)),)
    about = {"kind": kind, **evidence}
    return Sample(
        id="s",
        task="labelled",
        messages=messages,
        answer=answer,
        split="test",
        evidence=about,
        provenance={"source": "v"},
    )


def test_an_endpoint_that_is_down_ends_the_work_in_one_line_that_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    judge = EndpointJudge(Chat(Endpoint(url=url, model="m", backoff_seconds=0.01, retries=1)))
    with pytest.raises(WorkError, match=r"does not answer .* start it or check the address, then repeat"):
        judge.judge([Case(sample("choice", "A", options=["a cat", "a dog"]), "a cat", "k")])


def test_no_verdict_is_a_reward_that_does_not_apply() -> None:
    empty = np.zeros(0)
    turn = Turn(ids=empty.astype(np.int64), logprobs=empty.astype(np.float32), loss_mask=empty > 0, text="", stop="eos")
    member = Trajectory(turns=(turn,), ledger={LEDGER: Verdict(None, "silent").to_json()})
    question = sample("choice", "A", options=["a cat", "a dog"])
    assert np.isnan(Perception().score(Group(sample=question, trajectories=(member,)))).all()


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (TAGGED.format(""), "answer missing"),
        (TAGGED.format("<answer></answer>"), "answer empty"),
        (TAGGED.format("<answer>A"), "answer not closed"),
    ],
)
def test_a_chain_without_an_answer_is_a_named_fault_and_counted_as_unreadable(reply: str, fault: str) -> None:
    row = grade(sample("choice", "A", options=["a cat", "a dog"]), reply)
    found = Evaluation(model="m", position_rule="", variant="tagged", probe=None, max_tokens=9, rows=(row,))
    assert fault in faults(reply) and not row.valid and row.parsed is None
    assert found.mean("invalid").mean == 1.0 and found.mean().mean == 0.0


def test_options_of_equal_text_are_named_by_their_letter_alone() -> None:
    twins = sample("choice", "B", options=["a cat", "a cat", "a dog"])
    assert [grade(twins, f"<answer>{text}</answer>").valid for text in ("a cat", "B", "B. a cat", "a dog")] == [
        False,
        True,
        True,
        True,
    ]
    assert grade(twins, "<answer>B</answer>").value == 1.0 and grade(twins, "<answer>A</answer>").value == 0.0
    assert key_of(twins) == "B. a cat"
    # To a rule that reads words both are the right one: the observation leaves nothing open that words could close.
    assert RuleJudge().judge([Case(twins, "there is a cat", "k"), Case(twins, "there is a dog", "k")])[1].score == 0.0


@pytest.mark.parametrize("words", ["three", "about three", "drei", "\u4e09"])
def test_a_numeric_answer_in_words_is_unreadable_and_never_a_wrong_number(words: str) -> None:
    row = grade(sample("number", "3"), f"<answer>{words}</answer>")
    assert (row.valid, row.parsed, row.value) == (False, None, 0.0)


def test_an_answer_in_another_script_is_read_where_it_is_a_digit_or_a_wide_letter() -> None:
    assert grade(sample("number", "3"), "<answer>\u0663</answer>").value == 1.0
    letters = sample("choice", "B", options=["a cat", "a dog"])
    assert grade(letters, "<answer>\uff22</answer>").value == 1.0
    # A letter that only looks like B (Cyrillic) names no option.
    assert not grade(letters, "<answer>\u0412</answer>").valid
    chinese = sample("choice", "A", options=["\u732b", "\u72d7"])
    assert grade(chinese, "<answer>\u732b</answer>").value == 1.0
