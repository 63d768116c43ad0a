"""What a reader of the page sees, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1200, "height": 900}

CONTRAST = """(selector) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  return [...document.querySelectorAll(selector)].filter((n) => n.offsetParent).map((node) => {
    const pair = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  });
}"""

Open = Callable[..., Any]


@pytest.fixture
def show(visit: Open, page_file: Path) -> Open:
    """Opens the page."""
    return partial(visit, page_file.as_uri(), viewport=DESKTOP)


def shown(page: Any) -> list[str]:
    """Return the titles of the puzzles that are visible."""
    titles = page.locator(".puzzle:visible h3").all_inner_texts()
    return [title.split("\n")[0].split(" moving")[0].split(" cups")[0].split(" process")[0] for title in titles]


def test_a_reader_sees_the_result_first(show: Open) -> None:
    page = show()
    heading = page.locator("h1")
    assert "twice as well" in heading.inner_text()
    assert heading.bounding_box()["y"] < 200
    table = page.locator("table.measures").inner_text()
    for words in ("Score", "36.4%", "71.2%", "+34.8", "14.1%", "Invalid replies", "Cut off"):
        assert words in table
    assert page.locator(".hero svg rect.bar").count() == 5
    assert page.locator("#curves svg .line").count() >= 5
    assert "under both prompts" in page.locator("#tables").inner_text()


def test_puzzles_are_turned_by_buttons_and_arrow_keys(show: Open) -> None:
    page = show()
    assert shown(page) == ["Puzzle 1"] and page.locator("#place").inner_text() == "1 / 6"
    page.click("#next")
    assert shown(page) == ["Puzzle 2"] and page.locator("#place").inner_text() == "2 / 6"
    page.keyboard.press("ArrowRight")
    assert shown(page) == ["Puzzle 3"]
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert shown(page) == ["Puzzle 6"]
    page.click("#previous")
    assert shown(page) == ["Puzzle 5"]


def test_puzzles_are_filtered_by_kind_and_by_whether_they_were_solved(show: Open) -> None:
    page = show()
    page.select_option("#by-solved", "unsolved")
    assert shown(page) == ["Puzzle 2"] and page.locator("#place").inner_text() == "1 / 2"
    page.select_option("#by-kind", "moving")
    assert shown(page) == [] and page.locator("#nothing").is_visible()
    page.keyboard.press("Escape")
    page.select_option("#by-solved", "solved")
    assert shown(page) == ["Puzzle 1"] and not page.locator("#nothing").is_visible()


def test_a_puzzle_shows_clip_gap_pool_order_and_replies(show: Open) -> None:
    page = show()
    page.click("#next")
    puzzle = page.locator(".puzzle:visible")
    assert puzzle.locator(".film:not(.pool) img").count() == 6
    assert puzzle.locator(".gap").count() == 3
    assert puzzle.locator(".pool img").count() == 5 and puzzle.locator(".pool .belongs").count() == 3
    loaded = puzzle.locator("img").evaluate_all("all => all.every((one) => one.complete && one.naturalWidth > 0)")
    assert loaded
    assert puzzle.locator(".right .chip").all_inner_texts() == ["4", "1", "3"]
    assert puzzle.locator(".reply .head b").all_inner_texts()[:2] == ["Before", "After"]
    training = puzzle.locator(".reply").nth(3)
    assert training.locator(".terms").inner_text().split() == [
        "accuracy",
        "1.00",
        "format",
        "1.00",
        "advantage",
        "+0.50",
    ]
    assert training.locator(".chip.hit").count() == 3


def test_segments_have_colours_of_their_own(show: Open) -> None:
    page = show()
    page.click("#next")
    reply = page.locator(".puzzle:visible .reply.after .text")
    colours = [
        reply.locator(f".seg.{name}").evaluate("node => getComputedStyle(node).backgroundColor")
        for name in ("observation", "think", "answer")
    ]
    assert len(set(colours)) == 3 and "rgba(0, 0, 0, 0)" not in colours


def test_text_of_replies_never_runs(show: Open) -> None:
    page = show()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0
    assert "<script>window.hacked = 1</script>" in page.locator(".puzzle:visible .reply .text").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways_and_text_keeps_its_size(show: Open, scheme: str) -> None:
    page = show(viewport=PHONE, scheme=scheme)
    for _ in range(6):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.evaluate(
            "[...document.querySelectorAll('main *')].filter((n) => n.offsetParent && "
            "n.getBoundingClientRect().right > 391).map((n) => n.className || n.tagName)"
        )
        assert wide == []
        page.click("#next")
    assert page.locator("p.lead").evaluate("node => parseFloat(getComputedStyle(node).fontSize)") >= 15
    assert page.locator("#next").bounding_box()["width"] >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(show: Open, scheme: str) -> None:
    page = show(scheme=scheme)
    page.click("#next")
    for selector in ("h1", ".lead", ".caption", ".range", ".note", ".seg", ".tag", "td", "th", ".chip.hit", ".terms b"):
        found = page.evaluate(CONTRAST, selector)
        assert found and min(found) >= 4.5, (selector, min(found))


def test_light_and_dark_are_not_the_same(show: Open) -> None:
    backgrounds = [
        show(scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor") for scheme in ("light", "dark")
    ]
    assert backgrounds == ["rgb(251, 250, 247)", "rgb(19, 21, 24)"]


def test_without_scripts_every_puzzle_is_shown(show: Open) -> None:
    page = show(scripts=False)
    assert page.locator(".puzzle:visible").count() == 6
    assert not page.locator(".toolbar").is_visible()
