from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMANDS = (
    "demo",
    "synth",
    "inspect",
    "difficulty",
    "cot",
    "train",
    "eval",
    "ask",
    "report",
    "list",
    "doctor",
    "store",
    "view",
    "publish",
)


def test_help_lists_every_command_and_no_command_is_the_same(cli: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    assert [name for name in COMMANDS if f"│ {name} " not in out] == []
    assert cli()[1].strip() == out.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, cli: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"Example: reelgym {command}" in out


def test_help_imports_nothing_heavy(repository: Path) -> None:
    heavy = ("torch", "transformers", "numpy", "av", "pyarrow", "PIL", "jinja2", "httpx", "datasets")
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('imported', sorted(set({heavy!r}) & set(sys.modules))))\n"
        "from reelgym.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(repository / "src")},
    )
    assert done.stdout.splitlines()[-1] == "imported []"


def test_the_version_is_the_packages(cli: Callable[..., tuple[int, str, str]]) -> None:
    from reelgym import __version__

    assert cli("--version") == (0, f"reelgym {__version__}\n", "")


def test_every_option_that_a_document_shows_exists(repository: Path, cli: Callable[..., tuple[int, str, str]]) -> None:
    shown = []
    for path in (repository / "README.md", *sorted((repository / "docs").glob("*.md"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            for command, rest in re.findall(r"reelgym (\w+)([^`|#\n]*)", line):
                shown += [(command, option) for option in re.findall(r"(?<!\w)--[a-z][a-z-]+", rest)]
    assert ("eval", "--probes") in shown
    texts = {command: cli(command, "--help")[1] for command, _ in shown}
    assert [(command, option) for command, option in shown if option not in texts[command]] == []
