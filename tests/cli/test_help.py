from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMANDS = ("demo", "synth", "inspect", "train", "eval", "report", "list", "doctor")


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


def test_help_takes_less_than_half_a_second_of_cpu(repository: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from reelgym.cli import main; main()", "--help"]
    subprocess.run(command, check=True, capture_output=True, env={"PYTHONPATH": str(repository / "src")})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_the_version_is_the_packages(cli: Callable[..., tuple[int, str, str]]) -> None:
    from reelgym import __version__

    assert cli("--version") == (0, f"reelgym {__version__}\n", "")
