"""`reelgym new`: what it writes passes lint and its own test at once, and CONTRIBUTING shows one of them whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reelgym.cli import run
from reelgym.commands.new_templates import TEMPLATES, filled

ROOMS = ("rewards", "algorithms", "tasks", "evaluation", "recipes")


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A copy of the checkout whose files are links, so that new ones lie in the copy alone."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repository / "src", tmp_path / "src", copy_function=os.symlink, ignore=ignore)
    for room in ROOMS:
        shutil.copytree(repository / "tests" / room, tmp_path / "tests" / room, copy_function=os.symlink, ignore=ignore)
    for name in ("pyproject.toml", "tests/conftest.py"):
        os.symlink(repository / name, tmp_path / name)
    return tmp_path


@pytest.mark.timeout(600)
def test_every_kind_passes_lint_and_its_own_test_at_once(checkout: Path) -> None:
    for kind in TEMPLATES:
        assert run(["new", kind, "brief", "--root", str(checkout)]) == 0
    made = [path for path in checkout.rglob("*brief.py") if not path.is_symlink()]
    assert len(made) == 2 * len(TEMPLATES)
    files = sorted(map(str, made))
    tests = [name for name in files if Path(name).name.startswith("test_")]
    for command in (
        ["ruff", "check", "--no-cache", *files],
        ["ruff", "format", "--check", "--no-cache", *files],
        ["pytest", "-q", "-p", "no:cacheprovider", *tests],
    ):
        env = os.environ | {"PYTHONPATH": str(checkout / "src")}
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=checkout, env=env, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rewrd", "brief"), "did you mean 'reward'"),
        (("reward", "Brief"), "give small letters"),
        (("reward", "class"), "give small letters"),
        (("tool", "clip"), "no room of tools yet"),
        (("reward", "accuracy"), "exists: give another name"),
    ],
)
def test_a_wrong_request_is_one_line(
    arguments: tuple[str, str], told: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new", *arguments, "--root", str(repository)]) == 2
    assert told in capsys.readouterr().err


def test_contributing_shows_a_whole_addition_as_it_is_written(repository: Path) -> None:
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, reward, _, test = (filled(part, "brief") for part in TEMPLATES["reward"])
    assert reward in text and test in text
    assert len((reward + test).splitlines()) < 80
