"""The four pages for users: every command on them runs as it stands, in order, in one folder."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from chat_server import Said, serving

from reelgym import models
from reelgym.cli import run
from reelgym.recipes import demo
from reelgym.recipes.mvp import SIZES

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FEW = ("coffee_pouring_h264", "film_bw_chaplin_h264", "science_nasa_two_streams_h264", "street_bikes_multishot_h264")
ADDRESS = "http://localhost:8000/v1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def put(clips: list[Path], place: Path) -> None:
    """Copy clips to `videos` under the names that the pages use."""
    (place / "videos").mkdir()
    for clip, name in zip(clips, "abcd", strict=True):
        shutil.copyfile(clip, place / "videos" / f"{name}.mp4")


@pytest.fixture
def few_clips(request: pytest.FixtureRequest) -> list[Path]:
    """Four short real clips; rendered ones where real ones are not at hand."""
    try:
        folder = request.getfixturevalue("shared_videos")
    except pytest.skip.Exception:
        return sorted(request.getfixturevalue("world_videos").glob("*.mp4"))
    return [folder / f"{name}.mp4" for name in FEW]


def commands(repository: Path, page: str) -> list[str]:
    """Return the commands of a page, in order."""
    blocks = BLOCK.findall((repository / "docs" / page).read_text(encoding="utf-8"))
    return [line for language, body in blocks if language == "sh" for line in body.splitlines()]


def copied(lines: list[str], address: str = ADDRESS) -> None:
    """Run the commands of a page as they stand, but for the address of an endpoint."""
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line.replace(ADDRESS, address))
        assert program == "reelgym", line
        assert run(arguments) == 0, line


@pytest.mark.timeout(600)
def test_the_newcomer_s_page(repository: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(SIZES["tiny"], steps=1, prompts_per_step=2, group_size=2, eval_every=0)
    small = demo.Settings(train_videos=2, train_puzzles=1, test_videos=2, test_puzzles=1, config=config)
    monkeypatch.setattr(demo, "run", partial(demo.run, settings=small))
    copied(commands(repository, "newcomer.md"))
    assert (place / "my-demo" / "index.html").is_file()


def apart(stock: torch.nn.Module, ids: torch.Tensor) -> float:
    """Return how far stock's log-probs of the ids (1, T) lie from ours on the folder `my-model`, at most."""
    ours = models.load("my-model", dtype=torch.float32)
    places = torch.arange(ids.shape[1]).expand(3, 1, -1)
    with torch.no_grad():
        theirs = stock.float()(input_ids=ids).logits
        own = ours.logits(ours.hidden(ids, places, features=None).last_hidden_state)
    told = [one.log_softmax(-1)[0, :-1].gather(-1, ids[0, 1:, None]) for one in (theirs, own)]
    return float((told[0] - told[1]).abs().max())


@pytest.mark.timeout(600)
def test_the_student_s_page_leads_from_few_real_clips_to_a_folder_with_which_stock_transformers_answers(
    repository: Path, place: Path, few_clips: list[Path]
) -> None:
    put(few_clips, place)
    copied(commands(repository, "student.md"))
    ((_, code),) = (b for b in BLOCK.findall((repository / "docs/student.md").read_text("utf-8")) if b[0] == "py")
    told: dict[str, Any] = {}
    exec(code, told)
    reply, prompt = told["reply"], told["prompt"]
    assert len(reply) == 16 or reply[-1] == told["tokenizer"].eos_token_id
    assert apart(told["model"], torch.cat([prompt["input_ids"], reply[None]], dim=1)) <= 1e-5


def test_the_engineer_s_page(repository: Path, place: Path, world_videos: Path) -> None:
    put(sorted(world_videos.glob("*.mp4")), place)
    copied(commands(repository, "engineer.md"))
    assert (place / "for-verl" / "reward.py").is_file()


def test_the_evaluator_s_page(repository: Path, place: Path, world_videos: Path) -> None:
    put(sorted(world_videos.glob("*.mp4")), place)
    page = (repository / "docs" / "evaluator.md").read_text(encoding="utf-8")
    (table,) = (body for language, body in BLOCK.findall(page) if language == "csv")
    (place / "questions.csv").write_text(table)
    with serving(lambda body, before: Said("<think>it moves</think><answer>A</answer>")) as server:
        copied(commands(repository, "evaluator.md"), server.url)
    assert (place / "evals" / "mine" / "report.html").is_file()
