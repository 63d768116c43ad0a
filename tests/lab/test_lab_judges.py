"""The command that holds judges to the facts: what it counts of an endpoint that answers in known ways, paid once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from chat_server import Said, serving, text_of

from reelgym.cli import run

SCENES = "8"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what the command prints as JSON, by kind of observation and judge."""
    assert run(["judges", "--scenes", SCENES, "--json", *arguments]) == 0
    printed = json.loads(capsys.readouterr().out)
    return {title: {one["judge"]: one for one in of} for title, of in printed.items()}


def test_judges_that_need_no_model_are_always_held_to_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys)
    assert set(found) == {"Puzzles", "Questions"} and set(found["Questions"]) == {"rule", "text match"}
    for of in found.values():
        assert (of["rule"]["accuracy"], of["rule"]["kappa"], of["rule"]["silent"]) == (1.0, 1.0, 0)
    # Of six observations of a question two suffice, and four hold the right words.
    match = found["Questions"]["text match"]
    assert match["right_yes"] == match["wrong_yes"] == match["right_no"] > match["wrong_no"] == 0


def test_an_endpoint_is_counted_by_its_verdicts_and_none_is_paid_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(body: dict[str, Any], before: int) -> Said:
        text = text_of(body)
        assert "asked about a video" in text
        if "fill the gap" in text:
            return Said("I cannot say.")
        # Right on all but one form: it takes what is surely not so for sufficient.
        enough = re.search(r"and see|, but|surely not", text.partition("Observation:")[2].partition("Can the")[0])
        return Said(f"So. <judgement>{'yes' if enough else 'no'}</judgement>")

    with serving(answer) as server:
        name = f"openai:m@{server.url}"
        asked = ("--judge", name, "--out", str(tmp_path / "judges"))
        found = told(capsys, *asked)
        paid = len(server.bodies)
        puzzles, rule = found["Puzzles"][name], found["Puzzles"]["rule"]
        assert (puzzles["accuracy"], puzzles["kappa"]) == (None, None)
        assert puzzles["silent"] == rule["right_yes"] + rule["right_no"] > 0
        one = found["Questions"][name]
        # Per question: 2 right yes, 1 wrong yes, 3 right no. Accuracy 5/6; said 1/2, true 1/3: chance 1/2; kappa 2/3.
        assert (
            one["right_yes"] == 2 * one["wrong_yes"] and one["right_no"] == 3 * one["wrong_yes"] > one["wrong_no"] == 0
        )
        assert (one["accuracy"], one["kappa"]) == (pytest.approx(5 / 6), pytest.approx(2 / 3))
        assert told(capsys, *asked) == found and len(server.bodies) == paid == len(server.came)
        assert run(["judges", "--scenes", SCENES, "--judge", "openai:m"]) == 2
        assert "openai:NAME@URL" in capsys.readouterr().err
