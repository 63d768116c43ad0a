"""What becomes of groups without signal, and of samples outside the band: in whole runs, killed ones included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from training_runs import SPEC, Killed, equal, kill_after, load, media, numbers, rl_run, samples, weights_of

from reelgym.data.messages import Message
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group
from reelgym.errors import RequestError
from reelgym.rewards import Reward, Rubric
from reelgym.rewards.base import Scores
from reelgym.tasks.shown import question
from reelgym.training import Data, RLRun, rl
from reelgym.training.config import RLConfig
from reelgym.training.groups import Outcome
from reelgym.training.groups.ease import Ease
from reelgym.training.groups.resample import Resample
from reelgym.training.order import Pick


@dataclass(frozen=True)
class Some(Reward):
    """Tells members apart for samples of an even number; all others are paid the same."""

    name: ClassVar[str] = "some"

    def score(self, group: Group) -> Scores:
        even = int(group.sample.id.rstrip("~")[1:]) % 2 == 0
        return np.array([[even * place / 10] for place in range(len(group))])


def puzzle(index: int) -> Sample:
    pool = [2.0, 3.0, 4.0, 5.0]
    parts = question(f"v{index}", SPEC, ((0.0,), (6.0,)), pool, 2)
    return Sample(
        id=f"s{index}",
        task="mvp",
        messages=(Message("user", parts),),
        answer=[3, 1],
        split="train",
        evidence={"candidate_times": pool, "context_times": [[0.0], [6.0]], "pool": 4},
        facets={"level": index % 2},
        provenance={"source": f"v{index}"},
    )


def some_run(**settings: Any) -> RLRun:
    run = rl_run(**({"schedule": "constant", "max_completion_tokens": 4} | settings))
    data = Data([puzzle(index) for index in range(8)], media)
    return replace(run, data=data, rubric=Rubric(expression=Some()))


def train(run: RLRun, out: Path, *more: Any) -> Path:
    return rl.train(run, out, *more, load=load)


def rolled(run: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(run.glob("rollouts-*.parquet")) for row in pq.read_table(path).to_pylist()]


def outcome(place: int, *, signal: bool = False, passed: int = 0, eased: int = 0) -> Outcome:
    return Outcome(Pick(place, 0, place, eased), signal, passed, 4)


def test_resampling_asks_for_exactly_what_is_missing_and_ends_at_its_cap() -> None:
    policy, asked = Resample(RLConfig(groups="resample", rounds=2)), []

    def others(places: Any) -> list[Pick]:
        asked.append(list(places))
        return [Pick(9, 0, place) for place in places]

    last = [outcome(0, signal=True), outcome(1), outcome(2)]
    assert [pick.place for pick in policy.again(last, 1, others, lambda pick: None)] == [1, 2]
    assert asked == [[1, 2]] and policy.again(last, 2, others, lambda pick: None) == []


def test_easing_asks_again_what_nobody_solved_while_there_is_an_easier_form() -> None:
    policy = Ease(RLConfig(groups="ease"))
    last = [outcome(0, signal=True), outcome(1, passed=4), outcome(2), outcome(3)]
    forms = {2: puzzle(2)}
    found = policy.again(last, 1, lambda places: [], lambda pick: forms.get(pick.index))
    assert found == [Pick(2, 0, 2, 1)]
    assert policy.again(last, 3, lambda places: [], lambda pick: puzzle(0)) == []


def test_resampling_fills_the_step_with_other_prompts(tmp_path: Path) -> None:
    train(some_run(groups="resample", rounds=6, steps=2, save_every=2), tmp_path)
    rows = rolled(tmp_path)
    for step in (1, 2):
        groups = [row["sample"] for row in rows if row["step"] == step and row["member"] == 0]
        assert len(set(groups)) == len(groups) > 3  # No prompt twice within a step.
        assert sum(int(name[1:]) % 2 == 0 for name in groups) == 3
    assert all(row["train/groups_trained_on"] == 1.0 and row["train/rounds"] >= 2 for row in numbers(tmp_path))


def test_a_step_without_enough_signal_ends_at_the_cap(tmp_path: Path) -> None:
    run = some_run(groups="resample", steps=1)
    train(replace(run, data=Data([puzzle(n) for n in (1, 3, 5, 7)], media)), tmp_path)
    (row,) = numbers(tmp_path)
    assert row["train/groups_trained_on"] == 0 and row["train/rounds"] == 2  # 3 prompts, then the one that is left.


def test_an_eased_question_has_one_distractor_less(tmp_path: Path) -> None:
    run = some_run(groups="ease", steps=1)
    train(replace(run, data=Data([puzzle(n) for n in (1, 3, 5)], media)), tmp_path)
    names = {row["sample"] for row in rolled(tmp_path)}
    assert names == {f"s{n}{mark}" for n in (1, 3, 5) for mark in ("", "~", "~~")}


def test_replay_trains_on_earlier_groups_at_their_old_log_probs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, list[str]]] = []
    plain = rl.Loop.update

    def watched(loop: rl.Loop, credits: Any, step: int, tally: Any) -> None:
        seen.append((step, [c.rollout.group.sample.id for c in credits]))
        plain(loop, credits, step, tally)

    monkeypatch.setattr(rl.Loop, "update", watched)
    train(some_run(groups="replay", replay_groups=4, lr=0.01), tmp_path)
    assert any(row["train/groups_replayed"] > 0 for row in numbers(tmp_path))
    sampled = {(row["step"], row["sample"]) for row in rolled(tmp_path)}
    earlier = [(step, name) for step, names in seen for name in names if (step, name) not in sampled]
    assert earlier and all(int(name[1:]) % 2 == 0 for _, name in earlier)
    # The policy has moved since they were written: the ratio is no longer 1.
    replayed = [row for row in numbers(tmp_path) if row["train/groups_replayed"] > 0]
    assert max(row["loss/log_ratio"] for row in replayed) > 1e-4


KINDS: dict[str, dict[str, Any]] = {
    "resample_learnable": {"groups": "resample", "order": "learnable"},
    "replay": {"groups": "replay", "replay_groups": 4},
    "ease_climb": {"groups": "ease", "order": "climb", "rounds": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_draws_and_replays_what_the_whole_one_does(kind: str, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # Features kept from an earlier step were encoded beside other prompts, which may round otherwise.
    run = some_run(feature_cache_prompts=1, **KINDS[kind])
    train(run, whole)
    with pytest.raises(Killed):
        train(run, broken, kill_after(3))
    train(run, broken)
    assert numbers(whole) == numbers(broken)
    assert equal(weights_of(whole, 4), weights_of(broken, 4))
    assert rolled(whole) == rolled(broken)


def test_a_band_draws_only_what_lies_in_it(tmp_path: Path) -> None:
    rates = {f"s{n}": n / 8 for n in range(8)}
    run = some_run(band=(0.3, 0.7), steps=2, save_every=2)
    data = Data(run.data.items, media, pass_rates=lambda name: rates if name == "" else {})
    train(replace(run, data=data), tmp_path)
    assert {row["sample"] for row in rolled(tmp_path)} == {"s3", "s4", "s5"}
    with pytest.raises(RequestError, match=r"no sample of the data has a pass rate from 0\.3 to 0\.7"):
        train(replace(run, data=replace(data, pass_rates=lambda name: {})), tmp_path / "none")
    with pytest.raises(RequestError, match="need a dataset with a stored measurement"):
        train(run, tmp_path / "none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"groups": "dorp"}, "unknown group policy 'dorp'.*'drop'"),
        ({"order": "clim"}, "unknown order 'clim'.*'climb'"),
        ({"rounds": 5}, "rounds=5 changes nothing with groups=keep"),
        ({"groups": "drop", "replay_groups": 5}, "replay_groups=5 changes nothing with groups=drop"),
        ({"difficulty": "tiny"}, "difficulty=tiny changes nothing without band"),
        ({"pass_score": 0.5}, "pass_score=0.5 changes nothing with order=shuffled"),
        ({"band": (0.9, 0.1)}, "band=0.9,0.1 must be two pass rates"),
    ],
    ids=str,
)
def test_a_setting_that_is_wrong_or_idle_is_one_line(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        train(rl_run(**settings), tmp_path)


def test_samples_of_a_plain_run_need_no_task(tmp_path: Path) -> None:
    assert samples()[0].task == "none"  # Nothing counts passes unless somebody reads them.
    train(rl_run(steps=1, groups="drop"), tmp_path)
