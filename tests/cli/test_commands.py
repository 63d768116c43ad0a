from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from reelgym.recipes.mvp import SIZES

Cli = Callable[..., tuple[int, str, str]]


def test_synth_says_what_it_made_and_a_second_call_that_it_was_there(
    cli: Cli, world_videos: Path, tmp_path: Path
) -> None:
    arguments = ["synth", world_videos, "--fps", "auto", "--workers", 1, "--set", "short_side=28", "--json"]
    code, out, err = cli(*arguments, "--out", tmp_path / "a")
    first = json.loads(out)
    assert (code, first["counts"]["sources"], first["counts"]["quarantined"]) == (0, 4, 0)
    assert re.search(r"cut puzzles: (\d+)/\1, ", err)
    assert json.loads(cli(*arguments, "--out", tmp_path / "b")[1])["digest"] == first["digest"]
    code, out, err = cli(*arguments[:-1], "--out", tmp_path / "a")
    assert code == 0
    assert err.splitlines() == [f"{tmp_path / 'a'} was finished before; nothing to do"]
    assert f"digest: {first['digest']}" in out
    code, _, err = cli(*arguments, "--out", tmp_path / "a", "--seed", 1)
    assert code == 2
    assert "seed: 0 then, 1 now" in err


def test_inspect_shows_chance_beside_the_baselines(cli: Cli, puzzles: Path) -> None:
    code, out, _ = cli("inspect", puzzles)
    assert code == 0
    for word in ("mvp: chance", "mvp: order_by_similarity", "mvp: context_free", "quarantined"):
        assert word in out
    report = json.loads(cli("inspect", puzzles, "--json", "--no-baselines")[1])
    assert report["baselines"] == {}
    assert 0 < report["chance"]["mvp"]["value"] < 1


def test_show_prints_settings_with_their_origin_and_trains_nothing(cli: Cli, puzzles: Path, tmp_path: Path) -> None:
    out_folder = tmp_path / "run"
    code, out, _ = cli("train", "mvp", "--data", puzzles, "--out", out_folder, "steps=3", "--show", "--json")
    rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(out)}
    assert code == 0
    assert rows["config.steps"] == ("3", "override")
    assert rows["config.temperature"] == ("1.0", "default")
    assert rows["data"][1] == "derived from data"
    assert not out_folder.exists()


def test_train_then_eval_then_repeat(cli: Cli, puzzles: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["prompts_per_step=1", "group_size=2", "max_completion_tokens=8", "eval_tokens=8", "save_every=1"]
    train = ["train", "mvp", "--data", puzzles, "--out", run, *small]
    code, out, err = cli(*train, "steps=1")
    assert code == 0, err
    assert f"run: {run}" in out
    assert "train mvp: 1/1" in err
    code, out, err = cli(*train, "steps=2", "--json")
    assert (code, json.loads(out)["last"]) == (0, str(run / "checkpoints" / "step-2"))
    assert "finished before" not in err
    assert f"{run} was finished before; nothing to do" in cli(*train, "steps=2")[2]
    code, _, err = cli(*train, "steps=2", "lr=1e-5")
    assert code == 2
    assert f"config.lr was {SIZES['tiny'].lr}, is 1e-05" in err

    code, out, err = cli(
        *("eval", puzzles, "--model", run, "--split", "all", "--limit", 2, "--max-tokens", 4),
        *("--probes", "blind", "--out", tmp_path / "ev", "--json"),
    )
    assert code == 0, err
    assert list(json.loads(out)) == ["tagged", "tagged-blind", "floor-order_by_similarity", "floor-context_free"]
    for folder in (tmp_path / "ev", run, puzzles):
        code, out, err = cli("report", folder, "--out", tmp_path / "page.html")
        assert (code, out, err) == (0, f"page: {tmp_path / 'page.html'}\n", "")
        assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_list_names_every_kind(cli: Cli) -> None:
    found = json.loads(cli("list", "--json")[1])
    kinds = {"tasks", "recipes", "benchmarks", "probes", "tools", "rewards", "algorithms", "formats", "records"}
    assert set(found) == kinds
    assert {"mvp"} <= set(found["tasks"])
    assert {"mvp", "cold_start"} <= set(found["recipes"])
    assert {"grpo", "dr_grpo", "dapo"} <= set(found["algorithms"])
    assert all(line for entries in found.values() for line in entries.values())
    assert json.loads(cli("list", "tasks", "--json")[1]) == found["tasks"]


def test_list_agrees_with_what_the_rooms_find(cli: Cli) -> None:
    from reelgym.algorithms import Algorithm
    from reelgym.registry import discover
    from reelgym.rewards import Reward
    from reelgym.tasks import Task

    found = json.loads(cli("list", "--json")[1])
    for kind, base in (("tasks", Task), ("rewards", Reward), ("algorithms", Algorithm)):
        assert list(found[kind]) == list(discover(f"reelgym.{kind}", base))


def test_the_doctor_checks_one_thing_per_line(cli: Cli) -> None:
    code, out, _ = cli("doctor")
    assert code == 0, out
    lines = out.splitlines()
    assert all(line.startswith(("PASS  ", "INFO  ", "FAIL  ")) for line in lines)
    assert [line for line in lines if line.startswith("PASS  video: encoded and read back")]
    assert "FAIL" not in out


def test_difficulty_is_stored_beside_the_dataset_and_shown_by_inspect(cli: Cli, puzzles: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(puzzles, folder)
    ask = ["difficulty", folder, "--model", "tiny", "--rollouts", 2, "--max-tokens", 4, "--split", "all", "--json"]
    code, out, err = cli(*ask)
    assert code == 0, err
    first = json.loads(out)
    assert first["samples"] == sum(first["histogram"].values()) > 0
    assert cli(*ask)[1] == out  # Nothing is asked again.
    report = json.loads(cli("inspect", folder, "--no-baselines", "--json")[1])
    before = json.loads(cli("inspect", puzzles, "--no-baselines", "--json")[1])
    assert report["digest"] == before["digest"] and before["difficulty"] == {}
    assert report["difficulty"]["tiny"]["histogram"] == list(first["histogram"].values())
    code, _, err = cli(*ask, "--threshold", 0.5)
    assert code == 2 and "threshold: 1.0 then, 0.5 now" in err


def test_an_estimate_of_a_model_on_this_machine_asks_it_a_few_questions_and_writes_nothing(
    cli: Cli, puzzles: Path, tmp_path: Path
) -> None:
    asked = ["eval", puzzles, "--model", "tiny", "--split", "all", "--max-tokens", 4, "--out", tmp_path / "out"]
    code, out, err = cli(*asked, "--prompt", "direct", "--probes", "blind", "--dry-run", "--json")
    assert code == 0, err
    told = json.loads(out)
    found = told["local"]["tiny"]
    assert found["requests"] == 2 * told["questions"] and told["endpoints"] == {}
    low, likely, high = found["completion_tokens"]
    assert 0 < low <= likely <= high <= 4 * found["requests"]
    assert 0 < found["seconds"][0] <= found["seconds"][2] and found["timed"] == min(4, told["questions"])
    assert not (tmp_path / "out").exists()
