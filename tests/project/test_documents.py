from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def check(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script of `make check`, looking at documents in a temporary folder."""
    spec = importlib.util.spec_from_file_location("check_docs", repository / "scripts" / "check_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def _write(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text)
    return path


def test_a_block_that_fails_is_named(check: ModuleType, tmp_path: Path) -> None:
    good = _write(tmp_path, "```python\nx = 1\n```\ntext\n```python\nassert x == 1\n```\n")
    assert check.failed_blocks(good) == []
    (line,) = check.failed_blocks(_write(tmp_path, "```python\nassert 1 == 2\n```\n"))
    assert line.startswith("page.md: a python block failed:")
    assert "AssertionError" in line


def test_the_output_shown_below_a_block_must_be_what_it_prints(check: ModuleType, tmp_path: Path) -> None:
    text = (
        "```python\nprint('a')\n```\n\n```\n{shown}\n```\n\n```python\nprint('b')\n```\nand a command\n```\nls\n```\n"
    )
    assert check.failed_blocks(_write(tmp_path, text.format(shown="a"))) == []
    (line,) = check.failed_blocks(_write(tmp_path, text.format(shown="z")))
    assert line == "page.md: a block prints\na\nand the document shows\nz\n"


def test_a_link_to_nothing_is_named(check: ModuleType, tmp_path: Path) -> None:
    page = _write(tmp_path, "# A title\n[a](page.md#a-title) [b](https://example.org) ![c](gone.svg) [d](#nowhere)\n")
    assert check.broken_links(page) == [
        "page.md: link to gone.svg, which does not exist",
        "page.md: no heading for the link #nowhere",
    ]
