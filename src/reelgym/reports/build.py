"""From stored numbers to what a page shows: measures, bars, tables and curves of evaluations and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reelgym.evaluation.compare import compare
from reelgym.evaluation.results import Evaluation
from reelgym.reports.payload import Alarm, Bar, Bars, Curves, Measure, Number, Role, Series, Table
from reelgym.reports.svg import percent, signed, spoken
from reelgym.scoring.statistics import Interval

PARTS = {
    "value": ("Score", "the reward's accuracy part"),
    "exact": ("Exact", "all right and in order"),
    "selection": ("Selection", "share of the right frames chosen"),
    "order": ("Order", "share of pairs chosen and in order"),
}
"""The parts of the headline table, with their names and notes."""

RATES = {"invalid": ("Invalid replies", "no answer could be read"), "cut_off": ("Cut off", "reply hit the token cap")}

HELD_OUT = "Score on held-out puzzles"
SLICE = "Health: a held-out slice, seen and blind"

CURVES: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...], bool], ...] = (
    (HELD_OUT, (("score", ("eval/accuracy", "eval/score")),), True),
    (SLICE, (("seen", ("health/score",)), ("blind", ("health/blind",))), True),
    ("Reward in training", (("paid", ("rewards/score",)), ("accuracy", ("rewards/accuracy",))), False),
    (
        "Invalid and cut-off replies",
        (
            ("invalid in training", ("rollout/invalid",)),
            ("cut off in training", ("rollout/truncated",)),
            ("invalid, held out", ("eval/invalid", "health/invalid")),
        ),
        True,
    ),
    ("Groups with signal", (("groups with signal", ("train/groups_with_signal",)),), True),
    ("Entropy, nats per token", (("entropy", ("rollout/entropy",)),), False),
    ("Divergence from the start, nats per token", (("KL", ("health/kl",)),), False),
    ("Reply length, tokens", (("tokens", ("rollout/tokens",)),), False),
    ("Loss", (("training", ("loss/nll",)), ("held out", ("eval/nll",))), False),
)
"""Charts: title, lines (label, names it may have in metrics.jsonl), whether it is a share."""


def number(interval: Interval | None) -> Number | None:
    """Return an interval as a page's number; limits that do not exist stay away."""
    return None if interval is None else sure(interval)


def sure(interval: Interval) -> Number:
    """Return an interval that is there as a page's number."""
    low, high = interval.limits or (None, None)
    return Number(value=interval.mean, low=low, high=high)


def headline(before: Evaluation, after: Evaluation, *, name: str = "The model") -> str:
    """Return the result in one sentence that claims no more than the interval of the paired difference allows."""
    found = compare(before, after).differences["value"]
    first, second = percent(before.mean().mean), percent(after.mean().mean)
    limits = "one video, so no interval"
    if found.limits:
        limits = f"{signed(found.low)} to {signed(found.high)} points"
    chance = after.chance()
    beside = "" if chance is None else f" Guessing scores {percent(chance)}."
    if found.above(0.0) or found.high < 0.0:
        verb = "rose" if found.mean > 0 else "fell"
        return f"{name}'s score {verb} from {first} to {second} ({limits}).{beside}"
    return f"{name} shows no sure change: {first} before, {second} after ({limits}).{beside}"


def measures(before: Evaluation | None, after: Evaluation, *, blind: Evaluation | None = None) -> tuple[Measure, ...]:
    """Return the headline table: score and parts, raw beside chance and corrected for it, then the rates.

    Args:
        before: The untouched model on the same samples; None where only one model was asked.
        after: The trained model, or the only one.
        blind: The model of `after` shown grey frames.
    """
    paired = compare(before, after).differences if before is not None else {}
    there = [part for part in PARTS if part in after.parts()]
    rows = [
        Measure(
            name=PARTS[part][0],
            note=PARTS[part][1],
            before=number(before.mean(part)) if before is not None else None,
            after=number(after.mean(part)),
            difference=number(paired.get(part)),
            chance=after.chance(part),
            blind=number(blind.mean(part)) if blind is not None else None,
            corrected=_corrected(before, after, part),
        )
        for part in there
    ]
    rows += [
        Measure(
            name=name,
            note=note,
            before=number(before.mean(rate)) if before is not None else None,
            after=number(after.mean(rate)),
            difference=number(paired.get(rate)),
            blind=number(blind.mean(rate)) if blind is not None else None,
            good="down",
        )
        for rate, (name, note) in RATES.items()
    ]
    return tuple(rows)


def measures_caption(evaluation: Evaluation) -> str:
    """Return what the numbers of the headline table are."""
    return (
        f"{len(evaluation)} held-out puzzles from {len(set(evaluation.clusters))} videos, greedy decoding. Below each "
        "number its 95% interval, from 10,000 bootstrap draws of whole videos; differences are paired by puzzle, "
        "in percentage points. Chance is enumerated, not sampled; corrected is (score - chance) / (1 - chance). "
        "Blind shows the trained model grey frames."
    )


def bars(
    before: Evaluation,
    after: Evaluation,
    *,
    blind: Evaluation | None = None,
    floors: Mapping[str, Evaluation] | None = None,
) -> Bars:
    """Return the before/after picture of the score beside chance, the blind probe and the floors."""
    rows: list[tuple[str, Evaluation, Role]] = [("Before", before, "before"), ("After", after, "after")]
    if blind is not None:
        rows.append(("After, blind", blind, "blind"))
    rows += [(words(name), floor, "floor") for name, floor in (floors or {}).items()]
    found = tuple(Bar(label=label, number=sure(one.mean()), role=role) for label, one, role in rows)
    return Bars(title=HELD_OUT, bars=found, chance=after.chance())


def all_bars(evaluations: Mapping[str, Evaluation]) -> Bars:
    """Return one bar per evaluation, drawn as what its name, probe and prompt say it is."""
    known: dict[str, Role] = {"before": "before", "after": "after"}

    def role(name: str, one: Evaluation) -> Role:
        if one.probe is not None:
            return "blind"
        return "floor" if one.variant == "none" else known.get(name, "plain")

    found = tuple(
        Bar(label=words(name), number=sure(one.mean()), role=role(name, one)) for name, one in evaluations.items()
    )
    chances = [chance for one in evaluations.values() if (chance := one.chance()) is not None]
    return Bars(title="Score", bars=found, chance=chances[0] if chances else None)


def evaluation_table(title: str, evaluations: Mapping[str, Evaluation], *, caption: str = "") -> Table:
    """Return one row per evaluation: score with interval, exact, selection, order, invalid and cut-off rates."""
    parts = [part for part in PARTS if any(part in one.parts() for one in evaluations.values())]
    rows = tuple((words(label), *_cells(one, parts)) for label, one in evaluations.items())
    columns = ("", *(PARTS[part][0] for part in parts), *(name for name, _ in RATES.values()))
    return Table(title=title, columns=columns, rows=rows, caption=caption)


def seeds(results: Sequence[Mapping[str, Any]], *, caption: str = "") -> Table:
    """Return one row per seed from the contents of demo.json: before, after, difference with interval, blind."""
    rows = tuple(
        (
            f"seed {one['seed']}",
            percent(one["before"]),
            percent(one["after"]),
            f"{signed(one['difference'])} ({between(one['interval'], signed)})",
            percent(one["blind_after"]),
        )
        for one in results
    )
    columns = ("", "Before", "After", "Difference", "Blind")
    return Table(title="Every seed, one row each", columns=columns, rows=rows, caption=caption)


def between(limits: Sequence[float] | None, shown: Callable[[float], str]) -> str:
    """Return the limits of an interval in words; puzzles of one video have none."""
    return " to ".join(map(shown, limits)) if limits else "no interval: one video"


def curves(
    rows: Iterable[Mapping[str, Any]], *, chance: float | None = None, alarms: Sequence[Alarm] = ()
) -> tuple[Curves, ...]:
    """Return the learning curves found in rows of metrics.jsonl; a quantity nobody measured has no chart.

    Args:
        rows: One mapping per step with `step` and names `room/quantity[/statistic]`.
        chance: Of the score, drawn into its chart.
        alarms: Marked in every chart at their step.
    """
    stored = list(rows)
    marks = tuple((float(alarm.step), f"step {alarm.step}: {alarm.name}") for alarm in alarms)
    of_slice = next((float(row["health/chance"]) for row in stored if _there(row, "health/chance")), None)
    levels = {HELD_OUT: chance, SLICE: of_slice}
    found = []
    for title, lines, share in CURVES:
        series = tuple(one for label, names in lines if (one := _series(stored, label, names)).points)
        if series:
            found.append(Curves(title=title, series=series, share=share, chance=levels.get(title), marks=marks))
    return tuple(found)


def _series(rows: Sequence[Mapping[str, Any]], label: str, names: Sequence[str]) -> Series:
    for name in names:
        points = tuple((float(row["step"]), float(row[name])) for row in rows if _there(row, name))
        if points:
            return Series(label=label, points=points, marked=len(points) * 2 < len(rows))
    return Series(label=label, points=())


def _there(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return isinstance(value, (int, float)) and math.isfinite(value) and "step" in row


def words(name: str) -> str:
    """Return the name of an evaluation as a reader would write it."""
    return name.removeprefix("floor-").replace("_", " ").replace("-", ", ").capitalize()


def _corrected(before: Evaluation | None, after: Evaluation, part: str) -> tuple[float | None, float] | None:
    first, second = before.corrected(part) if before is not None else None, after.corrected(part)
    return None if second is None else (first.mean if first is not None else None, second.mean)


def _cells(evaluation: Evaluation, parts: Sequence[str]) -> list[str]:
    """Return the score with its interval, then each other part and each rate."""
    there = set(evaluation.parts())
    shown = [percent(evaluation.mean(part).mean) if part in there else "\N{EN DASH}" for part in parts]
    shown[0] = spoken(sure(evaluation.mean()))
    return [*shown, *(percent(evaluation.mean(rate).mean) for rate in RATES)]
