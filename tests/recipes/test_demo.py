import json
from dataclasses import replace
from pathlib import Path

import pytest

from reelgym.errors import RequestError
from reelgym.evaluation.results import Evaluation, Row
from reelgym.recipes import demo
from reelgym.recipes.mvp import SIZES
from reelgym.reports.report import report

PROMISED = [
    *("before", "after", "difference", "interval", "chance", "blind_before", "blind_after", "blind_interval"),
    *(
        "invalid_before",
        "invalid_after",
        "exact",
        "selection",
        "order",
        "order_by_similarity",
        "context_free",
        "seconds",
    ),
]

SMALL = demo.Settings(
    train_videos=3,
    train_puzzles=2,
    test_videos=3,
    test_puzzles=1,
    config=replace(SIZES["tiny"], steps=2, prompts_per_step=2, group_size=2, eval_every=0),
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, demo.Result]:
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, demo.run(folder, seed=3, settings=SMALL)


def test_the_demo_leaves_a_page_and_every_number_promised(done: tuple[Path, demo.Result]) -> None:
    folder, result = done
    numbers = json.loads((folder / "demo.json").read_text())
    assert set(PROMISED) <= set(numbers)
    assert numbers == result.results
    assert "NaN" not in (folder / "demo.json").read_text()
    assert numbers["difference"] == pytest.approx(numbers["after"] - numbers["before"])
    # The chance of K = 3, l = 2 is enumerated in tests/scoring; here it is carried over.
    assert numbers["chance"] == pytest.approx(0.0958, abs=5e-5)
    assert "<html" in result.page.read_text()
    assert numbers["videos"] == 3


def test_one_test_video_leaves_null_and_no_limits() -> None:
    rows = tuple(
        Row(id=str(i), source="v", reply="", parsed=None, valid=True, value=0.5, parts={}, chance={}, stop="", tokens=1)
        for i in range(2)
    )
    lone = Evaluation(model="m", position_rule="", variant="tagged", probe=None, max_tokens=1, rows=rows)
    assert lone.mean().limits is None
    numbers = dict.fromkeys(["before", "after", "difference"], 0.5) | {"interval": lone.mean().limits}
    assert demo._table(numbers)[0][3] == "+50.0"


def test_the_report_of_its_run_finds_the_frames(done: tuple[Path, demo.Result], tmp_path: Path) -> None:
    folder, _ = done
    html = report(folder / "run", tmp_path / "page.html").read_text("utf-8")
    assert html.count("data:image/jpeg") >= 4 * 8  # Four groups were sampled; each shows its eight frames.


def test_a_finished_demo_is_read_back_and_not_run_again(done: tuple[Path, demo.Result]) -> None:
    folder, result = done
    stages: list[str] = []

    def told(name: str) -> demo.Progress:
        stages.append(name)
        return lambda done, total: None

    again = demo.run(folder, seed=3, settings=SMALL, progress=told)
    assert again.results == result.results
    assert again.rows == result.rows
    assert stages == []


def test_another_seed_in_the_same_folder_is_refused_by_name(done: tuple[Path, demo.Result]) -> None:
    folder, _ = done
    with pytest.raises(RequestError, match=r"was begun with other settings \(seed: 3 then, 4 now\)"):
        demo.run(folder, seed=4, settings=SMALL)
