"""One's own questions put to several models from the command line: import, journal, decision, estimate."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from chat_server import Said, serving, text_of
from typer.testing import CliRunner

from reelgym import world
from reelgym.cli import app
from reelgym.data.dataset import read_dataset
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation import own, results
from reelgym.evaluation.decision import decide
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import evaluate
from reelgym.evaluation.speakers import Stored
from reelgym.scoring.choice import LETTERS


@pytest.fixture(scope="module")
def asked(world_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A table of questions on rendered videos, and its right letters by the number that each begins with."""
    path = tmp_path_factory.mktemp("own") / "questions.csv"
    right: dict[str, str] = {}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "question", "options", "answer", "start", "end", "facet", "mood"])
        for video in sorted(world_videos.glob("*.mp4")):
            for question in world.load_facts(video).questions()[:2]:
                number = f"Number {len(right)}."
                right[number] = LETTERS[question.options.index(question.answer)]
                options = "|".join(question.options)
                span = ["1", "2"] if len(right) == 1 else ["", ""]
                writer.writerow([video.name, f"{number} {question.text}", options, right[number], *span, "x", "calm"])
    return path, right


def command(*given: object) -> Any:
    return CliRunner().invoke(app, ["eval", *map(str, given)], catch_exceptions=False)


def test_a_table_of_questions_is_put_to_two_endpoints_and_decided(
    asked: tuple[Path, dict[str, str]], world_videos: Path, tmp_path: Path
) -> None:
    table, right = asked
    counts: list[int] = []

    def told(body: dict[str, Any], before: int) -> Said:
        found = re.search(r"Number \d+\.", text_of(body))
        number = found[0] if found else text_of(body)
        pictures = [part for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
        counts.append(len(pictures))
        return Said(right[number] if body["model"] == "good" else "Z")

    with serving(told) as server:
        models = ("--model", f"openai:good@{server.url}", "--model", f"openai:bad@{server.url}")
        rest = ("--frames", 4, "--price", "good=1,2", "--out", tmp_path, "--retries", 0)
        given = (table, "--videos", world_videos, *models, *rest)
        assert command(*given, "--dry-run").exit_code == 0 and not server.bodies
        done = command(*given)
        assert done.exit_code == 0, done.output
        assert len(server.bodies) == 2 * len(right) and set(counts) == {4}
        before = (tmp_path / "results.json").read_bytes()
        assert command(*given).exit_code == 0 and len(server.bodies) == 2 * len(right)
    found = results.read(tmp_path)
    endpoints = {name: one.summary() for name, one in found.items() if not name.startswith("floor-")}
    assert endpoints == {name: json.loads(before)["evaluations"][name] for name in endpoints}
    good, bad = found["good-direct"], found["bad-direct"]
    assert (good.mean().mean, bad.mean().mean) == (1.0, 0.0)
    assert good.settings["frames_rule"] == "the middle of each equal part"
    assert good.settings["frames"] == 4 and good.rows[0].facets["facet"] == "x"
    assert good.usage()["money"] == pytest.approx(len(right) * (10 + 2 * 5) / 1e6) and bad.usage()["money"] is None
    sample = read_dataset(tmp_path / "questions").samples[0]
    assert sample.evidence["spans"] == [[1.0, 2.0]] and sample.evidence["kind"] == "choice"
    assert "Which to take" in done.output


def test_rows_that_cannot_be_used_are_named_and_make_the_result_partial(world_videos: Path, tmp_path: Path) -> None:
    video = min(world_videos.glob("*.mp4")).name
    table = tmp_path / "q.csv"
    lines = [f"{video},How many?,3", "gone.mp4,How many?,3", f"{video},What?,", f"{video},How many?,3,4"]
    table.write_text("video,question,answer\n" + "\n".join(lines) + "\n", encoding="utf-8")
    found = own.build(table, world_videos, tmp_path / "out", frames=2)
    said = own.complaints(found)
    assert [line.split(":")[1].strip() for line in said] == ["q.csv row 2", "q.csv row 3", "q.csv row 4"]
    assert own.partial(found).startswith("3 of 4 rows left out (q.csv row 2: ")


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("clip,question,answer\na,b,c\n", RequestError, "no column video; it has clip, question, answer"),
        ("video,question\na,b\n", RequestError, r"no column answer \(or start and end\)"),
        ("video,question,answer\n", RequestError, "holds no question"),
        ("video,question,answer\ngone.mp4,b,c\n", WorkError, "the first: row 1: "),
        ("video,question,options,answer\na.mp4,b,x|y,C\n", WorkError, "the first: row 1: "),
    ],
)
def test_a_table_without_use_is_refused(tmp_path: Path, text: str, error: type[Exception], reason: str) -> None:
    (tmp_path / "q.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=reason):
        own.build(tmp_path / "q.csv", tmp_path, tmp_path / "out")


def test_a_decision_ranks_models_and_neither_tests_partial_results_nor_floors(tmp_path: Path) -> None:
    from evaluation_samples import media, sample

    def said(name: str, wrong: int, count: int = 24) -> Evaluation:
        lines = [{"id": f"mvp-{k:03d}", "reply": "1, 2" if k < wrong else "2, 1"} for k in range(count)]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        samples = [sample(k, videos=12) for k in range(24)]
        return evaluate(Stored(path), samples, media, variant="stored", model=name)

    made = {"a": said("a", 0), "b": said("b", 1), "c": said("c", 22), "d": said("d", 0, count=20)}
    found = decide(made)
    assert [line.name for line in found.lines] == ["a", "b", "d", "c"]
    by_name = {line.name: line for line in found.lines}
    assert by_name["a"].alike == ("b",) and by_name["b"].alike == ("a",) and by_name["c"].alike == ()
    assert by_name["d"].partial and not by_name["d"].tested and "partial and not tested: d" in found.note
    assert len(found.pairs) == 3 and found.detectable == max(pair.detectable or 0.0 for pair in found.pairs)
