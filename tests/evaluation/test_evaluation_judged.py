"""Free answers decided by a judge behind an endpoint, and from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Said, serving, text_of
from typer.testing import CliRunner

from reelgym.cli import app
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation import benchmarks, judged, results
from reelgym.evaluation.purse import Purse
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import grade
from reelgym.evaluation.speakers import Manners
from reelgym.evaluation.versus import differing
from reelgym.judges.steps import judged_steps
from reelgym.scoring.steps import REFERENCE
from reelgym.video import write_mp4


def sample(name: str, kind: str = "open", answer: str = "a dog") -> Sample:
    held = {"kind": kind, "duration_seconds": 1.0, "options": ["a cat", "a dog"]}
    return Sample(
        id=name, task="benchmark", messages=(), answer=answer, split="test", evidence=held, provenance={"source": name}
    )


def evaluation(samples: list[Sample], replies: list[str]) -> Evaluation:
    graded = tuple(grade(one, reply) for one, reply in zip(samples, replies, strict=True))
    return Evaluation(model="m", position_rule="", variant="direct", probe=None, max_tokens=9, rows=graded)


def judge_at(url: str, folder: Path, scale: tuple[int, int] = (1, 1)) -> Any:
    spec = replace(benchmarks.get("mmvu"), judge=scale)
    return judged.opened(f"openai:j@{url}", spec, Manners(folder=folder, retries=1))


def answering(verdict: Callable[[str], str]) -> Callable[[dict[str, Any], int], Said]:
    """Return a server's answers: the verdict on the reply that a request holds."""

    def said(body: dict[str, Any], before: int) -> Said:
        found = re.search(r"Reply:\n(.*)", text_of(body))
        return Said(verdict(found[1] if found else ""))

    return said


def test_what_rules_cannot_decide_a_judge_decides_and_what_fails_is_wrong_and_counted_apart(tmp_path: Path) -> None:
    samples = [sample(name) for name in "abcde"] + [sample("f", kind="choice", answer="B")]
    before = evaluation(samples, ["A dog.", "a hound", "a cat", "a puppy", "<think>a dog", "B"])
    verdicts = {"a hound": "<judgement>yes</judgement>", "a cat": "<judgement>no</judgement>", "a puppy": "Perhaps."}
    with serving(answering(verdicts.__getitem__)) as server, judge_at(server.url, tmp_path) as judge:
        found = judged.judged(before, samples, judge)
        # The exact answer, what was cut off and the choice are not asked about; "Perhaps." is asked for once more.
        assert len(server.bodies) == 4
        again = judged.judged(before, samples, judge)
        assert len(server.bodies) == 4 and again == found
    assert [row.value for row in found.rows] == [1, 1, 0, 0, 0, 1]
    other = replace(found, settings=found.settings | {"judge": "k"})
    assert ("judge", "judge j in a, k in b") in differing({"a": found, "b": other})
    assert [row.parts.get(judged.FAILED) for row in found.rows] == [0, 0, 0, 1, 0, None]
    assert found.rows[5] == before.rows[5] and found.settings["judge"] == "j"
    # All is read strictly but what was cut off.
    assert [row.parts["strict"] for row in found.rows] == [1, 1, 0, 0, 0, 1]


def test_an_endpoint_that_says_200_with_an_error_inside_gave_no_verdict(tmp_path: Path) -> None:
    samples = [sample("a"), sample("b")]
    before = evaluation(samples, ["a hound", "a cat"])

    def said(body: dict[str, Any], before: int) -> Said:
        if "a hound" in text_of(body):
            return Said(raw=b'{"error": {"message": "out of memory"}}')
        return Said("<judgement>yes</judgement>")

    spec = benchmarks.get("mmvu")
    with (
        serving(said) as server,
        judged.opened(f"openai:j@{server.url}", spec, Manners(folder=tmp_path, retries=0)) as judge,
    ):
        found = judged.judged(before, samples, judge)
    assert [(row.value, row.parts[judged.FAILED]) for row in found.rows] == [(0, 1), (1, 0)]
    assert "out of memory" in found.rows[0].reason


@pytest.mark.parametrize(("grade", "right"), [("0", 0), ("1", 0), ("2", 1), ("3", 1), ("4", None), ("2.5", None)])
def test_grades_are_right_from_the_least_that_is(tmp_path: Path, grade: str, right: float | None) -> None:
    samples = [sample("a"), sample("b")]
    before = evaluation(samples, ["a hound", "a cat"])
    said = {"a hound": f"<judgement>{grade}</judgement>", "a cat": "<judgement>0</judgement>"}
    with (
        serving(answering(lambda text: said.get(text, "?"))) as server,
        judge_at(server.url, tmp_path, (3, 2)) as judge,
    ):
        row = judged.judged(before, samples, judge).rows[0]
    assert (row.value, row.parts[judged.FAILED]) == ((0, 1) if right is None else (right, 0))


def test_a_judge_that_never_decides_is_an_error_and_no_score(tmp_path: Path) -> None:
    samples = [sample("a"), sample("b")]
    before = evaluation(samples, ["a hound", "a cat"])
    with (
        serving(answering(lambda text: "I cannot say.")) as server,
        judge_at(server.url, tmp_path) as judge,
        pytest.raises(WorkError, match="the judge j decided on none of 2 answers: no verdict"),
    ):
        judged.judged(before, samples, judge)


def test_the_command_asks_free_questions_only_with_a_judge(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.mp4", np.random.default_rng(0).integers(0, 255, (8, 56, 56, 3), np.uint8), fps=2)
    choices = dict(zip("ABCDE", ("one", "two", "three", "four", "five"), strict=True))
    about = {"video": "v.mp4", "metadata": {"subject": "Art"}, "question": "What?"}
    held = [about | {"id": "a", "choices": choices, "answer": "B"}, about | {"id": "b", "choices": {}, "answer": "dog"}]
    (tmp_path / "validation.json").write_text(json.dumps(held))
    replies = tmp_path / "replies.jsonl"
    replies.write_text(
        "".join(json.dumps({"id": f"mmvu-{name}", "reply": said}) + "\n" for name, said in (("a", "B"), ("b", "hound")))
    )
    given = ["eval", "mmvu", "--data", tmp_path, "--videos", tmp_path, "--model", f"replies:{replies}"]

    def run(*more: object) -> Any:
        return CliRunner().invoke(app, [*map(str, [*given, *more])])

    plain = run("--out", tmp_path / "plain")
    assert plain.exit_code == 0, plain.output
    (found,) = (one for name, one in results.read(tmp_path / "plain").items() if not name.startswith("floor"))
    assert len(found.rows) == 1 and "1 of 2 questions have free answers and were not asked" in found.settings["partial"]
    with serving(answering(lambda text: "<judgement>yes</judgement>")) as server:
        told = run("--out", tmp_path / "told", "--judge", f"openai:j@{server.url}")
        assert told.exit_code == 0, told.output
        assert run("--out", tmp_path / "told", "--judge", f"openai:j@{server.url}").exit_code == 0
        assert len(server.bodies) == 1
    (found,) = (one for name, one in results.read(tmp_path / "told").items() if not name.startswith("floor"))
    assert [row.value for row in found.rows] == [1, 1]
    assert found.metrics["judge failed"]["mean"] == 0 and found.settings["judge"] == "j"
    refused = CliRunner().invoke(app, ["eval", str(tmp_path / "told" / "questions"), "--model", "tiny", "--judge", "j"])
    assert isinstance(refused.exception, RequestError) and "--judge decides on free" in str(refused.exception)


def test_a_judge_is_paid_from_the_same_purse_and_what_it_took_is_told_apart(tmp_path: Path) -> None:
    samples = [sample(name) for name in "abcdef"] + [sample("g", kind="choice", answer="B")]
    before = evaluation(samples, ["a hound", "a cat", "a puppy", "a wolf", "a fox", "a cub", "B"])
    before = replace(before, settings={"partial": "one video is missing"})
    price = {"": (9.0, 9.0), "j": (1e6, 1e6)}

    def found(limit: float) -> tuple[Purse, Evaluation]:
        purse = Purse(limit)
        manners = Manners(folder=tmp_path, retries=1, in_flight=1, price=price, purse=purse)
        with judged.opened(f"openai:j@{server.url}", benchmarks.get("mmvu"), manners) as judges:
            return purse, judged.judged(before, samples, judges)

    with serving(answering(lambda text: "<judgement>yes</judgement>")) as server:
        # A judgement costs 10 + 5; its dearest case is 716, the cap of 512 and twice the estimate of its prompt: the
        # fourth finds 45 spent.
        purse, cut = found(760.0)
        assert len(cut) == 1 + 3 and purse.spent == 45 and purse.empty and len(server.bodies) == 3
        why = "the budget ended before 3 of 7 replies were judged"
        assert cut.settings["partial"] == f"one video is missing, {why}"
        purse, again = found(760.0)
        assert again == cut and purse.spent == 45 and len(server.bodies) == 3, "what was paid counts, and is kept"
        purse, whole = found(1e9)
        assert purse.spent == 90 and len(server.bodies) == 6 and len(whole) == 7
        assert whole.settings["partial"] == "one video is missing" and whole.settings["judge_price"] == [1e6, 1e6]
        assert whole.usage()["judge"] == {"prompt_tokens": 60, "completion_tokens": 30, "money": 90.0}
        assert whole.usage()["prompt_tokens"] == 0 and whole.usage()["money"] is None
    results.write(tmp_path / "out", {"a": whole})
    assert results.read(tmp_path / "out")["a"].usage() == whole.usage()
    with (
        pytest.raises(RequestError, match=r"--budget needs the price of j: .* --price j=IN,OUT"),
        judged.opened("openai:j@http://h/v1", benchmarks.get("mmvu"), Manners(folder=tmp_path / "b", purse=Purse(1.0))),
    ):
        pass


def test_the_steps_of_a_reply_are_judged_by_two_requests_and_asked_for_once_more(tmp_path: Path) -> None:
    spec = benchmarks.get("vcr-bench-cot")
    steps = ["1. 0:00-0:05, he hides.", "2. So he fears her."]
    chain = replace(sample("a"), evidence=sample("a").evidence | {"facts": steps})
    before = replace(evaluation([chain], ["<think>At 0:02 he hides.</think><answer>A dog</answer>"]), variant="tagged")
    lines = {
        "reference step, in order": ["1 perception matched", "1. Perception: Matched\n2. Reasoning: Unmatched"],
        "Cut the reply": ["1 perception matched: at 0:02\n2 reasoning wrong: a dog"] * 2,
    }
    asked: list[str] = []

    def said(body: dict[str, Any], before: int) -> Said:
        (key,) = (key for key in lines if key in text_of(body))
        asked.append(text_of(body))
        return Said(f"So.\n<judgement>\n{lines[key][len(body['messages']) // 2]}\n</judgement>")

    with serving(said) as server, judged.opened(f"openai:j@{server.url}", spec, Manners(folder=tmp_path)) as judges:
        (row,) = judged.judged(before, [chain], judges).rows
    # The answer is right by rule. Of two reference steps only one was judged at first: three requests in all.
    assert len(asked) == 3 and "1. 0:00-0:05, he hides.\n2. So he fears her." in asked[0]
    assert row.value == 1 and (row.judge_prompt_tokens, row.judge_tokens) == (30, 15)
    assert (row.parts["step_recall"], row.parts["step_precision"], row.parts["steps_failed"]) == (0.5, 0.5, 0.0)
    empty = replace(before, rows=(replace(before.rows[0], reply=" "),))
    with judged.opened("openai:j@http://h/v1", spec, Manners(folder=tmp_path / "b")) as judges:
        (row,) = judged.judged(empty, [chain], judges).rows
    assert row.parts["step_precision"] == row.parts["perception_recall"] == 0 == row.parts["steps_failed"]


@pytest.mark.parametrize(
    "text",
    [
        "1 perception matched",
        "<judgement>1 perception matched",
        "<judgement></judgement>",
        "<judgement>2 perception matched</judgement>",
        "<judgement>1 perception redundant</judgement>",
        "<judgement>1 perception unmatched</judgement><judgement>1 perception matched</judgement>",
        "<judgement>1 perception matched\nSo it is.</judgement>",
        "<judgement>1 perception matched\n2 reasoning matched</judgement>",
        "<judgement>1 sight matched</judgement>",
    ],
)
def test_steps_that_are_not_told_as_asked_are_no_verdict(text: str) -> None:
    assert judged_steps("<judgement>\n**1.** reasoning: unmatched\n\n</judgement>", REFERENCE, (1, 1)) is not None
    assert judged_steps(text, REFERENCE, (1, 1)) is None
