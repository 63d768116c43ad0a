"""Probes and floors seen to work: on rendered videos, with models of which it is known how they answer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reelgym import world
from reelgym.cli import app
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.messages import Clip, Message, Text
from reelgym.errors import RequestError
from reelgym.evaluation import benchmarks, controls, results
from reelgym.evaluation.classes import classify
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.leaks import leaks
from reelgym.evaluation.probed import Probed, probed
from reelgym.evaluation.questions import build
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import evaluate
from reelgym.evaluation.scripted import SCRIPTS, Scripted, centre, first_seen, in_order, options_of, solver
from reelgym.scoring.statistics import Interval
from reelgym.video import FrameSpec, Store

PROBES = ("blind", "shuffled", "reversed", "single_frame", "wrong_video", "option_rotation", "evidence_masked")
TAKEN = ("blind", "reversed")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    world.make(folder, count=12, split="test", kinds=["moving"], seconds=(8.0, 9.0), fps=(8, 8))
    return folder


def questions(name: str, videos: Path, out: Path) -> Dataset:
    return build(benchmarks.get(name), videos, videos, out / name, workers=1)


def asked(found: Dataset, out: Path, *probes: str) -> dict[str, Evaluation]:
    """Return every script asked plainly and under these probes, and the floors."""
    media = found.media(Store(out / "frames"))
    made = {f"floor-{name}": one for name, one in benchmark_floors(found.samples).items()}
    for script in SCRIPTS:
        for probe in (None, *probes):
            one = evaluate(Scripted(script), found.samples, media, variant="direct", probe=probe, model=script)
            made["-".join(filter(None, (script, probe)))] = one
    return made


@pytest.fixture(scope="module")
def ordered(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return questions("world-order", videos, tmp_path_factory.mktemp("ordered"))


@pytest.fixture(scope="module")
def order(ordered: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evaluation]:
    return asked(ordered, tmp_path_factory.mktemp("order"), *PROBES, "evidence_only")


@pytest.fixture(scope="module")
def leaky(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evaluation]:
    out = tmp_path_factory.mktemp("leaky")
    return asked(questions("world-leaky", videos, out), out, *TAKEN)


def holds(interval: Interval, number: float) -> bool:
    return interval.low <= number <= interval.high


def lines(made: dict[str, Evaluation]) -> dict[str, Probed]:
    return {line.name: line for line in probed(made)}


def test_a_set_that_needs_order_is_solved_by_looking_and_lost_backwards(order: dict[str, Evaluation]) -> None:
    assert len(order["solver"]) >= 24 and order["solver"].chance() == 0.25
    assert order["solver"].mean().mean >= 0.95
    found = lines(order)["solver-reversed"]
    # Backwards the right order read backwards is an option: it is taken, and wrong.
    assert found.score.high < 0.25 and found.difference is not None and found.difference.high < -0.9


@pytest.mark.parametrize("probe", ["blind", "shuffled", "single_frame", "wrong_video", "evidence_masked"])
def test_without_video_order_or_evidence_the_solver_is_at_chance(order: dict[str, Evaluation], probe: str) -> None:
    found = lines(order)[f"solver-{probe}"]
    assert holds(found.score, 0.25), found.score
    assert found.difference is not None and found.difference.high < 0


@pytest.mark.parametrize("probe", ["option_rotation", "evidence_only"])
def test_what_takes_nothing_needed_away_costs_the_solver_nothing(order: dict[str, Evaluation], probe: str) -> None:
    assert lines(order)[f"solver-{probe}"].score.mean >= 0.95


@pytest.mark.parametrize("script", ["guesser", "longest"])
@pytest.mark.parametrize("probe", ["", *PROBES])
def test_who_does_not_look_is_at_chance_and_no_probe_moves_it(
    order: dict[str, Evaluation], script: str, probe: str
) -> None:
    name = "-".join(filter(None, (script, probe)))
    assert holds(order[name].mean(), 0.25), order[name].mean()
    if probe:
        difference = lines(order)[name].difference
        assert difference is not None and holds(difference, 0.0)


def test_of_many_draws_of_the_guesser_about_nineteen_in_twenty_hold_chance(ordered: Dataset, tmp_path: Path) -> None:
    media, count = ordered.media(Store(tmp_path)), 100
    drawn = [
        evaluate(Scripted(f"guesser@{draw}"), ordered.samples, media, variant="direct", model="guesser").mean()
        for draw in range(count)
    ]
    means = [one.mean for one in drawn]
    assert len(set(means)) > 10, "a draw hangs on its number"
    # The mean of so many independent guesses, by four standard errors.
    assert abs(np.mean(means) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / (count * len(ordered.samples)))
    # 95 of 100, less what percentile limits of 12 videos lack and what 100 draws are off by.
    assert 0.85 <= np.mean([holds(one, 0.25) for one in drawn]) < 1


def test_a_set_that_needs_order_leaks_nothing_without_it(order: dict[str, Evaluation]) -> None:
    assert order["floor-longest_option"].mean().mean == pytest.approx(0.25)
    assert [leak.name for leak in leaks(order).found] == []


def test_questions_that_need_order_are_temporal_but_for_guesses(order: dict[str, Evaluation]) -> None:
    found = classify(order)
    assert found is not None and found.models == ("solver (direct)",), "who is at chance has no say"
    counts, total = found.counts(), len(found.of)
    assert counts["other"] <= 0.05 * total and counts["temporal"] > total / 3
    # Right blind is who guessed well: a quarter, within the interval of the solver's own blind score.
    assert found.guessed == 0.25 and holds(order["solver-blind"].mean(), found.guessed)
    assert counts["blind"] == sum(row.value for row in order["solver-blind"].rows)


def test_a_leak_through_option_length_is_caught_by_the_floor(leaky: dict[str, Evaluation]) -> None:
    assert leaky["floor-longest_option"].mean().mean == 1.0
    assert all(leaky["-".join(filter(None, ("longest", p)))].mean().mean == 1.0 for p in ("", *TAKEN))
    assert holds(leaky["guesser"].mean(), 0.25) and leaky["solver"].mean().mean >= 0.95
    caught = {leak.name for leak in leaks(leaky).found}
    assert "floor-longest_option" in caught and "longest-blind" in caught
    assert not any(name.startswith(("solver", "guesser")) for name in caught)


def test_the_questions_are_what_the_facts_say(videos: Path) -> None:
    for path in sorted(videos.glob("*.mp4"))[:6]:
        facts = world.load_facts(path)
        times = controls.instants(facts.seconds)
        for row in controls.rows(facts, leaky=False):
            names = row["answer"].split(", ")
            first = {}
            for place, time in enumerate(times):
                first.setdefault(facts.word(time), place)
            assert sorted(names, key=first.__getitem__) == names
            assert ", ".join(reversed(names)) in row["options"] and len(set(row["options"])) == 4
            assert len({len(option) for option in row["options"]}) == 1
            # Every square is shown inside of the evidence, and only there.
            for name, (start, stop) in zip(names, row["spans"], strict=True):
                assert {start < time < stop for time in times if facts.word(time) == name} == {True}


def test_scripts_read_text_and_pixels() -> None:
    message = Message("user", (Text("\nWhat?\nA. one\nB. two\nthree\nD. four"),))
    assert options_of([message]) == {"A": "one", "B": "two"}, "letters that do not follow are no options"
    frame = np.full((16, 16, 3), 128, np.uint8)
    assert centre(frame, "red") is None
    frame[4:8, 8:12] = world.sprites.COLOURS["red"]
    assert centre(frame, "red") == (10 / 16, 6 / 16) and centre(frame, "blue") is None
    # 10 / 16 and 6 / 16 of the picture: the sixth column and the fourth row.
    assert first_seen([None, (0.6, 0.4), (0.6, 0.4), (0.1, 0.9)]) == {"e4": 1, "a8": 3}
    assert in_order(["a8", "e4", "h1"], {"e4": 1, "a8": 3}) == -1
    with pytest.raises(RequestError, match="unknown script 'solve'; did you mean 'solver'"):
        Scripted("solve")
    with pytest.raises(
        RequestError, match="script 'guesser@x': the draw 'x' is no whole number: give script:guesser@7"
    ):
        Scripted("guesser@x")
    assert Scripted("guesser@7").about()["draw"] == 7


def test_the_solver_names_the_colour_that_most_pixels_have_and_guesses_where_none_has_any() -> None:
    frame = np.full((16, 16, 3), 128, np.uint8)
    frame[4:8, 8:12], frame[12:14, 2:4] = (world.sprites.COLOURS[name] for name in ("blue", "red"))
    clip = Clip(video="full:a", spec=FrameSpec(fps=1.0, size=(16, 16)), times=(0.0,))
    asked = Message("user", (clip, Text("\nWhat colour is the largest thing?\nA. red\nB. green\nC. blue")))
    assert solver("q", (asked,), lambda part: frame[None]) == "C"
    assert {solver(f"q{n}", (asked,), lambda part: np.full_like(frame, 128)[None]) for n in range(40)} == {
        "A",
        "B",
        "C",
    }


def test_the_hard_questions_are_written_and_asked_again_from_the_command_line(videos: Path, tmp_path: Path) -> None:
    def command(*given: object) -> str:
        done = CliRunner().invoke(app, [*map(str, given)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    first = ("eval", "world-order", "--videos", videos, "--model", "script:solver", "--text-model", "script:guesser")
    printed = command(*first, "--probes", "blind,shuffled,shuffled_context", "--limit", 16, "--out", tmp_path / "whole")
    assert "Probes, paired" in printed and "What 16 questions need" in printed
    whole = results.read(tmp_path / "whole")
    assert {"direct", "direct-blind", "direct-shuffled", "floor-text-script-guesser"} <= set(whole)
    told = json.loads((tmp_path / "whole" / "results.json").read_text(encoding="utf-8"))["findings"]
    temporal = [key for key, name in told["classes"]["of"].items() if name == "temporal"]
    again = json.loads(command("leaks", tmp_path / "whole", "--export", tmp_path / "hard", "--json"))
    assert again == told
    assert [sample.id for sample in read_dataset(tmp_path / "hard").samples] == temporal
    command("eval", tmp_path / "hard", "--model", "script:solver", "--probes", "reversed", "--out", tmp_path / "again")
    hard = results.read(tmp_path / "again")
    assert [row.id for row in hard["direct"].rows] == temporal and hard["direct"].mean().mean == 1.0
    assert hard["direct-reversed"].mean().mean == 0.0 and "floor-longest_option" in hard
