"""The rewards themselves: accuracy by the task's scorer, format to the letter, length; and the default MVP rubric."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from reward_groups import GOOD, group

from reelgym import tasks
from reelgym.errors import RequestError
from reelgym.rewards import Accuracy, Format, Length, Rubric
from reelgym.training.config import mvp_rubric


class Marker:
    """A task whose score of a reply is the number after `<answer>`; `broken` breaks it."""

    def score(self, reply: str, sample: object) -> SimpleNamespace:
        if "broken" in reply:
            raise ZeroDivisionError("the scorer's own fault")
        value = float(reply.partition("<answer>")[2].partition("<")[0] or 0)
        return SimpleNamespace(value=value, parts={"exact": float(value == 1)}, valid=True, parsed=None)


@pytest.fixture(autouse=True)
def marker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "get", lambda name: Marker())


def tagged(answer: float) -> str:
    return f"<observation>a</observation><think>b</think><answer>{answer}</answer>"


def test_accuracy_is_the_task_s_score_or_a_part_of_it() -> None:
    two = group([tagged(0.5), tagged(1)])
    assert Accuracy().score(two)[:, 0].tolist() == [0.5, 1.0]
    assert Accuracy("exact").score(two)[:, 0].tolist() == [0.0, 1.0]
    assert (Accuracy().label, Accuracy("exact").label) == ("accuracy", "accuracy_exact")


def test_accuracy_may_be_the_papers_own_metric_where_a_task_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(reply: str, sample: object) -> SimpleNamespace:
        return SimpleNamespace(value=1.0, parts={"published": 0.25} if "3" in reply else {})

    monkeypatch.setattr(tasks, "get", lambda name: SimpleNamespace(score=score))
    assert Accuracy("auto").score(group([tagged(3), tagged(4)]))[:, 0].tolist() == [0.25, 1.0]
    assert Accuracy("auto").label == "accuracy"


def test_an_unknown_part_is_told_with_those_that_exist() -> None:
    with pytest.raises(RequestError, match="unknown part of task 'none' 'exct'; did you mean 'exact'"):
        Accuracy("exct").score(group([tagged(1)]))


def test_a_broken_scorer_raises_its_own_fault() -> None:
    with pytest.raises(ZeroDivisionError):
        Rubric(expression=Accuracy()).score(group([tagged(1), "broken"]))


@pytest.mark.parametrize(
    ("reply", "valid"),
    [
        (GOOD, True),
        (f"  {GOOD}\n", True),
        ("<observation>a</observation>\n<think>b\nc</think>\n<answer>3</answer>", True),
        ("", False),
        ("3", False),
        ("<think>b</think><answer>3</answer>", False),
        ("<think>b</think><observation>a</observation><answer>3</answer>", False),
        (f"So: {GOOD}", False),
        (f"{GOOD} done", False),
        (f"{GOOD}{GOOD}", False),
        ("<observation>a</observation><think>b</think><answer> </answer>", False),
        ("<observation>a</observation><think>b<answer>2</answer></think><answer>3</answer>", False),
        ("<observation>a</observation><think>b</think><answer>3", False),
    ],
)
def test_a_tagged_reply_is_valid_to_the_letter(reply: str, valid: bool) -> None:
    assert Format().valid(reply) is valid


@pytest.mark.parametrize(
    ("reply", "valid"), [("3, 1", True), ("", False), (" ", False), (GOOD, False), ("<think>", False)]
)
def test_a_direct_reply_has_text_and_no_tags(reply: str, valid: bool) -> None:
    assert Format("direct").valid(reply) is valid


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown format variant 'taged'; did you mean 'tagged'"):
        Format("taged")  # type: ignore[arg-type]


def test_length_pays_inside_its_range_ends_included() -> None:
    lengths = group(["x"] * 4, tokens=[9, 10, 20, 21])
    assert Length(10, 20).score(lengths)[:, 0].tolist() == [0.0, 1.0, 1.0, 0.0]
    with pytest.raises(RequestError, match="low_tokens=5, high_tokens=4"):
        Length(5, 4)


def test_the_mvp_rubric_pays_accuracy_and_a_fifth_for_the_form_and_nothing_without_it() -> None:
    # 0.5 + 0.2; 1 + 0.2; a right answer in a wrong form: 0.
    terms = mvp_rubric().terms(group([tagged(0.5), tagged(1), "<answer>1</answer>"]))
    assert terms["score"][:, 0].tolist() == pytest.approx([0.7, 1.2, 0.0])
    assert terms["accuracy"][:, 0].tolist() == [0.5, 1.0, 1.0]
    assert terms["format"][:, 0].tolist() == [1.0, 1.0, 0.0]
