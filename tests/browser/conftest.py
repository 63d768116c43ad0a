"""A real browser for the page: Debian's chromium, or whichever Chromium this machine has; else these tests skip."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens addresses, each in a context of its own; what they log, throw or fetch from elsewhere fails the test."""
    noise: list[str] = []
    contexts = []

    def opened(
        url: str, *, viewport: dict[str, int], scheme: str = "light", scripts: bool = True, own: str = "file:"
    ) -> Any:
        context = browser.new_context(viewport=viewport, color_scheme=scheme, java_script_enabled=scripts)
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("request", lambda request: request.url.startswith((own, "data:")) or noise.append(request.url))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a synthetic payload with hostile text in it."""
    import page_example

    from reelgym.reports.page import write_page

    return write_page(tmp_path_factory.mktemp("page") / "page.html", page_example.payload(6, hostile=True))
