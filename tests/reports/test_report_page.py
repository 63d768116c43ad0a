from __future__ import annotations

import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import page_example
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reelgym.errors import RequestError, WorkError
from reelgym.reports import build, puzzles, svg
from reelgym.reports.images import data_uri, encode
from reelgym.reports.page import number, render, verdict, write_page
from reelgym.reports.payload import (
    Bar,
    Bars,
    Curves,
    Frame,
    Measure,
    Number,
    Payload,
    Puzzle,
    Reply,
    Series,
)
from reelgym.scoring.statistics import Interval

EMPTY = Payload(title="empty", headline="Nothing yet")


def test_a_page_fetches_nothing() -> None:
    html = render(page_example.payload(3))
    assert not re.findall(r"""(?:src|href)=["']?(?!data:)[^"'>]""", html)
    assert "http://" not in html and "https://" not in html and "url(" not in html and "@import" not in html
    assert "default-src 'none'" in html.replace("&#39;", "'")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60).map(lambda text: f"<b a=\"{text}'>" + text))
def test_no_text_of_a_payload_becomes_markup(text: str) -> None:
    text = text.replace("\x00", "").replace("\r", "")
    plain = Payload(
        title=text,
        headline=text,
        lead=text,
        facts=((text, text),),
        limits=(text,),
        provenance=((text, text),),
        bars=Bars(title=text, bars=(Bar(label=text, number=Number(value=0.5), role=text),), caption=text),  # type: ignore[arg-type]
        curves=(Curves(title=text, x=text, series=(Series(label=text, points=((0.0, 1.0),)),) * 2, caption=text),),
        measures=(Measure(name=text, note=text),),
        puzzles=(
            Puzzle(
                id=text,
                kind=text,
                question=text,
                note=text,
                replies=(Reply(label=text, spans=puzzles.spans(text), role=text, advantages={text: 1.0}),),  # type: ignore[arg-type]
            ),
        ),
    )
    html = render(plain)
    shown = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    assert "<b a" not in shown
    assert 'a="' not in re.sub(r'data="|[a-z-]a="', "", shown)


def test_hostile_replies_are_shown_as_text() -> None:
    html = render(page_example.payload(1, hostile=True))
    assert html.count("<script>") == 1
    assert "&lt;script&gt;window.hacked = 1&lt;/script&gt;" in html


def test_every_part_of_a_page_may_be_missing() -> None:
    html = render(EMPTY)
    assert "Nothing yet" in html and "<table" not in html and "<script>" not in html
    assert "Puzzles" not in html and "Learning curves" not in html


def test_a_puzzle_without_frames_or_replies_says_so() -> None:
    html = render(replace(EMPTY, puzzles=(Puzzle(id="p"),)))
    assert "The frames are not stored" in html and "Nobody has answered" in html


def test_a_page_is_replaced_whole(tmp_path: Path) -> None:
    page = write_page(tmp_path / "new" / "page.html", EMPTY)
    write_page(page, replace(EMPTY, headline="Later"))
    assert "Later" in page.read_text("utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError, match="could not write the page"):
        write_page(tmp_path / "file" / "page.html", EMPTY)


@pytest.mark.parametrize(("form", "kind"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")])
def test_frames_are_images_of_their_size(form: str, kind: str, tmp_path: Path) -> None:
    pixels = page_example.frame(1.0, side=40)
    image = encode(pixels, form=form)  # type: ignore[arg-type]
    assert data_uri(image).startswith(f"data:image/{kind};base64,")
    (tmp_path / "image").write_bytes(image)
    again = np.asarray(Image.open(tmp_path / "image").convert("RGB"))
    assert again.shape == pixels.shape
    assert np.abs(again.astype(int) - pixels).mean() < (0.01 if form == "PNG" else 12)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="must be PNG, JPEG or WebP"):
        data_uri(b"<svg onload=alert(1)>")


@pytest.mark.parametrize(
    ("low", "high", "good", "wanted"),
    [
        (0.1, 0.2, "up", "better"),
        (0.1, 0.2, "down", "worse"),
        (-0.2, -0.1, "down", "better"),
        (-0.2, -0.1, "up", "worse"),
        (-0.1, 0.1, "up", ""),
        (0.0, 0.1, "up", ""),
        (0.1, 0.2, "none", ""),
        (None, None, "up", ""),
    ],
)
def test_a_difference_is_coloured_only_if_its_interval_is_on_one_side(
    low: float, high: float, good: str, wanted: str
) -> None:
    assert verdict(Measure(name="m", difference=Number(value=0.1, low=low, high=high), good=good)) == wanted  # type: ignore[arg-type]


def test_numbers_have_a_true_minus_and_a_dash_for_none() -> None:
    assert (number(-0.456), number(None), number(float("nan"))) == ("\u22120.46", "\u2013", "\u2013")
    assert (svg.percent(-0.1), svg.signed(0.0349), svg.signed(-0.1)) == ("\u221210.0%", "+3.5", "\u221210.0")


@settings(max_examples=80, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_cover_the_values_with_a_few_round_numbers(low: float, span: float) -> None:
    found = svg.ticks(low, low + span)
    assert found[0] <= low + 1e-6 * span and found[-1] >= low + span - 1e-6 * span
    assert 3 <= len(found) <= 8
    steps = {round(b - a, 9) for a, b in itertools.pairwise(found)}
    assert max(steps) - min(steps) <= 1e-6 * span


def test_charts_are_well_formed_and_draw_every_value() -> None:
    chart = Curves(
        title="t & t",
        share=True,
        chance=0.2,
        series=(Series(label="a<b", points=((0.0, 0.1), (10.0, 0.9))), Series(label="c", points=((5.0, 0.5),))),
    )
    root = ElementTree.fromstring(svg.curves(chart))
    titles = [title.text for title in root.iter("title")]
    assert titles == ["a<b: 10.0% at step 0", "a<b: 90.0% at step 10", "c: 50.0% at step 5"]
    places = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in root.iter("circle")]
    assert places[0][0] < places[2][0] < places[1][0] and places[0][1] > places[2][1] > places[1][1]
    assert "chance 20.0%" in [text.text for text in root.iter("text")]


def test_steps_are_marked_at_whole_numbers() -> None:
    chart = Curves(title="t", series=(Series(label="a", points=((1.0, 0.0), (2.0, 1.0), (3.0, 0.5))),))
    middle = [t for t in ElementTree.fromstring(svg.curves(chart)).iter("text") if t.get("text-anchor") == "middle"]
    assert [text.text for text in middle] == ["1", "2", "3", "step"]


def test_a_bar_is_as_long_as_its_value() -> None:
    chart = Bars(title="t", bars=(Bar(label="a", number=Number(value=0.2)), Bar(label="b", number=Number(value=0.8))))
    widths = [float(bar.get("width", 0)) for bar in ElementTree.fromstring(svg.bars(chart)).iter("rect")]
    assert widths[1] / widths[0] == pytest.approx(4.0, rel=0.01)


def test_a_curve_without_points_says_so() -> None:
    assert "no measurements" in svg.curves(Curves(title="t", series=(Series(label="a", points=()),)))


def test_the_picture_is_one_svg_with_the_puzzle_and_the_bars(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    import readme_picture as picture

    root = ElementTree.fromstring(picture.of_page(page_example.payload(3)))
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "4 \u2192 1 \u2192 3" in texts and "Before" in texts and "After, blind" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 6 + 5
    assert texts.count("?") == 3
    with pytest.raises(RequestError, match="bars and at least one puzzle"):
        picture.of_page(EMPTY)
    with pytest.raises(RequestError, match="has no frames"):
        picture.draw(Puzzle(id="p"), Bars(title="t", bars=()))


def test_the_headline_claims_no_more_than_the_interval_allows() -> None:
    low, high = page_example.evaluation(1, 0.2), page_example.evaluation(2, 0.7)
    assert "rose from" in build.headline(low, high)
    assert "fell from" in build.headline(high, low)
    assert "no sure change" in build.headline(low, page_example.evaluation(3, 0.2))


def test_the_headline_table_pairs_before_and_after_beside_chance_and_blind() -> None:
    before, after = page_example.evaluation(1, 0.2), page_example.evaluation(2, 0.7)
    rows = build.measures(before, after, blind=page_example.evaluation(3, 0.0, probe="blind"))
    assert [row.name for row in rows] == ["Score", "Exact", "Selection", "Order", "Invalid replies", "Cut off"]
    score = rows[0]
    assert score.before and score.after and score.difference and score.blind
    assert score.difference.value == pytest.approx(score.after.value - score.before.value)
    assert score.difference.low is not None and score.difference.low < score.difference.value
    assert score.chance == pytest.approx(0.141)
    assert score.corrected == pytest.approx(((score.before.value - 0.141) / 0.859, (score.after.value - 0.141) / 0.859))
    assert rows[4].chance is None and rows[4].corrected is None and rows[4].good == "down"


def test_one_model_alone_has_no_before() -> None:
    rows = build.measures(None, page_example.evaluation(2, 0.7))
    assert all(row.before is None and row.difference is None and row.blind is None for row in rows)
    assert rows[0].after and svg.percent(rows[0].after.value) in render(replace(EMPTY, measures=rows))


def test_an_interval_that_does_not_exist_shows_no_limits() -> None:
    lone = Interval(mean=0.5, low=float("nan"), high=float("nan"), level=0.95, rows=2, clusters=1)
    assert build.number(lone) == Number(value=0.5) and build.number(None) is None


def test_curves_come_from_metrics_rows_and_skip_what_nobody_measured() -> None:
    rows = [
        {"step": 0, "eval/accuracy": 0.2},
        *({"step": s, "rewards/score": s / 10, "rollout/entropy": None} for s in range(1, 10)),
        {"step": 10, "rewards/score": float("inf"), "eval/accuracy": 0.4},
    ]
    found = {chart.title: chart for chart in build.curves(rows, chance=0.1)}
    assert set(found) == {build.HELD_OUT, "Reward in training"}
    assert found[build.HELD_OUT].series[0].points == ((0.0, 0.2), (10.0, 0.4))
    assert found[build.HELD_OUT].chance == 0.1 and found[build.HELD_OUT].series[0].marked
    assert len(found["Reward in training"].series[0].points) == 9


def test_seeds_are_shown_with_their_intervals() -> None:
    result = {"seed": 3, "before": 0.2, "after": 0.5, "difference": 0.3, "interval": [0.25, 0.35], "blind_after": 0.1}
    table = build.seeds([result, result | {"seed": 4, "interval": None}])
    assert table.rows[0] == ("seed 3", "20.0%", "50.0%", "+30.0 (+25.0 to +35.0)", "10.0%")
    assert table.rows[1][3] == "+30.0 (no interval: one video)"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "a", " b"])).map("".join))
def test_segments_cut_a_reply_without_losing_a_letter(text: str) -> None:
    assert "".join(span.text for span in puzzles.spans(text)) == text


def test_an_advantage_that_is_the_same_all_over_is_one_number() -> None:
    segments = [{"name": "think", "start": 0, "stop": 2}, {"name": "answer", "start": 2, "stop": 4}]
    assert puzzles.advantage_by_segment([0.5, 0.5, 0.5, 0.0], segments) == {"completion": 0.5}
    assert puzzles.advantage_by_segment([0.5, 0.5, -1.0, -1.0], segments) == {"think": 0.5, "answer": -1.0}
    assert puzzles.advantage_by_segment([0.0, 0.0], segments) == {"completion": 0.0}
    assert puzzles.advantage_by_segment([], segments) == {}


def test_reports_need_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None; import reelgym.reports.report"
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={"PYTHONPATH": "src", "PATH": ""})


def test_a_puzzle_is_solved_by_its_last_reply() -> None:
    right, wrong = (Reply(label="r", spans=(), solved=solved) for solved in (True, False))
    assert Puzzle(id="p", answer=(1,)).solved is None
    assert Puzzle(id="p", answer=(1,), replies=(wrong, right)).solved is True
    assert Puzzle(id="p", answer=(1,), replies=(right, replace(wrong, role="after"))).solved is False
    assert Puzzle(id="p", replies=(wrong,)).solved is None


def test_frames_without_times_have_no_caption() -> None:
    image = encode(page_example.frame(0.0))
    with_time = render(replace(EMPTY, puzzles=(Puzzle(id="p", before=(Frame(image=image, seconds=1.25),)),)))
    without = render(replace(EMPTY, puzzles=(Puzzle(id="p", before=(Frame(image=image),)),)))
    assert "<figcaption>1.2 s</figcaption>" in with_time and "<figcaption>" not in without
