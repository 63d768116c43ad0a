"""A whole lab that trains and asks, as small as it gets: MVP, jigsaw and plain questions on the same videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelgym.lab import Settings, run
from reelgym.lab.arms import folder_name, refuse_unequal, sources
from reelgym.lab.controls import NAMES
from reelgym.lab.endpoints import PUZZLES
from reelgym.recipes import proving
from reelgym.recipes.resolve import resolve
from reelgym.training.metrics import read

ARMS = ("mvp", "world_jigsaw", "world_questions")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two videos and two samples of each, whatever a recipe asks for."""
    whole = proving.prepare

    def prepared(folder: Path, **asked: Any) -> proving.Ground:
        return whole(folder, **(asked | {"videos": 2, "per_video": 2}))

    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(proving, "cores", lambda: 1)
    monkeypatch.setattr(proving, "prepare", prepared)


@pytest.mark.timeout(900)
def test_a_lab_trains_asks_and_writes_its_page(small: None, tmp_path: Path) -> None:
    small_steps = "prompts_per_step=2,group_size=2,lr=1e-4"
    recipes = [f"{name}:{small_steps}" for name in ARMS] + [f"process_mvp:judge=rule,{small_steps}"]
    settings = Settings(seeds=1, steps=1, evals=1, videos=2, per_video=1, max_tokens=16)
    found = run(recipes, tmp_path / "lab", settings=settings)
    end = found["endpoints"][PUZZLES]
    assert set(end["scores"]) == {*recipes, *NAMES, "start"} and not end["sees"]
    assert all(spent["generated"] > 0 for spent in found["spent"].values())
    page = (tmp_path / "lab" / "index.html").read_text(encoding="utf-8")
    assert all(name in page for name in (*ARMS, *NAMES)) and "not distinguishable" in page
    assert ["judge", *["NoneType"] * 3, "Rule"] in found["differing"]
    rows = read(tmp_path / "lab" / folder_name(recipes[-1]) / "seed-0" / "metrics.jsonl")
    told = next(row for row in rows if row["step"] == 1)
    assert told["judge/without_verdict"] == 0.0 and 0.0 <= told["judge/score"] <= 1.0


def test_jigsaw_and_questions_are_cut_from_the_videos_of_the_puzzles(small: None) -> None:
    runs = {name: resolve(name, ["steps=1"]).run for name in ARMS}
    refuse_unequal(runs)  # type: ignore[arg-type]
    jigsaw = runs["world_jigsaw"]
    assert sources(jigsaw.data) == sources(runs["mvp"].data)  # type: ignore[union-attr]
    assert {sample.task for sample in jigsaw.data.items} == {"jigsaw"}  # type: ignore[union-attr]
    assert {len(sample.answer) for sample in jigsaw.data.items} == {4}  # type: ignore[union-attr]
