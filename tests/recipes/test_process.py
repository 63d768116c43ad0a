"""VideoP2R's rubric by hand, what each ablation switch changes, and what a reader learns from."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from reelgym import tasks
from reelgym.algorithms import GRPO, PAGRPO
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.data.segments import segment
from reelgym.data.templates import with_instruction
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.errors import RequestError
from reelgym.judges.rule import Rule
from reelgym.recipes.process import PAPER, process_mvp, process_rubric, question_example, reader_example, videop2r
from reelgym.rewards.perception import LEDGER, Verdict
from reelgym.training.credit import segment_index
from reelgym.video import FrameSpec

SAMPLE = Sample(
    id="s",
    task="none",
    messages=(Message("user", (Text("?"),)),),
    answer=[1],
    split="train",
    provenance={"source": "v"},
)


@pytest.fixture(autouse=True)
def marker(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(reply: str, sample: Sample) -> SimpleNamespace:
        return SimpleNamespace(value=float("<answer>right" in reply), parts={})

    monkeypatch.setattr(tasks, "get", lambda name: SimpleNamespace(score=score))


def member(observation: int, thought: int, *, answer: str = "right", verdict: float = 1.0) -> Trajectory:
    """Return a trajectory with so many tokens in its observation, and in think and answer together, tags included."""
    pieces = ["<observation>", *["a"] * (observation - 2), "</observation>"]
    pieces += ["<think>", *["b"] * (thought - 5), "</think>", "<answer>", answer, "</answer>"]
    zeros = np.zeros(len(pieces))
    turn = Turn(
        ids=np.arange(len(pieces)),
        logprobs=zeros.astype(np.float32),
        loss_mask=zeros == 0,
        text="".join(pieces),
        stop="eos",
        segments=segment(pieces),
    )
    return Trajectory(turns=(turn,), ledger={LEDGER: Verdict(verdict).to_json()})


GROUP = Group(
    sample=SAMPLE,
    trajectories=(
        member(128, 320),  # Both windows met at their lower ends: 1 + 1 + 0.2 each.
        member(320, 512, answer="wrong", verdict=0.5),  # Wrong: reasoning has its format alone, no length.
        member(321, 513, verdict=0.0),  # Beyond both windows; the observation is worth nothing.
        member(200, 319, verdict=-0.25),  # Below chance: the length is not paid; reasoning is one token short.
    ),
)


def test_the_rubric_of_a_group_of_four_by_hand() -> None:
    rubric = process_rubric()
    assert rubric.segments == ("observation", "think+answer")
    assert rubric.score(GROUP).tolist() == [[2.2, 2.2], [1.7, 1.0], [1.0, 2.0], [0.75, 2.0]]


def test_without_length_only_the_lengths_are_gone() -> None:
    assert process_rubric(length=False).score(GROUP).tolist() == [[2.0, 2.0], [1.5, 1.0], [1.0, 2.0], [0.75, 2.0]]


def test_without_reasoning_the_observation_s_column_stands_alone() -> None:
    rubric = process_rubric(reasoning=False)
    assert rubric.segments == ("observation",)
    assert rubric.score(GROUP)[:, 0].tolist() == process_rubric().score(GROUP)[:, 0].tolist()


def test_without_perception_one_reward_goes_to_all_tokens_and_no_verdict_is_read() -> None:
    unjudged = replace(GROUP, trajectories=tuple(replace(one, ledger={}) for one in GROUP.trajectories))
    rubric = process_rubric(perception=False)
    assert rubric.segments == ("completion",)
    # Accuracy + format of the whole reply + 0.2 for 320 to 512 tokens of think and answer of a right one.
    assert rubric.score(unjudged)[:, 0].tolist() == [2.2, 1.0, 2.0, 2.0]


def test_a_missing_segment_pays_nothing_for_it() -> None:
    bare = member(128, 320)
    turn = replace(bare.final, text=bare.final.text.replace("</observation>", ""))
    broken = replace(bare, turns=(turn,), ledger={LEDGER: Verdict(0.0, "no observation").to_json()})
    assert process_rubric().score(replace(GROUP, trajectories=(broken,)))[0].tolist() == [0.0, 2.2]


def test_a_length_without_its_form_is_not_paid() -> None:
    right = member(128, 320)
    turn = replace(right.final, text=right.final.text.replace("</think>", ""))
    # The answer is right and both lengths lie within their windows; think and answer lack their form.
    assert process_rubric().score(replace(GROUP, trajectories=(replace(right, turns=(turn,)),)))[0].tolist() == [
        2.2,
        1.0,
    ]


def test_tokens_belong_to_the_column_that_names_their_segment_and_else_to_none() -> None:
    turn = member(3, 6).final
    assert segment_index([turn], ("observation", "think+answer")).tolist() == [[0] * 3 + [1] * 6]
    assert segment_index([turn], ("observation",)).tolist() == [[0] * 3 + [-1] * 6]
    assert segment_index([turn], ("answer", "observation")).tolist() == [[1] * 3 + [-1] * 3 + [0] * 3]
    assert segment_index([turn], ("completion",)).tolist() == [[0] * 9]


def test_each_switch_of_the_recipe_changes_its_own_setting() -> None:
    full = process_mvp()
    assert full.algorithm == PAGRPO() and full.judge is not None and full.gold is not None
    assert process_mvp(separation="none").algorithm == PAGRPO(credit="all")
    assert process_mvp(cross=0.5).algorithm == PAGRPO(cross=0.5)
    plain = process_mvp(perception=False)
    assert (plain.algorithm, plain.judge, plain.gold) == (GRPO(), None, None)
    for other in (process_mvp(separation="none"), process_mvp(cross=0.5), plain, process_mvp(reasoning=False)):
        assert (other.config, other.data, other.policy) == (full.config, full.data, full.policy)


def test_switches_that_contradict_each_other_are_errors() -> None:
    with pytest.raises(RequestError, match="leave no reward"):
        process_rubric(perception=False, reasoning=False)
    with pytest.raises(RequestError, match="need perception=true"):
        process_mvp(perception=False, cross=0.5)
    with pytest.raises(RequestError, match="untried=true"):
        process_mvp(data="puzzles")


def test_a_reader_learns_the_new_numbers_of_what_the_gap_shows() -> None:
    times = {1.0: "a1", 2.0: "b2", 3.0: "c3", 4.0: "d4", 5.0: "e5", 6.0: "f6"}
    evidence = {"pool": 3, "candidate_times": [4.0, 3.0, 6.0], "context_times": [[1.0, 2.0], [5.0]]}
    puzzle = replace(SAMPLE, task="mvp", answer=[2, 1], evidence=evidence)
    seen = set()
    for key in map(str, range(12)):
        made = reader_example(puzzle, times.__getitem__, key)
        text = "".join(part.text for part in made.messages[0].parts if isinstance(part, Text))
        _, d4, c3, f6 = re.search(r"(a1 b2 \| e5 \| )d4 (\d) c3 (\d) f6 (\d)", text).groups()  # type: ignore[union-attr]
        assert sorted([d4, c3, f6]) == ["1", "2", "3"]
        assert made.reply == f"<think> c3 {c3} d4 {d4}</think><answer>{c3}, {d4}</answer>"
        seen.add((d4, c3, f6))
    assert len(seen) > 2


def test_a_question_s_example_names_what_each_frame_shows_and_then_the_letter() -> None:
    clip = Clip(video="v", spec=FrameSpec(fps=1.0), times=(0.0, 2.5))
    asked = replace(SAMPLE, messages=(Message("user", (clip, Text("Where?\nA. a1\nB. h8"))),), answer="B")
    made = question_example(asked, {0.0: "a1", 2.5: "h8"}.__getitem__)
    assert made.reply == "<observation> a1 h8</observation><think> B</think><answer>B</answer>"
    assert made.messages == with_instruction(asked.messages, "tagged")


def test_videop2r_s_ablations_are_one_switch_each() -> None:
    given = {
        "model": "Qwen/Qwen2.5-VL-7B-Instruct",
        "data": "qa",
        "size": "paper",
        "judge_url": "http://j",
        "judge_model": "m",
    }
    full = videop2r(**given)  # type: ignore[arg-type]
    assert (full.config, full.algorithm, full.variant) == (PAPER, PAGRPO(), "videop2r")
    assert full.rubric == process_rubric(metric="auto") and full.judge is not None
    ablations: dict[str, tuple[dict[str, object], dict[str, object]]] = {
        "without perception": ({"perception": False}, {"algorithm": GRPO(), "judge": None}),
        "without reasoning": ({"reasoning": False}, {}),
        "without length": ({"length": False}, {"rubric": process_rubric(length=False, metric="auto")}),
        "without separation": ({"separation": "none"}, {"algorithm": PAGRPO(credit="all"), "rubric": full.rubric}),
    }
    for switch, changed in ablations.values():
        other = videop2r(**given, **switch)  # type: ignore[arg-type]
        assert (other.config, other.data, other.variant) == (full.config, full.data, full.variant)
        assert all(getattr(other, name) == value for name, value in changed.items())
        assert other.rubric != full.rubric or other.algorithm != full.algorithm


def test_windows_are_settings_of_both_recipes_and_reach_the_rewards() -> None:
    assert process_rubric(windows={"observation": (320, 321), "think+answer": (0, 9)}).score(GROUP).tolist() == [
        [2.0, 2.0],
        [1.7, 1.0],
        [1.0, 2.0],
        [0.75, 2.0],
    ]
    given = {"model": "Qwen/Qwen2.5-VL-7B-Instruct", "data": "qa"}
    windows = {"observation_tokens": (1, 2), "reasoning_tokens": (3, 4)}
    wanted = {"observation": (1, 2), "think+answer": (3, 4)}
    asked = videop2r(**given, **windows, judge_url="http://j", judge_model="m")  # type: ignore[arg-type]
    assert asked.rubric == process_rubric(windows=wanted, metric="auto")
    assert process_mvp(**given, **windows, untried=True).rubric == process_rubric(windows=wanted)  # type: ignore[arg-type]
    assert process_mvp(**given, length=False, untried=True).rubric == process_rubric(length=False)  # type: ignore[arg-type]


def test_videop2r_says_what_it_lacks() -> None:
    with pytest.raises(RequestError, match="give judge_url=URL and judge_model=NAME"):
        videop2r()
    with pytest.raises(RequestError, match="needs data=DATASET"):
        videop2r(model="Qwen/Qwen3-VL-4B-Instruct", perception=False)


def test_the_rule_judge_takes_the_place_of_reader_and_endpoint_and_changes_nothing_else() -> None:
    read, ruled = process_mvp(), process_mvp(judge="rule")
    assert (ruled.judge, ruled.gold, ruled.needs_reference, read.needs_reference) == (Rule(), None, False, True)
    asked = videop2r(judge_url="http://j", judge_model="m")
    told = videop2r(judge="rule")
    assert told.judge == Rule()
    for one, other in ((read, ruled), (asked, told)):
        assert (one.config, one.data, one.eval_data, one.algorithm) == (
            other.config,
            other.data,
            other.eval_data,
            other.algorithm,
        )
        assert one.rubric == other.rubric
    # Facts lie beside the videos, so a dataset needs no reader that was never tried.
    assert process_mvp(judge="rule", data="puzzles").judge == Rule()
