"""A real browser for the page: Debian's chromium, or whichever Chromium this machine has; else these tests skip."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reports"))

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A running headless browser; skips with the reason where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser test: playwright is not installed")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser test: none of {', '.join(NAMES)} is on the PATH")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a synthetic payload with hostile text in it."""
    import page_example

    from reelgym.reports.page import write_page

    return write_page(tmp_path_factory.mktemp("page") / "page.html", page_example.payload(6, hostile=True))
