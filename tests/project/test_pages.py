"""The four pages for users: every command on them runs as it stands, in order, in one folder."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from chat_server import Said, serving

from reelgym.cli import run
from reelgym.recipes import demo
from reelgym.recipes.mvp import SIZES

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://localhost:8000/v1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path / "cache"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def put(clips: list[Path], place: Path) -> None:
    """Copy clips to `videos` under the names that the pages use."""
    (place / "videos").mkdir()
    for clip, name in zip(clips, "abcd", strict=True):
        shutil.copyfile(clip, place / "videos" / f"{name}.mp4")


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


@pytest.mark.timeout(600)
def test_the_student_s_page_ends_with_a_folder_that_stock_transformers_answers_with(
    repository: Path, place: Path, world_videos: Path
) -> None:
    clips = sorted(world_videos.glob("*.mp4"))
    put(clips, place)
    copied(commands(repository, "student.md"))
    ((_, code),) = (b for b in BLOCK.findall((repository / "docs/student.md").read_text("utf-8")) if b[0] == "py")
    told: dict[str, object] = {}
    exec(code, told)
    assert len(told["reply"]) == 16 or told["reply"][-1] == told["tokenizer"].eos_token_id  # type: ignore[index,arg-type,attr-defined]


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
