"""Looking and reasoning measured apart: values by hand, what is asked, what is never taken for agreement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Said, serving
from evaluation_samples import Script, media, sample, turn

from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.segments import segment
from reelgym.data.trajectory import Group, Trajectory
from reelgym.errors import RequestError
from reelgym.evaluation.process import Around, Wanted, measured, write
from reelgym.evaluation.process.observed import observed
from reelgym.evaluation.process.segments import table
from reelgym.evaluation.process.sufficiency import observations, shown, sufficiency
from reelgym.evaluation.process.thinking import mismatch, stated
from reelgym.evaluation.results import Evaluation, read
from reelgym.evaluation.results import write as write_evaluation
from reelgym.evaluation.runner import evaluate, grade
from reelgym.evaluation.speakers import Manners
from reelgym.judges.reader import question
from reelgym.rewards.perception import LEDGER


def choice(number: int = 0, options: Sequence[str] = ("red", "blue", "green"), answer: str = "B") -> Sample:
    return Sample(
        id=f"q{number}",
        task="labelled",
        messages=(Message("user", (Text("Which colour?"),)),),
        answer=answer,
        split="test",
        evidence={"kind": "choice", "options": list(options)},
        provenance={"source": f"v{number % 3}"},
    )


def tagged(observation: str, think: str, answer: str) -> str:
    return f"<observation>{observation}</observation><think>{think}</think><answer>{answer}</answer>"


def evaluation(samples: Sequence[Sample], replies: Sequence[str], variant: str = "tagged") -> Evaluation:
    rows = tuple(grade(one, reply) for one, reply in zip(samples, replies, strict=True))
    return Evaluation(model="m", position_rule="", variant=variant, probe=None, max_tokens=9, rows=rows)


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("2 comes first, then 1", "2, 1"),
        ("Candidate 3 is out, 4 is out. So 1, then 2.", "1, 2"),
        ("1, 2. No: 2, 1", "2, 1"),
        ("b2 2 c4 1", "2, 1"),
        ("it could be 1, or 2, or 3 of them", None),
        ("I saw 2 twice, and 2 again, never 1", None),
        ("nothing is clear", None),
    ],
)
def test_the_order_that_thinking_states_is_its_last_and_never_a_guess(thought: str, answer: str | None) -> None:
    assert stated(thought, sample(0)) == answer


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("It is blue, so the answer is B", "B"),
        ("Option A is wrong. Therefore (C).", "C"),
        ("Option A is wrong, option C too", None),
        ("Only option C fits", "C"),
        ("Hm. Blue.", "B"),
        ("Red? Blue?", None),
        ("I see a sea", None),
    ],
)
def test_the_option_that_thinking_names_is_the_one_it_settles_on(thought: str, answer: str | None) -> None:
    assert stated(thought, choice()) == answer


def test_mismatch_counts_parsed_and_judged_and_leaves_the_unstated_out() -> None:
    samples = [choice(n) for n in range(5)]
    replies = [
        tagged("o", "so the answer is B", "B"),
        tagged("o", "so the answer is A", "B"),
        tagged("o", "the sky", "B"),
        tagged("o", "the sea", "B"),
        "no tags, no thinking",
    ]
    by_id = {one.id: one for one in samples}
    plain = mismatch(evaluation(samples, replies), by_id)
    assert plain["rate"]["mean"] == 0.5
    assert {key: plain[key] for key in ("parsed", "judged", "unstated", "replies")} == {
        "parsed": 2,
        "judged": 0,
        "unstated": 2,
        "replies": 4,
    }
    asked: list[str] = []

    def judge(questions: Sequence[tuple[str, tuple[Message, ...]]]) -> dict[int, str]:
        asked.extend(messages[0].parts[0].text for _, messages in questions)  # type: ignore[union-attr]
        return {0: "It says green. <answer>C</answer>", 1: "<answer>No</answer>"}

    read_by = mismatch(evaluation(samples, replies), by_id, judge)
    # One of two parsed differs, and the judged one: two of three. "No" is not among the options, so it is no answer.
    assert read_by["rate"]["mean"] == pytest.approx(2 / 3)
    assert (read_by["parsed"], read_by["judged"], read_by["unstated"]) == (2, 1, 1)
    assert len(asked) == 2 and "the sky" in asked[0] and "Which colour?" in asked[0] and "<answer>B" not in asked[0]
    assert mismatch(evaluation(samples[4:], replies[4:]), by_id)["rate"] is None


def test_the_four_inputs_show_what_they_say_and_the_last_is_what_a_reader_is_asked() -> None:
    one = sample(0)
    with_both = shown(one, video=True, observation=" b2 3 ").messages[-1].parts
    assert with_both[: len(one.messages[0].parts)] == one.messages[0].parts and "b2 3" in with_both[-1].text  # type: ignore[union-attr]
    assert shown(one, video=False, observation=" b2 3 ").messages == question(one, " b2 3 ")
    bare = shown(one, video=False).messages[-1].parts
    assert all(isinstance(part, Text) for part in bare) and "observation" not in bare[-1].text  # type: ignore[union-attr]
    assert shown(one, video=True).messages[-1].parts[:-1] == one.messages[-1].parts


def test_the_table_of_sufficiency_holds_every_input_and_every_writer() -> None:
    samples = [sample(n) for n in range(4)]
    answers = {"video": "<answer>2, 1</answer>", "text": "<answer>1, 2</answer>"}

    def ask(asked: Sequence[Sample], words: str) -> Evaluation:
        return evaluation(asked, [answers["text" if "left out" in _text(one) else "video"] for one in asked])

    notes = observations(
        evaluation(samples, [tagged("a door", "t", "2, 1")] * 2 + ["bad", tagged("2, 1", "t", "2, 1")])
    )
    made, rows = sufficiency(samples, {"me": notes, "other": {}}, ask)
    assert list(made) == ["video", "video-me", "video-other", "text", "text-me", "text-other"]
    assert [row["score"]["mean"] for row in rows[:3]] == [1.0] * 3 and rows[3]["score"]["mean"] < 1.0
    # Of four observations one is missing and one states the order.
    assert (rows[1]["missing"], rows[1]["leaks"], rows[2]["missing"]) == (0.25, 0.25, 1.0)
    assert made["text-me"].probe == "text + observation of me" and made["text-me"].variant == "reasoned"
    assert rows[0]["corrected"]["mean"] == 1.0 and "missing" not in rows[0]


def test_precision_and_recall_are_those_of_the_claims_over_known_questions() -> None:
    samples = [choice(0), choice(1), choice(2)]
    # Right; right and wrong; nothing claimed, as no observation is well formed.
    replies = [tagged("it is blue", "t", "B"), tagged("blue and red", "t", "B"), "<observation>blue"]
    found = observed(evaluation(samples, replies), {one.id: one for one in samples}, lambda _: None)
    assert found["precision"]["mean"] == pytest.approx(0.75) and found["recall"]["mean"] == pytest.approx(2 / 3)
    assert found["suffices"]["mean"] == pytest.approx(1 / 3) and found["missing"] == pytest.approx(1 / 3)
    assert (found["known"], found["leaks"]) == (3, 0.0)
    puzzles = observed(evaluation([sample(0)], [tagged("b2 3", "t", "2, 1")]), {"mvp-000": sample(0)}, lambda _: None)
    assert (puzzles["precision"], puzzles["known"]) == (None, 0)


def group(number: int, replies: Sequence[str], worth: Sequence[float | None]) -> Group:
    members = []
    for reply, score in zip(replies, worth, strict=True):
        one = replace(turn(reply), segments=segment(list(reply)))
        members.append(Trajectory(turns=(one,), ledger={LEDGER: {"score": score}}))
    return Group(sample=choice(number), trajectories=tuple(members))


def test_segments_have_their_own_reward_length_and_share_of_groups_without_signal() -> None:
    right, wrong = tagged("ab", "c", "B"), tagged("ab", "c", "A")
    # Group 0: perception 1, 0 (+ 1 for form), reasoning 2, 2. Group 1: 2, 2 and 1, 2. Group 2: all alike.
    groups = [group(0, [right, right], [1, 0]), group(1, [wrong, right], [1, 1]), group(2, ["x", "x"], [0, 0])]
    found = table(groups)
    look, think = found["observation"], found["think+answer"]
    assert look["reward"]["mean"] == pytest.approx((1.5 + 2 + 0) / 3) and look["zero_variance"] == pytest.approx(2 / 3)
    assert think["reward"]["mean"] == pytest.approx((2 + 1.5 + 0) / 3) and think["zero_variance"] == pytest.approx(
        2 / 3
    )
    assert found["both_zero"] == pytest.approx(1 / 3) and look["there"] == pytest.approx(4 / 6)
    # A token is a letter: "<observation>ab</observation>" has 29.
    assert look["tokens"]["mean"] == 29 and think["tokens"]["mean"] == len("<think>c</think><answer>B</answer>")


def test_measures_are_taken_from_tagged_replies_and_kept_beside_the_results(tmp_path: Path) -> None:
    samples = [sample(n) for n in range(3)]
    script: Any = Script(lambda messages: (tagged("a door", "so 2, 1", "2, 1"), "eos"))
    found = evaluate(script, samples, media, variant="tagged", sampler=script, model="m")
    around = Around(samples=samples, media=media, paths={}, manners=Manners(folder=tmp_path))
    told, more = measured(Wanted(names=("mismatch", "observations")), {"m": {"tagged": found}}, around)
    write_evaluation(tmp_path, {"tagged": found})
    write(tmp_path, told, more | {"video": found})
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["process"]["mismatch"]["m"]["rate"]["mean"] == 0.0 and stored["process"] == told
    assert list(read(tmp_path)) == ["tagged"] and list(read(tmp_path / "sufficiency")) == ["video"]
    with pytest.raises(RequestError, match="m was not asked for an observation: give --prompt tagged"):
        measured(Wanted(names=("mismatch",)), {"m": {"direct": replace(found, variant="direct")}}, around)


def test_answers_for_sufficiency_are_kept_and_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(n) for n in range(3)]
    replies = evaluation(samples, [tagged("a door", "so 2, 1", "2, 1")] * 3)
    around = Around(samples=samples, media=media, paths={}, manners=Manners(folder=tmp_path))
    asked: list[Script] = []

    def load(name: str) -> Script:
        asked.append(Script(lambda messages: (f"<answer>{len(asked)}, 1</answer>", "eos")))
        return asked[-1]

    monkeypatch.setattr("reelgym.models.load", load)
    monkeypatch.setattr("reelgym.rollout.local.LocalSampler", lambda policy, **_: policy)
    first, again = (measured(Wanted(names=("sufficiency",)), {"m": {"tagged": replies}}, around) for _ in range(2))
    rows = [[row.reply for row in found.rows] for found in first[1].values()]
    assert rows == [[row.reply for row in found.rows] for found in again[1].values()] and first[0] == again[0]
    assert len(asked[0].asked) == 12 and not asked[1].asked


def test_what_a_judge_of_thinking_took_is_told_apart(tmp_path: Path) -> None:
    samples = [sample(n) for n in range(3)]
    unsaid: Any = Script(lambda messages: (tagged("a door", "It moves on.", "2, 1"), "eos"))
    found = evaluate(unsaid, samples, media, variant="tagged", sampler=unsaid, model="m")
    with serving(lambda body, before: Said("<answer>2, 1</answer>")) as server:
        wanted = Wanted(names=("mismatch",), judge=f"openai:j@{server.url}")
        manners = Manners(folder=tmp_path, price={"": (1e6, 1e6)})
        around = Around(samples=samples, media=media, paths={}, manners=manners)
        told, _ = measured(wanted, {"m": {"tagged": found}}, around)
    # Three readings of one text each: 10 tokens read and 5 written, at 1 each.
    used = {"prompt_tokens": 30, "completion_tokens": 15, "unread": 0, "money": 45.0}
    assert told["mismatch"]["m"]["judged"] == 3 and told["mismatch"]["m"]["judge"] == used


def test_wanted_measures_are_checked_before_anything_is_asked() -> None:
    with pytest.raises(RequestError, match="mismatch"):
        Wanted(names=("mismach",))
    with pytest.raises(RequestError, match="--observer belongs to --measures sufficiency"):
        Wanted(names=("mismatch",), observers=("tiny",))
    with pytest.raises(RequestError, match="--think-judge belongs to --measures mismatch"):
        Wanted(names=("segments",), judge="openai:m@http://h")
    with pytest.raises(RequestError, match="--rollouts 1"):
        Wanted(names=("segments",), rollouts=1)


def test_stored_replies_and_endpoints_are_told_what_they_cannot_have(tmp_path: Path) -> None:
    found = evaluation([sample(0)], [tagged("a door", "so 2, 1", "2, 1")], variant="stored")
    around = Around(samples=[sample(0)], media=media, paths={}, manners=Manners(folder=tmp_path))
    for name, said in (("sufficiency", "stored replies answer nothing else"), ("segments", "leave segments out")):
        with pytest.raises(RequestError, match=said):
            measured(Wanted(names=(name,)), {"replies:a.csv": {"stored": found}}, around)


def _text(one: Sample) -> str:
    return "".join(part.text for message in one.messages for part in message.parts if isinstance(part, Text))


def test_zero_variance_is_told_with_scores_that_do_not_apply() -> None:
    found = table([group(0, [tagged("ab", "c", "B")] * 2, [None, None])])
    # No verdict: only the form counts, the same for both.
    assert found["observation"]["reward"]["mean"] == 1.0 and found["observation"]["zero_variance"] == 1.0
    assert found["observation"]["accuracy"] is None and not np.isnan(found["both_zero"])
