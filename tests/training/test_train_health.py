from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_runs import Killed, kill_after, load, numbers, rl_run

from reelgym.data.messages import GREY, Text
from reelgym.training import rl
from reelgym.training.health import RULES, Health, alarms, history
from reelgym.training.held_out import blinded
from reelgym.training.metrics import read

WELL = Health(
    step=0, score=0.4, blind=0.1, chance=0.1, error=0.05, invalid=0.05, no_signal=0.1, entropy=0.2, kl=0.0,
    truncated=0.0, tokens=35.0, reward=0.5,
)  # fmt: skip
NAMES = [rule.name for rule in RULES]


def course(**values: list[float]) -> list[Health]:
    """Return a healthy history in which the named quantities take these values, one per row."""
    count = len(next(iter(values.values())))
    rows = [replace(WELL, step=25 * place) for place in range(count)]
    return [replace(row, **{name: of[place] for name, of in values.items()}) for place, row in enumerate(rows)]


ILL = {
    "blind rises with seen": course(score=[0.4, 0.5, 0.6, 0.7], blind=[0.1, 0.1, 0.25, 0.3]),
    "entropy collapses": course(entropy=[0.2, 0.1, 0.04, 0.03, 0.02]),
    "over half of the groups without signal": course(no_signal=[0.2, 0.4, 0.51]),
    "over a fifth cut off": course(truncated=[0.0, 0.1, 0.21]),
    "reward rises while held-out falls": course(reward=[0.5, 0.6, 0.7, 0.8, 0.9], score=[0.6, 0.6, 0.5, 0.45, 0.4]),
}
HEALTHY = {
    "learns": course(score=[0.4, 0.5, 0.55, 0.6], reward=[0.5, 0.6, 0.7, 0.75], blind=[0.1, 0.11, 0.08, 0.1]),
    "learns the form first": course(score=[0.0, 0.2, 0.4, 0.5], blind=[0.0, 0.1, 0.12, 0.1]),
    "one lucky blind pass": course(score=[0.4, 0.5, 0.55, 0.6], blind=[0.1, 0.1, 0.3, 0.1]),
    "was certain from the start": course(entropy=[0.03, 0.03, 0.02, 0.02]),
    "half without signal, a fifth cut": course(no_signal=[0.5, 0.5, 0.5], truncated=[0.2, 0.2, 0.2]),
    "sways": course(reward=[0.5, 0.6, 0.65, 0.7, 0.75], score=[0.5, 0.58, 0.5, 0.57, 0.52]),
    "falls with its reward": course(reward=[0.5, 0.5, 0.4, 0.3, 0.3], score=[0.6, 0.6, 0.4, 0.3, 0.3]),
}


def test_every_alarm_has_a_history_that_deserves_it() -> None:
    assert list(ILL) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_alarm_fires_once_at_the_first_row_that_deserves_it_and_alone(name: str) -> None:
    rows = ILL[name]
    (found,) = alarms(rows)
    assert (found.name, found.cause != "", found.remedy != "") == (name, True, True)
    # The rows before it raise nothing; more of the same raise nothing new.
    before = [row for row in rows if row.step < found.step]
    assert alarms(before) == [] and alarms([*rows, replace(rows[-1], step=999)]) == [found]
    assert found.words().startswith(f"ALARM, step {found.step}: {name} (") and "\n" not in found.words()


@pytest.mark.parametrize("name", list(HEALTHY))
def test_a_healthy_history_raises_nothing(name: str) -> None:
    assert alarms(HEALTHY[name]) == []


shares = st.floats(0, 1)
healths = st.builds(
    Health, step=st.just(0), score=shares, blind=st.none() | shares, chance=st.none() | shares, error=st.floats(0, 0.3),
    no_signal=st.none() | shares, entropy=st.none() | st.floats(0, 5), truncated=st.none() | shares,
    reward=st.none() | st.floats(-2, 4),
)  # fmt: skip
courses = st.lists(healths, max_size=7).map(lambda rows: [replace(row, step=place) for place, row in enumerate(rows)])


@given(courses, courses)
def test_alarms_stay_what_they_were_however_the_run_goes_on(rows: list[Health], more: list[Health]) -> None:
    found = alarms(rows)
    longer = alarms([*rows, *(replace(row, step=row.step + len(rows)) for row in more)])
    assert longer[: len(found)] == found and len({one.name for one in longer}) == len(longer)
    assert {one.step for one in longer[len(found) :]} <= set(range(len(rows), len(rows) + len(more)))


@given(healths, st.integers(1, 8))
def test_a_run_that_stands_still_raises_only_what_one_row_deserves(row: Health, count: int) -> None:
    rows = [replace(row, step=place) for place in range(count)]
    expected = [
        name
        for name, bad in zip(NAMES[2:4], (_above(row.no_signal, 0.5), _above(row.truncated, 0.2)), strict=True)
        if bad
    ]
    assert [one.name for one in alarms(rows)] == expected


def _above(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


@given(courses)
def test_a_blind_score_at_chance_is_never_an_alarm(rows: list[Health]) -> None:
    at_chance = [replace(row, blind=0.25, chance=0.25) for row in rows]
    assert "blind rises with seen" not in [one.name for one in alarms(at_chance)]


@given(courses)
def test_rows_survive_the_trip_through_metrics(rows: list[Health]) -> None:
    stored = [json.loads(json.dumps({"step": row.step, "loss/total": 1.0, **row.to_row()})) for row in rows]
    assert [asdict(one) for one in history([{"step": -1, "loss/total": 0.0}, *stored])] == [
        asdict(one) for one in rows if one.to_row()
    ]


def test_a_blinded_sample_shows_the_same_in_grey() -> None:
    sample = rl_run(evaluated=True).eval_data.items[0]  # type: ignore[union-attr]
    grey = blinded(sample)
    assert grey is not None and grey.id != sample.id and grey.answer == sample.answer
    for before, after in zip(sample.messages[0].parts, grey.messages[0].parts, strict=True):
        if isinstance(before, Text):
            assert after == before
        else:
            assert after == replace(before, video=GREY)
    words = replace(sample, messages=(replace(sample.messages[0], parts=(Text("only words"),)),))
    assert blinded(words) is None


def test_a_run_writes_health_tells_each_alarm_once_and_a_killed_one_goes_on_the_same(tmp_path: Path) -> None:
    # One letter is the whole completion, so every one of them is cut off.
    run = rl_run(evaluated=True, health_every=2, health_samples=2, max_completion_tokens=1)
    told: list[str] = []
    rl.train(run, tmp_path / "whole", load=load, tell=told.append)
    rows = history(read(tmp_path / "whole" / "metrics.jsonl"))
    assert [row.step for row in rows] == [0, 2, 4]
    assert all(row.score is not None and row.blind is not None for row in rows)
    plain = read(tmp_path / "whole" / "metrics.jsonl")
    assert rows[1].truncated == pytest.approx((plain[1]["rollout/truncated"] + plain[2]["rollout/truncated"]) / 2)
    stored = json.loads((tmp_path / "whole" / "alarms.json").read_text())
    raised = alarms(rows)
    assert "over a fifth cut off" in [one.name for one in raised] and stored == [asdict(one) for one in raised]
    assert [line for line in told if line.startswith("ALARM")] == [one.words() for one in raised]
    with pytest.raises(Killed):
        rl.train(run, tmp_path / "killed", load=load, progress=kill_after(3))
    again: list[str] = []
    rl.train(run, tmp_path / "killed", load=load, tell=again.append)
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")
    early = {one.name for one in alarms(rows[:2])}
    assert [line for line in again if line.startswith("ALARM")] == [
        one.words() for one in raised if one.name not in early
    ]


def test_health_trains_nothing_and_may_change_while_a_run_goes_on(tmp_path: Path) -> None:
    rl.train(rl_run(evaluated=True, health_every=1, steps=2), tmp_path / "watched", load=load)
    rl.train(rl_run(evaluated=True, health_every=0, steps=2), tmp_path / "plain", load=load)
    watched = [
        {name: value for name, value in row.items() if not name.startswith("health/")}
        for row in numbers(tmp_path / "watched")
    ]
    assert watched == numbers(tmp_path / "plain")
    rl.train(rl_run(evaluated=True, health_every=3, steps=4), tmp_path / "plain", load=load)


def test_under_lora_the_divergence_is_that_from_the_adapter_switched_off(tmp_path: Path) -> None:
    rl.train(rl_run(health_every=2, lora_rank=2, steps=3), tmp_path / "free", load=load)
    first, second = history(read(tmp_path / "free" / "metrics.jsonl"))
    assert (first.step, second.step) == (2, 3) and first.score is None
    assert first.kl is not None and second.kl is not None and 0 < first.kl < second.kl < 1
    # What was never measured is not told as 0.
    rl.train(rl_run(health_every=2, steps=2), tmp_path / "whole", load=load)
    (row,) = history(read(tmp_path / "whole" / "metrics.jsonl"))
    assert row.kl is None and "KL not measured" in row.words()
