"""Endpoints that see, and endpoints that do not, behind a real server that speaks the protocol."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import Said, pictures_of, serving, text_of

from reelgym.cli import run
from reelgym.doctor import gate, remote
from reelgym.doctor.check import Check
from reelgym.doctor.pictures import draw, read
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation.purse import Purse
from reelgym.evaluation.speakers import Manners

MANNERS = Manners(folder=Path())
dice = random.Random(0)


def sighted(body: dict[str, Any], before: int) -> Said:
    """Reply as a model that sees everything, and draws at the temperature asked for."""
    shown = [read(picture) for picture in pictures_of(body)]
    if "random number" in text_of(body):
        return Said(str(dice.randrange(10**6)) if body["temperature"] else "417")
    if "first and the last" in text_of(body) or "first and last" in text_of(body):
        shown = [shown[0], shown[-1]]
    return Said(", ".join(shown) or "yes")


def examined(answer: Callable[[dict[str, Any], int], Said], *, quick: bool = False) -> dict[str, Check]:
    with serving(answer, sees=False) as server:
        found = remote.checks(f"openai:m@{server.url}", MANNERS, quick=quick, seed=3)
        return {check.name: check for check in found}


def test_drawn_digits_are_read_at_any_scale() -> None:
    assert [read(draw("9021", scale)) for scale in (1, 3, 12)] == ["9021"] * 3


def test_an_endpoint_that_sees_passes_and_its_limits_are_told() -> None:
    found = examined(sighted)
    assert [check.name for check in found.values() if check.passed is False] == []
    assert found["number of pictures"].found == "64 are taken, more were not tried; eval takes --frames 64"
    assert found["video"].found == "frames sent as one video are read in order"
    assert found["log-probs"].found == "none, though asked for"


def test_an_endpoint_that_ignores_images_is_found_and_asked_nothing_more() -> None:
    found = examined(lambda body, before: Said("It shows 1234."))
    assert list(found) == ["reads a picture", "asked"]
    assert re.fullmatch(
        r"ignores images: \d{4} was drawn and it replied 'It shows 1234.'", found["reads a picture"].found
    )


def test_an_endpoint_that_takes_no_images_says_why() -> None:
    found = examined(lambda body, before: Said(status=400, raw=b'{"error": {"message": "no image input"}}'))
    assert found["reads a picture"].found == "takes no pictures: status 400: no image input"


def test_a_swapped_order_is_told_from_a_dropped_picture() -> None:
    def swapping(body: dict[str, Any], before: int) -> Said:
        shown = [read(picture) for picture in pictures_of(body)]
        return Said(", ".join(reversed(shown)))

    def dropping(body: dict[str, Any], before: int) -> Said:
        return Said(", ".join([read(picture) for picture in pictures_of(body)][:5]))

    assert examined(swapping, quick=True)["order of pictures"].found.startswith("swapped: ")
    assert examined(dropping, quick=True)["order of pictures"].found.startswith("5 of 8 pictures were read: ")


def test_the_largest_number_of_pictures_is_searched_for() -> None:
    def at_most_20(body: dict[str, Any], before: int) -> Said:
        if len(pictures_of(body)) > 20:
            return Said(status=400, raw=b'{"error": {"message": "at most 20 images"}}')
        return sighted(body, before)

    told = examined(at_most_20)["number of pictures"].found
    assert told == "16 are taken, 32 are not (status 400: at most 20 images); eval takes --frames 16"


@pytest.mark.parametrize(("reply", "word"), [(lambda: "417", "repeats itself"), (lambda: str(dice.random()), "draws")])
def test_an_endpoint_at_another_temperature_is_found(reply: Callable[[], str], word: str) -> None:
    def answer(body: dict[str, Any], before: int) -> Said:
        return Said(reply()) if "random number" in text_of(body) else sighted(body, before)

    found = examined(answer)["temperature"]
    assert found.passed is False and found.found.startswith(f"another temperature: it {word}")


def test_eval_and_train_refuse_what_fails_and_believe_what_passed(tmp_path: Path) -> None:
    with serving(lambda body, before: Said("no"), sees=False) as server:
        name = f"openai:m@{server.url}"
        with pytest.raises(WorkError, match=r"fails a check: reads a picture: ignores images: .* --unsafe goes on"):
            gate.require(name, tmp_path)
        assert run(["doctor", "--model", name]) == 1
    with serving(lambda body, before: sighted(body, before), sees=False) as server:
        name = f"openai:m@{server.url}"
        assert re.fullmatch(rf"doctor: {name} passes 2 checks, \d+ s", gate.require(name, tmp_path))
        asked = len(server.bodies)
        assert gate.require(name, tmp_path) == "" and len(server.bodies) == asked == 2


def test_a_budget_pays_for_examining_or_it_is_left_out(tmp_path: Path) -> None:
    with serving(sighted, sees=False) as server:
        name = f"openai:m@{server.url}"
        poor = Manners(folder=tmp_path, price={"": (1.0, 1.0)}, purse=Purse(0.001))
        assert "the budget does not pay for examining" in gate.require(name, tmp_path, manners=poor)
        assert not server.bodies
        rich = Manners(folder=tmp_path, price={"": (1.0, 1.0)}, purse=Purse(1.0))
        gate.require(name, tmp_path, manners=rich)
        assert rich.purse is not None and rich.purse.spent == pytest.approx(2 * (10 + 5) / 1e6)


def test_a_local_model_is_examined_once_for_each_content(saved: dict[str, Path], tmp_path: Path) -> None:
    name = str(saved["qwen2_5_vl"])
    assert "passes" in gate.require(name, tmp_path)
    assert gate.require(name, tmp_path) == ""
    with pytest.raises(RequestError, match="no model"):
        gate.require(str(tmp_path / "none"), tmp_path)
