"""The browser of questions inside a page of an evaluation, in a real browser: no server, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import page_example
import pytest

from reelgym.reports.images import encode
from reelgym.reports.page import write_page
from reelgym.reports.payload import Book, Choice, Dot, DotRow, Number, Payload, Plot, Table

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1200, "height": 900}
COUNT = 120
HOSTILE = page_example.HOSTILE

Open = Callable[..., Any]


def made() -> Payload:
    """Return a page of 120 questions, every third wrong, with two pictures and hostile text."""
    verdicts = tuple("wrong" if n % 3 == 0 else "right" for n in range(COUNT))
    rows = tuple(
        {
            "key": f"q{n}",
            "title": f"Question {n} {HOSTILE}",
            "note": f"q{n}",
            "tags": [[verdicts[n], ""]],
            "figure": "1",
        }
        for n in range(COUNT)
    )
    picture = '<div class="film"><figure class="frame"><img data-frame="one" alt="a frame"></figure></div>'
    items = tuple(f'<article class="item"><h2>Item {n}</h2>{picture if n < 2 else ""}</article>' for n in range(COUNT))
    code = {"right": 0, "wrong": 1}
    book = Book(
        rows=rows,
        texts=tuple(f"text {n} {'needle' if n == 77 else ''}" for n in range(COUNT)),
        items=items,
        choices=(
            Choice(name="v", label="Verdict", values=("right", "wrong"), codes=tuple(code[v] for v in verdicts)),
            Choice(name="f", label="Asks", values=("what", "when"), codes=tuple(n % 2 for n in range(COUNT))),
        ),
        sorts={"as asked": None, "last first": tuple(reversed(range(COUNT)))},
        frames={"one": encode(page_example.frame(1.0))},
        note="120 questions, 2 of them with frames",
    )
    number = Number(value=0.6, low=0.5, high=0.7)
    plot = Plot(title="Score", rows=(DotRow(label="a model " + "long " * 12, dots=(Dot(number=number),)),), chance=0.25)
    columns = ("", "Score", "Not told apart from", *(f"Column {n}" for n in range(9)))
    table = Table(title="Which to take", columns=columns, rows=(("a model", "60.0%\n50.0% to 70.0%", *["other"] * 10),))
    warned = (f"a model: the budget ended {HOSTILE}",)
    return Payload(title="t", headline="A model scores.", warnings=warned, decision=table, plot=plot, book=book)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("questions") / "page.html", made())


@pytest.fixture
def show(visit: Open, file: Path) -> Open:
    """Opens the page."""
    return partial(visit, file.as_uri(), viewport=DESKTOP)


def keys(page: Any) -> list[str]:
    return page.locator("#rows [data-key]").evaluate_all("all => all.map((one) => one.dataset.key)")


def item(page: Any, number: int) -> None:
    page.wait_for_selector(f"#item h2:text-is('Item {number}')")


def test_the_page_opens_at_its_head_and_unpacks_the_first_question_with_its_picture(show: Open) -> None:
    page = show()
    item(page, 0)
    assert page.evaluate("scrollY") == 0 and len(keys(page)) == 50
    source = page.locator("#item img").get_attribute("src")
    assert base64.b64decode(source.partition(",")[2]) == made().book.frames["one"]  # type: ignore[union-attr]
    assert page.locator("#count").inner_text() == "120 questions"
    assert page.evaluate("window.hacked") is None and page.locator("img[src='x']").count() == 0
    assert HOSTILE in page.locator("#rows .title").first.inner_text()


def test_filters_words_and_orders_narrow_the_list_and_count_each_other(show: Open) -> None:
    page = show()
    item(page, 0)
    page.select_option("select[data-label='Verdict']", "wrong")
    assert page.locator("#count").inner_text() == "40 questions" and keys(page)[:2] == ["q0", "q3"]
    options = page.locator("select[data-label='Asks'] option").all_inner_texts()
    assert options == ["all", "what (20)", "when (20)"]
    page.select_option("select[data-label='Asks']", "when")
    page.select_option("select[data-label='Order']", "last first")
    assert page.locator("#count").inner_text() == "20 questions" and keys(page)[0] == "q117"
    page.click("#clear")
    page.fill("#words", "NEEDLE")
    item(page, 77)
    assert keys(page) == ["q77"]


def test_keys_belong_to_the_browser_only_where_it_is_seen(show: Open) -> None:
    page = show()
    item(page, 0)
    page.keyboard.press("j")
    assert page.locator("#rows [aria-current]").get_attribute("data-key") == "q0"
    page.locator("#browse").evaluate("node => node.scrollIntoView()")
    page.keyboard.press("j")
    item(page, 1)
    page.keyboard.press("ArrowRight")
    item(page, 50)
    assert page.locator("#place").inner_text() == "51\u2013100"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways_and_reads_one_question_at_a_time(show: Open, scheme: str) -> None:
    page = show(viewport=PHONE, scheme=scheme)
    page.wait_for_selector("#rows [data-key]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("svg.slim").is_visible() and not page.locator("svg.wide").is_visible()
    page.click("#rows [data-key='q4']")
    item(page, 4)
    assert not page.locator("#rows").is_visible() and page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#close")
    assert page.locator("#rows").is_visible()


def test_without_scripts_all_but_the_browser_is_there_and_a_partial_result_comes_first(show: Open) -> None:
    page = show(scripts=False)
    warned = page.locator(".partial")
    assert warned.bounding_box()["y"] < page.locator("h1").bounding_box()["y"]
    assert "Partial result".casefold() in warned.inner_text().casefold() and HOSTILE in warned.inner_text()
    assert page.locator("#decision table").is_visible() and page.locator("svg.wide").is_visible()
    assert "drawn by a script" in page.locator("#questions").inner_text() and not page.locator("#browse").is_visible()
