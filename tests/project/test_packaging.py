from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest


def test_the_wheel_holds_the_package_and_its_data(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    root = repository / "src"
    wanted = {
        path.relative_to(root).as_posix()
        for path in (root / "reelgym").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith("tests")]
    assert wheel.stat().st_size < 12 * 2**20


def test_every_dependency_is_pinned_for_ci_within_its_range(repository: Path) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = (repository / "constraints.txt").read_text().splitlines()
    pins = {re.sub(r"[-_.]+", "-", n).lower(): v for n, v in (line.split("==") for line in lines if "==" in line)}
    for text in [*project["dependencies"], *extras["train"], *extras["dev"]]:
        requirement = Requirement(text)
        assert requirement.name.lower() in pins, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(pins[requirement.name.lower()]), text


def _make_venv(repository: Path, folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(repository / "scripts" / "make_venv.sh"), str(folder), "train", "constraints.txt"]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": str(path)}, cwd=path.parent, timeout=30)


def _fake(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_without_python_3_11_make_says_in_one_line_what_to_install(repository: Path, tmp_path: Path) -> None:
    _fake(tmp_path / "bin", "python3", "exit 1")  # Whatever it is asked, it is older than 3.11.
    done = _make_venv(repository, tmp_path / "venv", tmp_path / "bin")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no Python 3.11 or newer found: install one (https://www.python.org/downloads), or uv" in done.stderr


def test_make_takes_uv_where_it_is_and_the_newest_python_else(repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    python = (
        f'echo "$(basename "$0") $@" >> {log}; case "$2" in venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";; esac'
    )
    for name in ("python3.12", "python3.11", "python3"):
        _fake(tmp_path / "bin", name, python)
    for tool in ("basename", "mkdir", "cp", "grep"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    assert _make_venv(repository, tmp_path / "one", tmp_path / "bin").returncode == 0
    calls = log.read_text().splitlines()
    assert f"python3.12 -m venv {tmp_path / 'one'}" in calls
    assert [c for c in calls if c.startswith("python -m pip install") and "--editable .[train]" in c]

    log.unlink()
    uv = f'echo "uv $@" >> {log}; case "$1" in venv) for last; do :; done; mkdir -p "$last/bin"; '
    _fake(tmp_path / "bin", "uv", uv + f'cp {tmp_path / "bin" / "python3"} "$last/bin/python";; esac')
    assert _make_venv(repository, tmp_path / "two", tmp_path / "bin").returncode == 0
    calls = [line for line in log.read_text().splitlines() if line.startswith("uv ")]
    assert [call.split()[1] for call in calls] == ["venv", "pip"]
