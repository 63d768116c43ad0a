"""What a reader of the served page sees and does, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import view_example

from reelgym.reports.viewer.browser import Browser
from reelgym.reports.viewer.folder import open_browser
from reelgym.reports.viewer.server import Viewer
from reelgym.video import Store

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1300, "height": 900}
COUNT = 5000

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return view_example.dataset(tmp_path_factory.mktemp("view"), COUNT)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def samples(data: Path, store: Store) -> Browser:
    return open_browser(data, store)


@pytest.fixture
def serve() -> Iterator[Callable[[Browser], str]]:
    """Serves a folder; returns its address."""
    started: list[tuple[Viewer, threading.Thread]] = []

    def begin(shown: Browser) -> str:
        server = Viewer(shown)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server.url

    yield begin
    for server, thread in started:
        server.shutdown()
        thread.join(60)
        server.server_close()


@pytest.fixture
def show(serve: Callable[[Browser], str], visit: Open) -> Open:
    """Serves a folder and opens its page. Asked for after `serve`, `visit` closes pages before their servers."""

    def begin(shown: Browser, at: str = "", *, viewport: dict[str, int] = DESKTOP, scheme: str = "light") -> Any:
        url = serve(shown)
        return visit(url + at, viewport=viewport, scheme=scheme, own=url)

    return begin


def wait(page: Any, expression: str) -> None:
    """Wait until an expression is true; `wait_for_function` would need the eval that the page's policy forbids."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"not true after a minute: {expression}")


def settled(page: Any, item: bool = True) -> None:
    """Wait until nothing is asked for any more and an item is there."""
    page.wait_for_selector("#rows:not(.waiting)")
    if item:
        page.wait_for_selector("#item:not(.waiting) .item")


def titles(page: Any) -> list[str]:
    return page.locator("#rows [data-key]").evaluate_all("all => all.map((one) => one.dataset.key)")


def count(page: Any) -> str:
    return page.locator("#count").inner_text()


def pick(page: Any, label: str, value: str) -> None:
    with page.expect_response(lambda answer: "/rows?" in answer.url):
        page.select_option(f"select[data-label='{label}']", value)
    settled(page)


def test_five_thousand_samples_are_sent_fifty_at_a_time_and_frames_of_one_alone(show: Open, samples: Browser) -> None:
    page = show(samples)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.rpartition("/")[2]))
    settled(page)
    assert count(page) == "5,000 samples" and len(titles(page)) == 50
    page.click("#forth")
    wait(page, "document.getElementById('place').textContent.startsWith('51')")
    settled(page)
    assert titles(page)[0] == view_example.puzzle(50, "s").id
    page.wait_for_load_state("networkidle")
    rows = [one for one in asked if one.startswith("rows?")]
    assert len(rows) <= 2 and all("limit=50" in one for one in rows)
    frames = [one for one in asked if one.startswith("frame?")]
    assert 0 < len(frames) <= 2 * 9 and len(asked) <= 40


def test_filters_and_words_really_narrow_the_list_and_survive_a_reload(show: Open, samples: Browser) -> None:
    page = show(samples)
    settled(page)
    pick(page, "Task", "labelled")
    assert count(page) == "1,250 samples" and all(key.startswith("labelled-") for key in titles(page))
    pick(page, "Split", "test")
    assert count(page) == "250 samples"
    page.fill("#words", "question 1203.")
    wait(page, "document.getElementById('count').textContent === '0 samples'")
    assert page.locator("#nothing").is_visible()
    page.click("#clear")
    wait(page, "document.getElementById('count').textContent === '5,000 samples'")
    page.fill("#words", "question 1203.")
    wait(page, "document.getElementById('count').textContent === '1 sample'")
    settled(page)
    assert titles(page) == ["labelled-01203"]
    page.reload()
    settled(page)
    assert titles(page) == ["labelled-01203"] and page.input_value("#words") == "question 1203."


def test_keys_move_reveal_turn_and_search(show: Open, samples: Browser) -> None:
    page = show(samples)
    settled(page)
    chosen = "#rows [aria-current]"
    for key, wanted in (("ArrowDown", 1), ("j", 2), ("ArrowUp", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        assert page.locator(chosen).get_attribute("data-key") == view_example.puzzle(wanted, "s").id
    settled(page)
    assert not page.locator(".answer").is_visible() and page.locator(".belongs img").count() == 2
    outline = "node => getComputedStyle(node).outlineStyle"
    assert page.locator(".belongs img").first.evaluate(outline) == "none"
    page.keyboard.press("a")
    assert page.locator(".answer .chip").all_inner_texts() == ["2", "3"] and page.locator(".gap img").first.is_visible()
    assert page.locator(".belongs img").first.evaluate(outline) == "solid"
    page.keyboard.press("ArrowRight")
    wait(page, "document.getElementById('place').textContent.startsWith('51')")
    settled(page)
    page.keyboard.press("/")
    page.keyboard.type("aj")  # Letters of a search are no commands.
    assert page.input_value("#words") == "aj"


def test_frames_come_with_their_times_and_open_large(show: Open, samples: Browser) -> None:
    page = show(samples, "#tab=samples&key=mvp-test-00000")
    settled(page)
    loaded = "all => all.length > 0 && all.every((one) => one.complete && one.naturalWidth > 0)"
    page.wait_for_load_state("networkidle")
    assert page.locator("#item .frame > img").evaluate_all(loaded)
    assert page.locator(".film:not(.pool) figcaption").all_inner_texts()[:2] == ["0.0 s", "0.5 s"]
    assert page.locator(".gap").count() == 2
    page.locator("#item .frame > img").first.click()
    wait(page, "document.querySelector('#closer img').naturalWidth === 644")
    page.keyboard.press("ArrowRight")
    assert page.locator("#closer span").inner_text() == "0.5 s"
    page.keyboard.press("Escape")
    assert not page.locator("#closer").is_visible()


def test_what_files_bring_never_runs(show: Open, samples: Browser) -> None:
    page = show(samples, "#tab=samples&key=labelled-00003")
    settled(page)
    assert view_example.HOSTILE in page.locator("#item").inner_text()
    page.click("#tabs button:last-child")
    page.wait_for_selector(".alone #rows li")
    assert f"bad/{view_example.HOSTILE}.mp4" in page.locator("#rows").inner_text()
    assert page.evaluate("window.hacked") is None and page.locator("img[src='x']").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_list_then_one_item_and_goes_back(show: Open, samples: Browser, scheme: str) -> None:
    page = show(samples, viewport=PHONE, scheme=scheme)
    settled(page, item=False)
    fits = "document.documentElement.scrollWidth <= 390"
    assert page.evaluate(fits) and not page.locator("#pane").is_visible()
    page.click("#more")
    assert page.locator("#selects select").first.is_visible() and page.evaluate(fits)
    page.click("#rows button >> nth=3")
    page.wait_for_selector("#item .item")
    assert not page.locator("#rows").is_visible() and page.evaluate(fits)
    page.go_back()
    page.wait_for_selector("#rows [data-key]", state="visible")
    assert page.locator(".turn button").first.evaluate("node => node.getBoundingClientRect().height") in (0, 44)


def test_an_evaluation_is_looked_through_by_question(show: Open, data: Path, store: Store, tmp_path: Path) -> None:
    page = show(open_browser(view_example.evaluation(tmp_path / "eval", data), store))
    page.wait_for_selector("#page h1")
    page.click("#tabs button:last-child")
    settled(page)
    assert count(page) == "3 questions"
    asked = titles(page)
    pick(page, "Verdict", "unreadable")
    assert titles(page) == asked[2:] and page.locator(".reply .tag.bad").first.is_visible()
    assert page.locator(".reply").count() == 1 and page.evaluate("window.hacked") is None
    page.click("#clear")
    wait(page, "document.getElementById('count').textContent === '3 questions'")


def test_a_run_that_goes_on_is_refreshed(show: Open, data: Path, store: Store, tmp_path: Path) -> None:
    folder = view_example.run(tmp_path / "run", data, 2)
    page = show(open_browser(folder, store))
    page.wait_for_selector("#page svg .line")
    page.click("#tabs button:nth-child(2)")
    settled(page)
    assert count(page) == "4 groups" and page.locator(".credit .up").count() > 0
    key = page.locator("#rows [aria-current]").get_attribute("data-key")
    view_example.grow(folder, data, range(3, 5))
    wait(page, "document.getElementById('count').textContent === '8 groups'")
    assert "updated" in page.locator("#fresh").inner_text() and titles(page)[0].startswith("4:")
    assert page.locator("#rows [aria-current]").get_attribute("data-key") == key
