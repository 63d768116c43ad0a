"""A run with a judge: tried before it pays, asked about every trajectory, shown nothing that a reply does not hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from chat_server import Said, serving, text_of
from training_runs import Killed, Letters, kill_after, load, media, numbers, rl_run, samples

from reelgym.algorithms import PAGRPO
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.errors import RequestError, WorkError
from reelgym.judges.endpoint import Asked
from reelgym.rewards import Case, Judge, JudgeConfig, Lent, Perception, Rubric, Stack, Sum, Trial, Verdict
from reelgym.rewards.perception import LEDGER
from reelgym.training import Data, RLRun, judging, rl
from reelgym.training.judging import Observed, judged, observation
from reelgym.training.metrics import Tally, read

ASKED: list[Case] = []


class Coin:
    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        ASKED.extend(cases)
        return [Verdict(float(sum(map(ord, case.key)) % 2), "a coin", {"leak": 0.0}) for case in cases]


@dataclass(frozen=True)
class Tossed(JudgeConfig):
    name: ClassVar[str] = "tossed"
    fair: bool = True

    def open(self, lent: Lent) -> Judge:
        return Coin()

    def trial(self, judge: Judge, samples: Sequence[Sample], observations: Sequence[str]) -> Trial:
        return Trial(self.fair, {"gold": 0.25}, "gold at least 0.8")


def run(**changes: Any) -> RLRun:
    rubric = Rubric(expression=Stack(("observation", "think+answer"), (Perception(), Sum((Letters(),)))))
    gold = Data([Observed(sample, "a door") for sample in samples(2)], media)
    plain = rl_run(evaluated=True, steps=2, save_every=1)
    return replace(plain, rubric=rubric, algorithm=PAGRPO(), **{"judge": Tossed(), "gold": gold, **changes})


@pytest.fixture(autouse=True)
def nobody_asked() -> None:
    ASKED.clear()


def test_every_trajectory_is_judged_under_its_own_key_and_scored_by_its_verdict(tmp_path: Path) -> None:
    given = run()
    folder = rl.train(given, tmp_path / "run", load=load)
    held_out = 2 * len(given.eval_data.items) if given.eval_data else 0
    drawn = [case for case in ASKED if not case.key.startswith("held out")]
    assert len(drawn) == 2 * 3 * 3 == len({case.key for case in drawn})
    assert len(ASKED) - len(drawn) == held_out
    wanted = [float(sum(map(ord, case.key)) % 2) for case in drawn[:9]]
    row = next(row for row in read(folder / "metrics.jsonl") if row["step"] == 1)
    assert row["rewards/perception"] == pytest.approx(sum(wanted) / 9)
    assert row["judge/score"] == pytest.approx(sum(wanted) / 9)
    assert json.loads((folder / "judge.json").read_text()) == {
        "passed": True,
        "gold": 0.25,
        "wanted": "gold at least 0.8",
    }


def test_a_judge_that_fails_its_trial_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"failed its trial.*gold 0.250; wanted: gold at least 0.8"):
        rl.train(run(judge=Tossed(fair=False)), tmp_path / "run", load=load)
    assert ASKED == []


def test_the_reward_without_a_judge_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="give the run a judge"):
        rl.train(run(judge=None, gold=None), tmp_path / "run", load=load)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("<observation>a</observation><answer>1</answer>", "a"),
        ("<observation>a</observation><observation>b</observation>", None),
        ("<observation>a", None),
        ("<observation> </observation>", None),
        ("plain", None),
    ],
)
def test_only_one_well_formed_observation_is_shown_to_a_judge(reply: str, said: str | None) -> None:
    assert observation(reply) == said


def test_verdicts_stand_in_the_ledgers_and_are_told_as_shares_and_tokens_as_a_sum() -> None:
    none = np.zeros(0, np.int64)
    replies = ["<observation>a</observation><answer>1</answer>", "plain", "<observation>c</observation>"]
    turns = [
        Turn(ids=none, logprobs=none.astype(np.float32), loss_mask=none.astype(bool), text=text, stop="eos")
        for text in replies
    ]
    group = Group(sample=samples(1)[0], trajectories=tuple(Trajectory(turns=(turn,)) for turn in turns))
    verdicts = [
        Verdict(3.0, "a", {"leak": 1.0, "tokens": 5.0}),
        Verdict(None, "b"),
        Verdict(-2.0, "c", {"tokens": 7.0}),
    ]

    class Fixed:
        def judge(self, cases: Sequence[Case]) -> list[Verdict]:
            ASKED.extend(cases)
            return verdicts

    tally = Tally()
    (found,) = judged(Fixed(), [group], "seed 0 step 1", tally)
    assert [one.ledger[LEDGER] for one in found.trajectories] == [verdict.to_json() for verdict in verdicts]
    assert [(case.observation, case.key) for case in ASKED] == [
        ("a", "seed 0 step 1 s0 0"),
        (None, "seed 0 step 1 s0 1"),
        ("c", "seed 0 step 1 s0 2"),
    ]
    told = tally.means(SimpleNamespace(num_processes=1))  # type: ignore[arg-type]
    # Scores are told within -1 and 1: (1 - 1) / 2.
    assert told == {"judge/leak": 1.0, "judge/score": 0.0, "judge/tokens": 12.0, "judge/without_verdict": 1 / 3}


def asked_run(url: str) -> RLRun:
    """Return a run on questions with options whose judge is an endpoint."""
    about = {"kind": "choice", "options": ["a door", "a lamp"]}
    data, held_out = (
        Data([replace(one, task="labelled", answer="A", evidence=about) for one in samples(count)], media)
        for count in (5, 2)
    )
    given = run(judge=Asked(url=url, model="m", leaks=False), gold=None)
    return replace(given, data=data, eval_data=held_out, config=replace(given.config, steps=3, save_every=2))


def test_a_killed_and_resumed_run_pays_no_judgement_twice_and_no_evaluation_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The smallest model writes no tags: its whole reply is shown.
    monkeypatch.setattr(judging, "observation", lambda reply: reply or "nothing")

    def answer(body: dict[str, Any], before: int) -> Said:
        return Said(f"<judgement>{'yes' if sum(map(ord, text_of(body))) % 2 else 'no'}</judgement>")

    with serving(answer) as server:
        with pytest.raises(Killed):
            rl.train(asked_run(server.url), tmp_path / "run", kill_after(1), load=load)
        before = len(server.bodies)
        # Step 1 was not saved: it is taken again, and the first evaluation with it.
        rl.train(asked_run(server.url), tmp_path / "run", load=load)
        assert 0 < before < len(server.bodies) == len(server.came)
        assert set(server.came.values()) == {1}
        assert not any((tmp_path / "run").glob("judge-replies-*")) and (tmp_path / "run/judge-replies.jsonl").is_file()
        rows = numbers(tmp_path / "run")
        # A run that nobody killed asks the same, and comes out the same.
        rl.train(asked_run(server.url), tmp_path / "whole", load=load)
        assert numbers(tmp_path / "whole") == rows
        assert set(server.came.values()) == {2}


def test_every_rank_keeps_the_replies_of_its_own_judge(tmp_path: Path) -> None:
    beside, named = Asked(), Asked(journal=str(tmp_path / "DATA-judge-replies.jsonl"))
    assert beside.kept(Lent()) is None
    assert beside.kept(Lent(folder=tmp_path)) == tmp_path / "judge-replies.jsonl"
    assert beside.kept(Lent(folder=tmp_path, rank=2)) == tmp_path / "judge-replies-2.jsonl"
    assert named.kept(Lent(folder=tmp_path / "run")) == tmp_path / "DATA-judge-replies.jsonl"
    assert named.kept(Lent(folder=tmp_path / "run", rank=1)) == tmp_path / "DATA-judge-replies-1.jsonl"
