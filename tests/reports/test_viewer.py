"""What the served page is given, without a browser."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import view_example
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage

from reelgym.data import difficulty
from reelgym.errors import RequestError
from reelgym.reports.viewer import rows as rows_module
from reelgym.reports.viewer.browser import Asked, Browser
from reelgym.reports.viewer.columns import Coder, Marks, banded, narrowed, whole
from reelgym.reports.viewer.folder import open_browser
from reelgym.reports.viewer.pictures import CHUNK, MOST_SHOWN
from reelgym.reports.viewer.run import MOST_POINTS, thinned
from reelgym.reports.viewer.server import Viewer
from reelgym.video import Store

COUNT = 2400


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
def served(samples: Browser) -> Iterator[Viewer]:
    with Viewer(samples) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(60)


def keys(browser: Browser, tab: str = "samples", **asked: Any) -> list[str]:
    return [row["key"] for row in browser.listing(tab).answer(Asked(**asked))["rows"]]


def fetch(url: str, **headers: str) -> tuple[int, bytes, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def test_filters_leave_exactly_what_they_say(samples: Browser) -> None:
    everything = [view_example.puzzle(number, "s") for number in range(COUNT)]
    cases = [
        ({"task": "labelled"}, lambda s: s.task == "labelled"),
        ({"split": "test", "task": "mvp"}, lambda s: s.split == "test" and s.task == "mvp"),
        ({"shortcuts": "By noise"}, lambda s: s.provenance["audit"]["values"]["by_noise"] == 1.0),
        ({"shortcuts": "none"}, lambda s: s.provenance["audit"]["values"]["by_noise"] < 1.0),
        ({"met": "Static", "facet.level": "2"}, lambda s: s.facets.get("static") == 1 and s.facets["level"] == 2),
    ]
    for filters, right in cases:
        found = samples.listing("samples").answer(Asked(filters=filters, limit=200))
        wanted = [s.id for s in everything if right(s)]
        assert found["total"] == len(wanted) and [row["key"] for row in found["rows"]] == wanted[:200]


def test_counts_beside_options_are_those_of_the_other_filters(samples: Browser) -> None:
    found = samples.listing("samples").answer(Asked(filters={"task": "mvp"}))
    options = {one["name"]: dict(one["options"]) for one in found["filters"]}
    assert options["task"] == {"labelled": 600, "mvp": 1800}
    assert sum(options["split"].values()) == 1800 and options["facet.level"]["0"] == 600
    whole_dataset = samples.listing("samples").answer(Asked())
    assert "facet.level" in [one["name"] for one in whole_dataset["filters"]]
    labelled = samples.listing("samples").answer(Asked(filters={"task": "labelled"}))
    assert "facet.level" not in [one["name"] for one in labelled["filters"]]


def test_words_are_looked_for_in_texts_names_and_videos_and_not_in_what_holds_them(samples: Browser) -> None:
    assert keys(samples, words="question 1203.") == ["labelled-01203"]
    assert keys(samples, words="MVP-TEST-00010") == ["mvp-test-00010"]
    assert samples.listing("samples").answer(Asked(words="CLIP <b>"))["total"] == COUNT
    assert keys(samples, words="short_side") == keys(samples, words="spec") == []


def test_a_page_holds_no_more_rows_than_it_was_asked_for(samples: Browser) -> None:
    assert keys(samples, offset=100, limit=3) == [view_example.puzzle(n, "s").id for n in (100, 101, 102)]
    assert keys(samples, offset=COUNT, limit=3) == []
    first = keys(samples, sort="most shortcuts first", limit=2)
    assert first == ["mvp-test-00000", "mvp-test-00010"]


def test_a_row_is_read_from_its_row_group_alone(samples: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    read = rows_module._read
    monkeypatch.setattr(rows_module, "_read", lambda group, columns: taken.append(group.number) or read(group, columns))
    assert "labelled-02399" in samples.item("samples", "labelled-02399")
    assert taken == [2]


def test_a_part_of_the_rows_is_spread_evenly_over_the_files(tmp_path: Path) -> None:
    for file in range(2):
        numbers = pa.table({"n": list(range(50 * file, 50 * file + 50))})
        pq.write_table(numbers, tmp_path / f"{file}.parquet", row_group_size=10)
    found = rows_module.Rows(sorted(tmp_path.iterdir()))
    assert len(found) == 100 and found.row(73) == {"n": 73}
    assert [row["n"] for row in found.spread(100)] == list(range(100))
    # 30 of 100 rows are 3 of 10 groups: every third of them.
    assert [row["n"] // 10 for row in found.spread(30)][::10] == [0, 3, 6, 9]
    assert found.matching("x", []).tolist() == [False] * 100


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"filters": {"taks": "mvp"}}, "did you mean 'task'"),
        ({"filters": {"task": "mpv"}}, "did you mean 'mvp'"),
        ({"sort": "hardest"}, "unknown order 'hardest'"),
    ],
)
def test_a_filter_or_order_that_does_not_exist_names_the_nearest(asked: Any, words: str, samples: Browser) -> None:
    with pytest.raises(RequestError, match=words):
        samples.listing("samples").answer(Asked(**asked))


def test_an_item_escapes_what_files_bring_and_hides_its_answer(samples: Browser) -> None:
    html = samples.item("samples", "labelled-00003")
    assert "<script" not in html and "&lt;script&gt;window.hacked" in html and "clip &lt;b&gt;one" in html
    assert 'class="item sealed"' in html and '<div class="answer" hidden>' in html
    assert "7.0 s" in html and "0.5 s" not in html  # The clock that the model is told, not the true one.


def test_frames_are_the_files_own_and_bounded(samples: Browser) -> None:
    picture = PilImage.open(io.BytesIO(samples.picture("mvp-test-00000", 0, 1)))
    assert picture.size == (168, 168)
    before = np.asarray(picture, np.float64)
    after = np.asarray(PilImage.open(io.BytesIO(samples.picture("mvp-test-00000", 1, 1))), np.float64)
    assert np.abs(before - after).mean() > 1  # Another time shows another picture.
    assert PilImage.open(io.BytesIO(samples.picture("mvp-test-00000", 0, 1, large=True))).size == (644, 644)
    for part, place in ((5, 0), (0, 2)):
        with pytest.raises(RequestError, match="has no frame"):
            samples.picture("mvp-test-00000", part, place)
    assert CHUNK <= 16 and MOST_SHOWN <= 256


def test_a_video_that_is_gone_is_told_and_one_at_a_uri_is_not_fetched(data: Path, store: Store, tmp_path: Path) -> None:
    for root, words in ((str(tmp_path), "is missing"), ("http://127.0.0.1:9/x", "is not listed")):
        moved = tmp_path / words.replace(" ", "-")
        moved.mkdir()
        for file in data.iterdir():
            (moved / file.name).write_bytes(file.read_bytes())
        manifest = json.loads((moved / "dataset.json").read_text())
        (moved / "dataset.json").write_text(json.dumps(manifest | {"media_root": root}))
        browser = open_browser(moved, store)
        assert "mvp-test-00000" in browser.item("samples", "mvp-test-00000")
        with pytest.raises(RequestError, match=words):
            browser.picture("mvp-test-00000", 0, 0)
        again = open_browser(moved, store, videos=data.parent / "videos")
        assert again.picture("mvp-test-00000", 0, 0) == open_browser(data, store).picture("mvp-test-00000", 0, 0)


def test_what_was_left_out_is_listed_with_its_reason(samples: Browser) -> None:
    found = samples.listing("quarantine").answer(Asked())
    assert [row["title"] for row in found["rows"]] == [f"bad/{view_example.HOSTILE}.mp4", "bad/other.mp4"]
    reasons = {one["name"]: one["options"] for one in found["filters"]}["reason"]
    assert reasons == [("cannot be read", 1), ("the file is empty", 1)]


def test_pass_rates_are_shown_filtered_and_sorted_by(data: Path, store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    copy.mkdir()
    for file in data.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    about = difficulty.About(
        model="tiny",
        fingerprint="f",
        dataset="d",
        rollouts=4,
        threshold=1.0,
        variant="tagged",
        temperature=1.0,
        max_tokens=9,
        seed=0,
    )
    rows = [
        difficulty.Difficulty(id=f"mvp-train-{number:05d}", rollouts=4, passed=passed, mean_reward=0.5)
        for number, passed in ((1, 4), (2, 0), (4, 1), (6, 3))
    ]
    difficulty.write(copy, difficulty.Measured("tiny", about, tuple(rows)))
    (copy / "difficulty-broken.parquet").write_bytes(b"PAR1")
    browser = open_browser(copy, store)
    assert keys(browser, sort="hardest first", limit=4) == [f"mvp-train-{n:05d}" for n in (2, 4, 6, 1)]
    assert keys(browser, filters={"difficulty.0": "never"}) == ["mvp-train-00002"]
    assert keys(browser, filters={"difficulty.0": "up to a quarter"}) == ["mvp-train-00004"]
    assert keys(browser, filters={"difficulty.0": "always"}) == ["mvp-train-00001"]
    assert "mean reward 0.50" in browser.item("samples", "mvp-train-00004")


def test_only_the_address_that_was_printed_is_answered(served: Viewer) -> None:
    status, html, headers = fetch(served.url)
    assert status == 200 and b"view.js" in html
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and headers["X-Content-Type-Options"] == "nosniff"
    root = f"http://127.0.0.1:{served.server_port}/"
    for url in (root, f"{root}wrong-token/", f"{root}about", served.url.removesuffix("/"), f"{served.url}../x"):
        assert fetch(url)[0] == 404
    assert fetch(served.url, Host="evil.example")[0] == 404
    assert fetch(served.url, Host=f"evil.example:{served.server_port}")[0] == 404
    assert fetch(served.url, Host=f"localhost:{served.server_port}")[0] == 200
    assert served.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("rows?tab=samples&limit=201", 400),
        ("rows?tab=samples&offset=-1", 400),
        ("rows?tab=nothing", 400),
        ("item?tab=samples&key=nobody", 400),
        ("frame?key=mvp-test-00000&part=x&place=0", 400),
        ("rows?tab=samples&q=" + "x" * 600, 400),
        ("rows?" + "&".join(f"a{n}=1" for n in range(200)), 400),
        ("templates/view.js", 404),
        ("../../pyproject.toml", 404),
        ("frame?key=mvp-test-00000&part=0&place=0", 200),
        ("page?tab=overview", 200),
    ],
)
def test_a_wrong_request_is_told_why(address: str, status: int, served: Viewer) -> None:
    code, body, _ = fetch(served.url + address)
    assert code == status and len(body) > 0 and b"Traceback" not in body


def test_a_port_that_is_taken_is_one_line(served: Viewer, samples: Browser) -> None:
    with pytest.raises(RequestError, match=f"port {served.server_port} cannot be used .*--port"):
        Viewer(samples, served.server_port)
    with pytest.raises(RequestError, match="port 70000 cannot be used"):
        Viewer(samples, 70000)


def test_replies_are_told_right_from_wrong_and_unreadable(data: Path, store: Store, tmp_path: Path) -> None:
    browser = open_browser(view_example.evaluation(tmp_path / "eval", data), store)
    asked = keys(browser, "questions")
    assert len(asked) == 3
    offered = {one["name"]: dict(one["options"]) for one in browser.listing("questions").answer(Asked())["filters"]}
    verdicts = {verdict: keys(browser, "questions", filters={"verdict0": verdict}) for verdict in offered["verdict0"]}
    assert verdicts["right"] == [asked[0]] and verdicts["unreadable"] == [asked[2]]
    assert verdicts.get("partly right", []) + verdicts.get("wrong", []) == [asked[1]]
    assert keys(browser, "questions", words="No answer") == [asked[2]]
    assert keys(browser, "questions", sort="lowest score first")[-1] == asked[0]
    html = browser.item("questions", asked[2])
    # The reply whole; the probe and the floor in a line each.
    assert html.count('class="reply ') == 1 and "blind" in html and "(floor)" in html
    assert "<script" not in html and 'src="frame?key=mvp-test-' in html
    assert "scores" in browser.page("result").headline
    with pytest.raises(RequestError, match="has no question"):
        browser.item("questions", "../x:0")


def test_groups_of_rollouts_are_told_by_step_signal_and_words(data: Path, store: Store, tmp_path: Path) -> None:
    folder = view_example.run(tmp_path / "run", data, 3)
    browser = open_browser(folder, store)
    assert [key.partition(":")[0] for key in keys(browser, "rollouts")] == ["3", "3", "2", "2", "1", "1"]
    assert len(keys(browser, "rollouts", filters={"signal": "all the same"})) == 3
    assert len(keys(browser, "rollouts", filters={"odd": "cut off"})) == 2
    assert [key[:2] for key in keys(browser, "rollouts", words="step 2<")] == ["2:", "2:"]
    html = browser.item("rollouts", keys(browser, "rollouts")[0])
    assert "Step 3, rollout 1 of 2" in html and 'class="credit"' in html and "<th>accuracy</th>" in html
    assert browser.page("curves").curves[0].title == "Reward in training"
    assert ("policy", "tiny") in browser.page("settings").tables[0].rows


def test_a_run_that_goes_on_is_read_again_and_only_what_is_new(
    data: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reelgym.reports.viewer import run as run_module

    folder = view_example.run(tmp_path / "run", data, 2)
    browser = open_browser(folder, store)
    before = browser.stamp()
    assert browser.listing("rollouts").size == 4 and browser.stamp() == before
    taken = []
    read = run_module._read_groups
    monkeypatch.setattr(run_module, "_read_groups", lambda file: taken.append(file.name) or read(file))
    view_example.grow(folder, data, range(3, 5))
    assert browser.stamp() != before
    assert browser.listing("rollouts").size == 8 and taken == ["rollouts-000004.parquet"]


def test_a_long_run_is_drawn_of_few_points_with_every_evaluation() -> None:
    rows = [{"step": step, "loss/nll": 1.0} | ({"eval/nll": 1.0} if step % 997 == 0 else {}) for step in range(9999)]
    kept = thinned(rows)
    assert len(kept) <= MOST_POINTS + 20 and kept[0] is rows[0] and kept[-1] is rows[-1]
    assert [row["step"] for row in kept if "eval/nll" in row] == [row["step"] for row in rows if "eval/nll" in row]
    assert thinned([]) == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds none of dataset.json"),
        ({"demo.json": "{}"}, "is a demo: `reelgym report"),
        ({"config.json": '{"model_type": "qwen2_5_vl"}', "model.safetensors": ""}, "is a model: `reelgym eval"),
        ({".synth/lock": ""}, "repeat the `reelgym synth`"),
        ({"results.json": '{"format_version": 1, "evaluations": {}}'}, "no evaluation in results.json"),
        ({"results.json": '{"evaluations": {"a": {}}}'}, "is not an evaluation's results"),
        ({"results.json": '{"format_version": 1, "evaluations": {"a": {}}}'}, "cannot be read"),
        ({"dataset.json": "{"}, "damaged"),
        ({"config.json": "["}, "cannot be read"),
    ],
)
def test_a_folder_of_another_kind_names_the_right_command(
    files: dict[str, str], words: str, tmp_path: Path, store: Store
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=words) as told:
        open_browser(tmp_path, store)
    assert "\n" not in str(told.value)
    with pytest.raises(RequestError, match="does not exist"):
        open_browser(tmp_path / "nowhere", store)


@given(st.lists(st.one_of(st.none(), st.integers(-50, 50), st.floats(-5, 5)), max_size=60))
def test_every_row_with_a_value_is_in_exactly_one_option(values: list[float | None]) -> None:
    coder = Coder()
    for row, value in enumerate(values):
        if value is not None:
            coder.add(row, value)
    column = coder.column("x", len(values))
    among = np.ones(len(values), np.bool_)
    hits = [column.chosen(option) for option in column.values]
    together = np.sum(hits, axis=0) if hits else np.zeros(len(values))
    assert together.tolist() == [float(value is not None) for value in values]
    assert [int(hit.sum()) for hit in hits] == [count for _, count in column.options(among)]


def test_bands_and_marks_by_hand() -> None:
    column = banded("x", np.array([0.0, 0.5, 1.0, np.nan]), [0.0, 0.5, 1.0])
    assert column.values == ("0 to 0.5", "0.5 to 1") and column.codes.tolist() == [0, 1, 1, -1]
    marks = Marks("m", {"a": np.array([True, False, False]), "b": np.array([True, True, False])})
    assert marks.options(np.ones(3, np.bool_)) == [("any", 2), ("none", 1), ("a", 1), ("b", 2)]
    left, options = narrowed({"m": marks}, {"m": "a"}, np.ones(3, np.bool_))
    assert left.tolist() == [True, False, False] and dict(options["m"])["b"] == 2
    assert whole("12", "n", 12) == 12
    for text in ("", "-1", "13", "\u0663", "1" * 40):
        with pytest.raises(RequestError, match="give a whole number"):
            whole(text, "n", 12)
