"""The walls of the house style: what no file and no function may exceed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAY_PRINT = {"cli.py", "terminal.py"}


def _files(repository: Path) -> Iterator[tuple[str, str]]:
    root = repository / "src" / "reelgym"
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def test_no_file_and_no_function_is_beyond_the_wall(repository: Path) -> None:
    beyond = []
    for name, text in _files(repository):
        if len(text.splitlines()) > MAX_FILE_LINES:
            beyond.append(f"{name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    beyond.append(f"{name}: {node.name} has {lines} lines")
    assert beyond == []


def test_sources_are_ascii(repository: Path) -> None:
    assert [name for name, text in _files(repository) if not text.isascii()] == []


def test_only_the_command_line_prints(repository: Path) -> None:
    calls = []
    for name, text in _files(repository):
        if name in MAY_PRINT:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                calls.append(f"{name}:{node.lineno}")
    assert calls == []


def test_nothing_unpickles_evaluates_or_opens_a_shell(repository: Path) -> None:
    found = []
    for name, text in _files(repository):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [f"{name}:{node.lineno} imports {bad}" for bad in ("pickle", "dill", "shelve") if bad in names]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                found.append(f"{name}:{node.lineno} calls {node.func.id}")
            if isinstance(node, ast.keyword) and node.arg in ("shell", "trust_remote_code"):
                off = isinstance(node.value, ast.Constant) and node.value.value is False
                found += [] if off else [f"{name}: passes {node.arg}"]
    assert found == []
