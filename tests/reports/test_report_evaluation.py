"""The page of an evaluation and that of a comparison, from stored results of known replies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import page_book
import page_example
import pytest

from reelgym.data.dataset import Source, read_dataset, write_dataset
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation import results
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import grade
from reelgym.evaluation.versus import versus
from reelgym.reports import dots, naming
from reelgym.reports.evaluation import about_results
from reelgym.reports.folders import Shelf
from reelgym.reports.packing import packed
from reelgym.reports.payload import Dot, DotRow, Number, Plot
from reelgym.reports.questions import book, of_shelf
from reelgym.reports.report import compared, report
from reelgym.video import FrameSpec, probe, write_mp4

HOSTILE = page_example.HOSTILE + "</script><!--"
COUNT = 24
A, B = "openai:large@http://localhost:1/v1", "openai:small@http://localhost:1/v1"


def sample(number: int, source: str) -> Sample:
    clip = Clip(video=source, spec=FrameSpec(times=(0.0, 0.5, 1.0), size=(28, 28)), times=(0.0, 0.5, 1.0))
    words = f"Question {number} {HOSTILE}?\nA. red\nB. blue {HOSTILE}"
    return Sample(
        id=f"q-{number:03d}",
        task="benchmark",
        messages=(Message("user", (clip, Text(words))),),
        answer="AB"[number % 2],
        split="test",
        evidence={"kind": "choice", "options": ["red", f"blue {HOSTILE}"], "duration_seconds": 4.0},
        facets={"asks": ["what", HOSTILE][number % 2], "level": number % 3},
        provenance={"source": source},
    )


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of questions on one small video, with hostile text wherever a file can bring it."""
    folder = tmp_path_factory.mktemp("questions")
    write_mp4(str(folder / "one.mp4"), (page_example.frame(t / 4, 20, 28) for t in range(16)), 4)
    video = probe(str(folder / "one.mp4"))
    source = Source(
        identity=video.identity,
        path="one.mp4",
        split="test",
        size_bytes=video.size_bytes,
        duration_seconds=4.0,
        height=28,
        width=28,
        frame_rate=4.0,
        codec=video.codec,
    )
    lost = replace(source, identity="full:" + "0" * 64, path="gone.mp4")
    made = [sample(number, (lost, source)[number % 2].identity) for number in range(COUNT)]
    write_dataset(folder / "data", made, [source, lost], [], {"media_root": str(folder), "seed": 0, "tasks": {}})
    return folder / "data"


def asked(questions: Path, model: str, right: Callable[[int], bool], **about: Any) -> Evaluation:
    """Return the replies of a model that is right where it is said to be; the fifth is hostile and unreadable."""
    found = read_dataset(questions)
    rows = []
    for number, one in enumerate(found.samples):
        letter = one.answer if right(number) else "AB".replace(one.answer, "")
        text = f"It is {HOSTILE}" if number == 5 else f"The answer is ({letter})." if number % 4 else letter
        rows.append(replace(grade(one, text, tokens=3), source=f"full:{number % 12}"))
    settings = {"dataset": found.digest, "dataset_path": str(questions)} | about.pop("settings", {})
    usual: dict[str, Any] = {"position_rule": "", "variant": "direct", "probe": None, "max_tokens": 9}
    return Evaluation(model=model, rows=tuple(rows), settings=settings, **usual | about)


def three(questions: Path) -> dict[str, Evaluation]:
    """Return two models, a probe of the better one, a floor, and replies made elsewhere without token counts."""
    quiet = asked(questions, "replies:made/else.csv", lambda n: n % 3 == 0, variant="stored")
    return {
        "large": asked(questions, A, lambda n: n % 8 != 1),
        "small": asked(questions, B, lambda n: n % 4 == 0),
        "large-blind": asked(questions, A, lambda n: n % 2 == 0, probe="blind"),
        "else": replace(quiet, rows=tuple(replace(row, tokens=0) for row in quiet.rows)),
        "floor-longest_option": asked(questions, "floor:longest_option", lambda n: n % 2 == 1, variant="none"),
    }


def test_the_page_says_what_was_asked_of_whom_and_what_came_out(questions: Path, tmp_path: Path) -> None:
    results.write(tmp_path / "eval", three(questions))
    html = report(tmp_path / "eval").read_text("utf-8")
    for words in (
        "large, else and small were asked 24 questions about 12 videos (data)",
        "chance 50.0%",
        "Which to take",
    ):
        assert words in html
    # Right: 24 less 3 (1, 9, 17) less the unreadable fifth, of 24.
    assert "large scores 83.3%, surely more than all 2 others" in html
    assert "Without the video (blind) it scores" in html and "The best floor, longest option, scores" in html
    row = html.split('<th scope="row"><span class="figure">large</span>')[1].split("</tr>")[0]
    assert "83.3%" in row and '<td data-label="Blind"><span class="figure">50.0%' in row
    assert re.search(r'data-label="Unreadable"><span class="figure">1</span>', row)


def test_floors_are_marked_and_replies_without_token_counts_are_no_floor(questions: Path, tmp_path: Path) -> None:
    stored = three(questions)
    kinds = {row.label: row.kind for row in about_results(tmp_path, stored).plot.rows}  # type: ignore[union-attr]
    assert (
        kinds["longest option"] == "floor" and kinds["else"] == "model" and kinds["blind: every frame grey"] == "probe"
    )
    assert not naming.is_floor(stored["else"]) and naming.is_floor(stored["floor-longest_option"])
    results.write(tmp_path / "eval", stored)
    item = page_book.read(report(tmp_path / "eval").read_text("utf-8")).item("q-000")
    assert "longest option (floor)" in item and "else (floor)" not in item


def test_a_partial_result_cannot_be_missed(questions: Path, tmp_path: Path) -> None:
    whole = asked(questions, B, lambda n: n % 2 == 0)
    cut = asked(questions, A, lambda n: True, settings={"partial": f"the budget ended after 9 {HOSTILE}"})
    results.write(tmp_path / "eval", {"large": replace(cut, rows=cut.rows[:9]), "small": whole})
    html = report(tmp_path / "eval").read_text("utf-8")
    first = html.index("Partial result")
    assert first < html.index("<h1>") and "large: the budget ended after 9" in html
    assert html.count('class="warn" dx="6">partial') == 2  # In the wide and in the slim picture.
    assert "PARTIAL" in html.split("Which to take")[1].split("</table>")[0]
    results.write(tmp_path / "whole", {"small": whole})
    assert "Partial result" not in report(tmp_path / "whole").read_text("utf-8")


def test_nothing_that_files_bring_becomes_part_of_the_page(questions: Path, tmp_path: Path) -> None:
    stored = three(questions)
    stored["large"] = replace(stored["large"], model=f"openai:{HOSTILE}@http://h/v1")
    refused = replace(
        stored["large"].rows[0], outcome="refusal", reason=HOSTILE, parsed={"strict": HOSTILE, "lenient": 1}
    )
    stored["large"] = replace(stored["large"], rows=(refused, *stored["large"].rows[1:]))
    results.write(tmp_path / "eval", stored)
    html = report(tmp_path / "eval").read_text("utf-8")
    found = page_book.read(html)
    for text in (html, *found.items):
        assert "<script>window" not in text and "<img src=x" not in text and "<!--" not in text
    assert html.count("</script>") == html.count("<script")
    assert "&lt;script&gt;window.hacked" in found.item("q-005")
    assert any(HOSTILE.casefold() in text for text in found.texts)
    page = compared(
        {"a": stored["large"], "b": stored["small"]},
        versus({"a": stored["large"], "b": stored["small"]}),
        tmp_path / "c.html",
    )
    assert "<script>window" not in page.read_text("utf-8")


def test_a_question_shows_both_readings_its_options_the_answer_and_what_probes_did(
    questions: Path, tmp_path: Path
) -> None:
    results.write(tmp_path / "eval", three(questions))
    found = page_book.read(report(tmp_path / "eval").read_text("utf-8"))
    item = found.item("q-002")
    assert "A. red" in item and "Right answer <b>A. red</b>" in item
    assert "read strictly: <b>nothing</b>" in item and "read leniently: <b>A</b>" in item
    assert item.index("<b>large</b>") < item.index("large, blind") < item.index("longest option (floor)")
    strict = found.item("q-000")
    assert "read strictly: <b>A</b>" in strict
    assert [found.count("verdict0", value) for value in ("right", "wrong", "unreadable")] == [20, 3, 1]
    disagree = found.count("models", "they disagree")
    assert disagree + found.count("models", "all right") + found.count("models", "none right") == COUNT


def test_frames_are_few_small_each_once_and_counted(questions: Path, tmp_path: Path) -> None:
    results.write(tmp_path / "eval", three(questions))
    html = report(tmp_path / "eval").read_text("utf-8")
    found = page_book.read(html)
    # Half of the questions name a video that is not at hand; the others share three frames of one.
    assert len(found.frames) == 3 and found.count("frames", "in this page") == COUNT // 2
    assert "24 questions, 12 of them with frames" in html and "12 could not be read" in html
    assert "No frames: " in found.item("q-000") and 'data-frame="' in found.item("q-001")


def test_a_page_of_thousands_of_questions_stays_small_and_holds_them_all(questions: Path) -> None:
    one = asked(questions, A, lambda n: True)
    rows = tuple(replace(one.rows[n % COUNT], id=f"q-{n}") for n in range(3000))
    gone = Shelf(missing="gone")
    made = book(of_shelf({"one": replace(one, rows=rows)}, ["one"], gone, {"one": "one"}), gone, where="")
    blocks = packed(made)
    assert len(made.items) == 3000 and made.note == "gone"
    assert len(blocks.about) + sum(len(text) for _, text in blocks.packs) < 1_500_000


def test_more_questions_than_a_page_can_carry_are_counted(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelgym.reports.questions.MOST_LISTED", 10)
    one = asked(questions, A, lambda n: True)
    gone = Shelf(missing="gone")
    made = book(of_shelf({"one": one}, ["one"], gone, {"one": "one"}), gone, where="")
    assert len(made.items) == len(made.rows) == len(made.texts) == 10
    assert made.note == "The first 10 of 24 questions are in this page. gone"


def test_a_comparison_says_who_is_better_what_differs_and_where_they_disagree(questions: Path, tmp_path: Path) -> None:
    stored = three(questions)
    chosen = {"x:large": stored["large"], "y:small": stored["small"]}
    html = compared(chosen, versus(chosen), tmp_path / "c.html", beside={"x:blind": stored["large-blind"]}).read_text(
        "utf-8"
    )
    # Right: 20 of 24 and 6 of 24.
    assert "large scores 58.3 points more than small" in html and "Every pair" in html and "p, corrected" in html
    differs = html.split("What differs")[1].split("</table>")[0]
    assert A in differs and B in differs and "direct" not in differs
    found = page_book.read(html)
    assert next(iter(found.list["sorts"])) == "furthest apart first"
    first = found.list["sorts"]["furthest apart first"][0]
    assert found.list["rows"][first]["tags"][0][0] == "1 of 2 right"
    alike = {"x:large": stored["large"], "y:large": replace(stored["large"], model="other")}
    assert "cannot be told apart" in compared(alike, versus(alike), tmp_path / "d.html").read_text("utf-8")


def test_dots_stand_where_their_numbers_are() -> None:
    rows = (
        DotRow(label="m", dots=(Dot(number=Number(value=0.5, low=0.25, high=1.0)),)),
        DotRow(label="f", kind="floor", dots=(Dot(number=Number(value=0.0)),)),
    )
    svg = str(dots.panel(Plot(title="t", rows=rows, chance=0.25)))
    left, right = 70.0, 380.0
    assert f'cx="{(left + right) / 2:.1f}"' in svg and f'x1="{left + (right - left) / 4:.1f}"' in svg
    assert f'x2="{right:.1f}"' in svg and f'<rect x="{left - 4:.1f}"' in svg and "chance 25.0%" in svg
    signed = str(
        dots.panel(Plot(title="t", rows=(DotRow(label="d", dots=(Dot(number=Number(value=-0.1)),)),), signed=True))
    )
    assert "\N{MINUS SIGN}10.0" in signed and 'class="grid zero"' in signed


def test_names_on_a_page_are_short_and_no_two_alike() -> None:
    one = Evaluation(model="runs/a", position_rule="", variant="direct", probe=None, max_tokens=1, rows=())
    both = {"first": one, "second": replace(one, variant="tagged"), "third": replace(one, model="other/a")}
    assert list(naming.titles(both).values()) == ["runs/a, direct prompt", "runs/a, tagged prompt", "other/a"]
    assert list(naming.titles({"x": one, "y": one}).values()) == ["x", "y"]


def test_results_json_alone_is_enough_for_the_words(questions: Path, tmp_path: Path) -> None:
    results.write(tmp_path / "eval", {"large": three(questions)["large"]})
    told = json.loads((tmp_path / "eval" / "results.json").read_text())
    shown = about_results(tmp_path / "eval", results.read(tmp_path / "eval"))
    assert f"{told['evaluations']['large']['scores']['value']['mean']:.1%}" in shown.headline
    assert shown.decision is None and shown.tables[0].title == "How asking went"
