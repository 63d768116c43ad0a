"""A whole lab with hands that train nothing: equal compute, resuming, controls, verdicts and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_stub import Stub

from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.errors import RequestError
from reelgym.lab import Settings, run
from reelgym.lab.arms import parse, parse_all
from reelgym.lab.controls import NEGATIVE, POSITIVE, Shuffled
from reelgym.lab.endpoints import PUZZLES, QUESTIONS
from reelgym.lab.run import plan
from reelgym.rewards import Length
from reelgym.training.config import RLRun
from reelgym.training.describe import describe

RECIPES = ["mvp", "process_mvp", "process_mvp:separation=none"]
SMALL = Settings(seeds=2, steps=2, evals=1, videos=24)
SKILL = {"start": 0.3, "mvp": 0.6, "process_mvp": 0.6, "process_mvp-sep": 0.45, "positive": 0.8, "negative": 0.3}


def test_a_lab_says_who_is_better_and_who_cannot_be_told_apart(tmp_path: Path) -> None:
    stub = Stub(SKILL)
    found = run(RECIPES, tmp_path, settings=SMALL, hands=stub.hands())
    end = found["endpoints"][PUZZLES]
    verdicts = {(pair["first"], pair["second"]): pair["verdict"] for pair in end["pairs"]}
    assert end["sees"] and verdicts["mvp", "process_mvp"] == "not distinguishable"
    assert verdicts["mvp", RECIPES[2]] == "mvp is better" and verdicts["start", "mvp"] == "mvp is better"
    assert 0 < end["detectable"] < 0.05
    among = [pair["detectable"] for pair in end["pairs"] if {pair["first"], pair["second"]} <= set(RECIPES)]
    assert len(among) == 3 and end["detectable"] == max(among)
    assert found["spent"]["mvp"] == {"generated": 4.0, "judged": 0.0, "seconds": 5.0}
    assert found["spent"]["process_mvp"]["judged"] == 60.0
    page = (tmp_path / "index.html").read_text()
    assert "not distinguishable" in page and "algorithm.credit" in page and "controls" in page
    assert f"On {PUZZLES} 3 of 3 recipes are better than the start. On {QUESTIONS} this budget cannot" in page
    assert f"On {PUZZLES} mvp and process_mvp are better than negative control, process_mvp:separation=none and" in page
    blurred = list(verdicts.values()).count("not distinguishable")
    assert f"On {PUZZLES} {blurred} of 9 pairs are not distinguishable." in page


@pytest.mark.parametrize(
    ("recipes", "skill", "headline"),
    [
        (["mvp"], {"mvp": 0.6}, "mvp is better than the start"),
        (["mvp"], {"mvp": 0.1}, "mvp is worse than the start"),
        (["mvp"], {"mvp": 0.3}, "mvp is not distinguishable from the start"),
        (RECIPES, {"mvp": 0.1, "process_mvp": 0.3}, "1 of 3 recipes is better than the start, mvp worse"),
        (RECIPES[:2], {"mvp": 0.3, "process_mvp": 0.3}, "none of 2 recipes are better than the start"),
    ],
)
def test_the_headline_says_what_the_start_says_of_the_recipes(
    tmp_path: Path, recipes: list[str], skill: dict[str, float], headline: str
) -> None:
    run(recipes, tmp_path, settings=SMALL, hands=Stub(SKILL | skill).hands())
    assert f"On {PUZZLES} {headline}. On {QUESTIONS}" in (tmp_path / "index.html").read_text()


def test_nothing_is_ranked_where_the_controls_are_not_told_apart(tmp_path: Path) -> None:
    found = run(["mvp"], tmp_path, settings=SMALL, hands=Stub(SKILL).hands())
    # The stub answers every question of the world alike, whoever is asked.
    end = found["endpoints"][QUESTIONS]
    assert end["detectable"] is None
    assert not end["sees"] and {pair["verdict"] for pair in end["pairs"]} == {"not distinguishable"}
    assert f"On {QUESTIONS} this budget cannot see differences" in (tmp_path / "index.html").read_text()
    assert "could not be read" not in (tmp_path / "index.html").read_text()
    blind = run(["mvp"], tmp_path / "b", settings=SMALL, hands=Stub(SKILL | {"positive": 0.3}).hands())
    headline = f"On {PUZZLES} and on {QUESTIONS} this budget cannot see differences"
    assert headline in (tmp_path / "b" / "index.html").read_text()
    gated = blind["endpoints"][PUZZLES]["pairs"]
    assert all(pair["verdict"] == "not distinguishable" and pair["low"] > 0 for pair in gated)


def test_repeating_a_lab_trains_and_asks_only_what_is_missing(tmp_path: Path) -> None:
    first = Stub(SKILL, stop_after=3)
    assert run(["mvp"], tmp_path, settings=SMALL, hands=first.hands(), should_stop=first.stop) == {}
    assert not (tmp_path / "lab.json").exists()
    second = Stub(SKILL)
    whole = run(["mvp"], tmp_path, settings=SMALL, hands=second.hands())
    assert [*first.trained, *second.trained] == [
        f"{name}/seed-{seed}" for seed in (0, 1) for name in ("mvp", *_folders(POSITIVE, NEGATIVE))
    ]
    again = Stub(SKILL)
    assert run(["mvp"], tmp_path, settings=SMALL, hands=again.hands()) == whole
    assert (again.trained, again.asked) == ([], [])
    more = Stub(SKILL)
    run(["mvp"], tmp_path, settings=Settings(seeds=3, steps=2, evals=1, videos=24), hands=more.hands())
    assert len(more.trained) == 3 and all(name.endswith("seed-2") for name in more.trained)
    with pytest.raises(RequestError, match="steps was 2, is 3"):
        run(["mvp"], tmp_path, settings=Settings(seeds=2, steps=3, evals=1, videos=24), hands=again.hands())


@pytest.mark.parametrize("start", ["tiny", "runs/other"])
def test_all_runs_share_one_start(tmp_path: Path, start: str) -> None:
    stub = Stub(SKILL)
    run(RECIPES, tmp_path, settings=replace(SMALL, start=start), hands=stub.hands())
    assert {one.policy for one in stub.runs.values()} == {start}
    assert len({(one.config.prompts_per_step, one.config.group_size) for one in stub.runs.values()}) == 1


@pytest.mark.parametrize("setting", ["steps=3", "group_size=4", "prompts_per_step=8", "max_completion_tokens=32"])
def test_unequal_compute_is_refused_and_named(tmp_path: Path, setting: str) -> None:
    key, _, value = setting.partition("=")
    with pytest.raises(RequestError, match=rf"not equal compute: config.{key} \d+ in mvp, {value} in mvp:{setting}"):
        plan(["mvp", f"mvp:{setting}"], tmp_path, SMALL)


def test_settings_that_differ_are_listed_and_what_all_share_is_not(tmp_path: Path) -> None:
    rows = {row[0]: row[1:] for row in plan(["mvp", "mvp:lr=1e-5,algorithm=dr_grpo"], tmp_path, SMALL)["differing"]}
    assert rows["config.lr"] == ["0.00016", "1e-05"] and rows["algorithm"] == ["GRPO", "DrGRPO"]
    assert "config.steps" not in rows and "rubric" not in rows


def test_a_plan_tells_the_time_of_every_run_and_of_all_seeds(tmp_path: Path) -> None:
    asked: list[str] = []

    def rehearse(name: str, one: RLRun) -> dict[str, float]:
        asked.append(name)
        return {"seconds": 10.0 * one.config.steps, "peak_bytes": 100.0 + len(asked)}

    found = plan(["mvp", "process_mvp"], tmp_path, SMALL, rehearse=rehearse)
    assert asked == ["mvp", "process_mvp", POSITIVE, NEGATIVE]
    assert found["seconds_each"] == dict.fromkeys(asked, 20.0)
    assert (found["seconds"], found["peak_bytes"]) == (2 * 4 * 20.0, 104.0)
    assert "seconds" not in plan(["mvp"], tmp_path, SMALL)


def test_arms_are_read_with_their_settings() -> None:
    assert parse("mine.py:made").recipe == "mine.py:made"
    assert parse("mine.py:made:lr=1e-4").settings == ("lr=1e-4",)
    with pytest.raises(RequestError, match="the lab's to set"):
        parse("mvp:seed=3")
    with pytest.raises(RequestError, match="once"):
        parse_all(["mvp", "mvp"])


def group(name: str) -> Group:
    turns = [
        Turn(
            ids=np.arange(size),
            logprobs=np.zeros(size, np.float32),
            loss_mask=np.ones(size, np.bool_),
            text=f"{name} {size}",
            stop="eos",
        )
        for size in range(1, 9)
    ]
    sample = Sample(id=name, task="none", messages=(Message("user", (Text("?"),)),), answer=1, split="train")
    return Group(sample=sample, trajectories=tuple(Trajectory(turns=(turn,)) for turn in turns))


def test_shuffled_rewards_keep_the_scores_of_a_group_and_say_nothing_about_its_members() -> None:
    plain = Length(1, 4)
    true = plain.score(group("a"))[:, 0]
    dealt = np.stack([Shuffled(plain).score(group(f"g{k}"))[:, 0] for k in range(400)])
    assert all(sorted(row) == sorted(true) for row in dealt.tolist())
    # Every member gets each score equally often: its mean is the group's, whatever it did itself.
    assert np.abs(dealt.mean(0) - true.mean()).max() < 0.1
    assert (Shuffled(plain).score(group("a")) == Shuffled(plain).score(group("a"))).all()
    assert any((Shuffled(plain, seed).score(group("a"))[:, 0] != dealt[0]).any() for seed in range(5))


def test_the_controls_differ_from_the_plain_run_in_reward_and_puzzles_alone(tmp_path: Path) -> None:
    stub = Stub(SKILL)
    run(["mvp"], tmp_path, settings=SMALL, hands=stub.hands())
    plain = stub.runs["mvp/seed-1"]
    easy, shuffled = (stub.runs[f"{folder}/seed-1"] for folder in _folders(POSITIVE, NEGATIVE))
    assert shuffled.data == plain.data and shuffled.rubric.expression == Shuffled(plain.rubric.expression, 1)
    assert easy.data != plain.data and easy.rubric.expression == plain.rubric.expression
    assert describe(easy.rubric)["logged"]
    assert easy.config == shuffled.config == plain.config and easy.algorithm == plain.algorithm


def _folders(*names: str) -> list[str]:
    from reelgym.lab.arms import folder_name

    return [folder_name(name) for name in names]


def test_an_endpoint_whose_form_nobody_knows_is_told_as_such() -> None:
    from reelgym.reports.lab import _unread

    ends = {"a": {"invalid": {"x": 0.6, "y": 1.0}}, "b": {"invalid": {"x": 0.4, "y": 1.0}}}
    (line,) = _unread(ends)
    assert "replies on a could not be read" in line
