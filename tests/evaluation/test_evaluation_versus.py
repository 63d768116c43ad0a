"""Pairs of evaluations: what differs is refused by name, what cannot be told apart is called so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reelgym.cli import run
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.decision import decide
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.versus import versus


def evaluation(model: str, values: list[float], **changes: Any) -> Evaluation:
    rows = tuple(
        Row(
            id=f"q{i}",
            source=f"v{i // 2}",
            reply="x",
            parsed=None,
            valid=True,
            value=value,
            parts={},
            chance={"value": 0.25},
            stop="eos",
            tokens=1,
        )
        for i, value in enumerate(values)
    )
    plain: dict[str, Any] = {"position_rule": "r", "variant": "direct", "probe": None, "max_tokens": 8}
    return Evaluation(model=model, rows=rows, settings={"dataset": "d" * 64, "split": "test"}, **(plain | changes))


LOW, HIGH = evaluation("low", [0.0, 1.0] * 12), evaluation("high", [1.0, 1.0] * 12)
LUCK = evaluation("luck", [1.0, 1.0, 0.0, 1.0] + [0.0, 1.0] * 10)


def test_a_sure_difference_is_named_and_luck_is_not() -> None:
    low_high, low_luck, high_luck = versus({"low": LOW, "high": HIGH, "luck": LUCK})
    assert (low_high.verdict, low_luck.verdict) == ("high is better", "not distinguishable")
    assert high_luck.verdict == "high is better"
    assert low_high.difference.mean == 0.5
    # 12 videos, each rises by 1: two of 2 ** 12 sign patterns are as extreme; three pairs.
    assert low_high.p == 2 / 2**12 and low_high.p_holm == pytest.approx(3 * 2 / 2**12)
    assert low_high.p_mcnemar == 2 / 2**12
    assert low_luck.p_mcnemar == 1.0 and low_luck.p == 1.0


def test_graded_scores_have_no_mcnemar() -> None:
    (pair,) = versus({"a": LOW, "b": evaluation("b", [0.5] * 24)})
    assert pair.p_mcnemar is None and pair.difference.mean == 0.0


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(HIGH, variant="tagged"), "prompt direct in a, tagged in b"),
        (replace(HIGH, max_tokens=16), "max_tokens 8 in a, 16 in b"),
        (
            replace(HIGH, settings={"dataset": "e" * 64, "split": "test"}),
            "dataset dddddddddddd in a, eeeeeeeeeeee in b",
        ),
        (replace(HIGH, settings=HIGH.settings | {"limit": 12}), "limit None in a, 12 in b"),
        (replace(HIGH, probe="blind"), "probe None in a, blind in b"),
    ],
)
def test_what_differs_is_refused_by_name_unless_it_is_allowed(other: Evaluation, named: str) -> None:
    with pytest.raises(RequestError, match=named):
        versus({"a": LOW, "b": other})
    setting = named.split()[0]
    assert versus({"a": LOW, "b": other}, allow=[setting])[0].difference.mean == 0.5


def test_other_questions_and_other_position_rules_are_never_compared() -> None:
    with pytest.raises(RequestError, match="different samples"):
        versus({"a": LOW, "b": evaluation("b", [1.0] * 10)})
    with pytest.raises(RequestError, match="position rules"):
        versus({"a": LOW, "b": replace(HIGH, position_rule="s")}, allow=["prompt"])
    with pytest.raises(RequestError, match="at least two"):
        versus({"a": LOW})


def test_a_decision_takes_a_model_s_best_prompt_and_the_blind_score_under_it() -> None:
    def blind(value: float, variant: str) -> Evaluation:
        return evaluation("m", [value] * 24, variant=variant, probe="blind")

    made = {"poor": replace(LOW, model="m"), "good": evaluation("m", [1.0] * 24, variant="tagged")}
    made |= {"poor-blind": blind(0.5, "direct"), "good-blind": blind(0.25, "tagged"), "n": evaluation("n", [0.0] * 24)}
    made |= {"floor": evaluation("longest", [1.0] * 24, variant="none")}
    found = decide(made)
    assert [(line.name, line.score.mean, line.blind) for line in found.lines] == [("good", 1.0, 0.25), ("n", 0.0, None)]
    assert [(pair.first, pair.second) for pair in found.pairs] == [("good", "n")] and not found.note
    alone = decide({"n": made["n"]})
    assert not alone.lines[0].tested and alone.detectable is None


def test_the_command_takes_each_model_s_best_plain_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    worse = replace(LOW, rows=tuple(replace(row, value=0.0) for row in LOW.rows))
    results.write(tmp_path / "one", {"direct": worse, "tagged": LOW, "blind": replace(HIGH, probe="blind")})
    results.write(tmp_path / "two", {"direct": HIGH, "floor-longest": replace(HIGH, variant="none")})
    assert run(["compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    said = capsys.readouterr().out
    assert "two:direct - one:tagged" in said and "+0.500" in said and "two:direct is better" in said
    assert run(["compare", f"{tmp_path / 'one'}:direct", str(tmp_path / "two"), "--json"]) == 0
    assert '"one:direct"' in capsys.readouterr().out
    assert (tmp_path / "comparisons" / "one-two.html").is_file()


def test_mistakes_of_the_command_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results.write(tmp_path / "one", {"direct": LOW})
    assert run(["compare", str(tmp_path / "one"), str(tmp_path / "none")]) == 2
    assert run(["compare", f"{tmp_path / 'one'}:tagged", str(tmp_path / "one")]) == 2
    assert run(["compare", str(tmp_path / "one"), str(tmp_path / "one"), "--allow", "luck"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and "holds direct" in said[1] and "--allow luck" in said[2]
