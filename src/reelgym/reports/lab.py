"""The page of a lab: recipes at equal compute, beside the controls that say whether the budget sees anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reelgym.reports.build import between
from reelgym.reports.folders import provenance, read_json, read_metrics
from reelgym.reports.payload import Curves, Payload, Series, Table
from reelgym.reports.svg import percent, signed

LINES = 4
"""Lines that a chart tells apart by colour."""

CONTROLS = ("positive control", "negative control")

LIMITS = (
    "The model has about a million parameters and the videos are rendered: what is seen here says nothing about "
    "larger models, real video, or the figures of any paper.",
    "Equal are source videos, cold start, prompts per update, group size, updates and token cap. What a reader or "
    "judge writes comes on top, and is listed.",
    "Learning rates and other settings are each recipe's own and were not searched; one may do better with others.",
)


def of_lab(folder: Path) -> Payload:
    """Return the page of a finished lab from its files alone: `lab.json` and the metrics of its runs."""
    found = read_json(folder / "lab.json")
    ends: Mapping[str, Mapping[str, Any]] = found["endpoints"]
    one = next(iter(ends.values()))
    seeds = found["settings"]["seeds"]
    return Payload(
        title="Reelgym lab",
        headline=_headline(ends),
        lead=(
            f"{', '.join(found['recipes'])}: each trained for {found['steps']} updates under {seeds} "
            f"seed{'s' * (seeds != 1)} from one start, on the same source videos, and asked afterwards about videos "
            "that none of them saw. Controls: the same reward, easier puzzles (positive), shuffled rewards (negative)."
        ),
        facts=(
            ("Seeds", str(seeds)),
            ("Updates", str(found["steps"])),
            ("Held-out videos", str(one["videos"])),
            *((f"Smallest difference seen, {name}", _points(end["detectable"])) for name, end in ends.items()),
        ),
        tables=(
            *(_scores(name, end) for name, end in ends.items()),
            *(_pairs(name, end, seeds) for name, end in ends.items()),
            _spent(found["spent"]),
            *_differing(found),
        ),
        curves=tuple(_curves(folder, found["folders"])),
        limits=(*LIMITS, *_of_seeds(seeds), *_unread(ends)),
        provenance=(("start", found["start"]), *provenance(folder / found["folders"][found["recipes"][0]][0])),
    )


def _of_seeds(seeds: int) -> tuple[str, ...]:
    if seeds == 1:
        return ("One seed was run: how much a recipe owes to the luck of its seed is in no interval.",)
    return (f"With {seeds} seeds the seeds' share of the intervals is itself uncertain, and tends to be too small.",)


def _unread(ends: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for every endpoint whose form no arm knows."""
    unread = [name for name, end in ends.items() if min(end["invalid"].values()) > 0.5]
    return [
        f"More than half of every arm's replies on {name} could not be read: the numbers say that the form of the "
        "answer is not known, and nothing about what was seen."
        for name in unread
    ]


def _headline(ends: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a sentence or two that claim no more than the intervals allow."""
    blind = " and on ".join(name for name, end in ends.items() if not end["sees"])
    told = [_ranked(name, end) for name, end in ends.items() if end["sees"]]
    if blind:
        told.append(f"On {blind} this budget cannot see differences: the controls are not told apart.")
    return " ".join(told)


def _ranked(name: str, end: Mapping[str, Any]) -> str:
    sure = [f"{pair['verdict']} than {_other(pair)}" for pair in end["pairs"] if " is better" in pair["verdict"]]
    return f"On {name}: {'; '.join(sure)}." if sure else f"On {name} no two are distinguishable."


def _other(pair: Mapping[str, Any]) -> str:
    return str(pair["first"] if pair["mean"] > 0 else pair["second"])


def _scores(name: str, end: Mapping[str, Any]) -> Table:
    """Return one row per arm; by score only where the budget sees differences."""
    scores = end["scores"]
    order = sorted(scores, key=lambda arm: -scores[arm]["mean"]) if end["sees"] else list(scores)
    rows = tuple(
        (arm, percent(scores[arm]["mean"]), _limits(scores[arm], percent), percent(end["invalid"][arm]))
        for arm in order
    )
    chance = "" if end["chance"] is None else f" Guessing scores {percent(end['chance'])}."
    caption = f"{end['questions']} questions on {end['videos']} videos, greedy decoding, the last checkpoint.{chance}"
    return Table(title=f"Score: {name}", columns=("", "Score", "95%", "Invalid replies"), rows=rows, caption=caption)


def _pairs(name: str, end: Mapping[str, Any], seeds: int) -> Table:
    rows = [
        (
            f"{pair['second']} against {pair['first']}",
            signed(pair["mean"]),
            _limits(pair, signed),
            f"{pair['p_holm']:.3f}",
            pair["verdict"],
        )
        for pair in end["pairs"]
    ]
    gate = end["controls"]
    verdict = "told apart" if end["sees"] else "not distinguishable"
    rows.append(("positive against negative control", signed(gate["mean"]), _limits(gate, signed), "", verdict))
    caption = (
        f"Points, paired by seed and question; 95% intervals from 10,000 draws of the seeds ({seeds}) and of whole "
        "videos together. p is corrected by Holm over the rows above the controls. A verdict takes controls told "
        "apart, an interval without 0 and p below 0.05. Smallest true difference that four of five such labs show: "
        f"{_points(end['detectable'])}."
    )
    columns = ("", "Difference", "95%", "p", "Verdict")
    return Table(title=f"Paired differences: {name}", columns=columns, rows=tuple(rows), caption=caption)


def _spent(spent: Mapping[str, Mapping[str, float]]) -> Table:
    rows = tuple(
        (name, f"{one['generated']:,.0f}", f"{one['judged']:,.0f}", f"{one['seconds']:,.0f} s")
        for name, one in spent.items()
    )
    columns = ("", "Tokens generated", "By reader or judge", "Training time")
    caption = "Means over the seeds, of training alone. Seconds are those of this machine, with whatever else it did."
    return Table(title="What each run spent", columns=columns, rows=rows, caption=caption)


def _differing(found: Mapping[str, Any]) -> list[Table]:
    rows = tuple(tuple(row) for row in found["differing"])
    if not rows:
        return []
    return [Table(title="Settings that differ", columns=("", *found["recipes"]), rows=rows)]


def _curves(folder: Path, folders: Mapping[str, Sequence[str]]) -> list[Curves]:
    """Return the mean held-out accuracy of each arm over its seeds while it trained, a few arms to a chart."""
    lines = [
        Series(label=name, points=_mean([read_metrics(folder / run / "metrics.jsonl") for run in runs]), marked=True)
        for name, runs in folders.items()
    ]
    groups = [
        [line for line in lines if line.label not in CONTROLS],
        [line for line in lines if line.label in CONTROLS],
    ]
    charts = [group[start : start + LINES] for group in groups for start in range(0, len(group), LINES)]
    caption = "Mean over the seeds, of puzzles held out by each seed for this curve alone."
    return [
        Curves(
            title=f"Held-out puzzles while training: {_which(chart)}", series=tuple(chart), share=True, caption=caption
        )
        for chart in charts
    ]


def _which(chart: Sequence[Series]) -> str:
    return "controls" if chart[0].label in CONTROLS else "recipes"


def _mean(runs: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[tuple[float, float], ...]:
    """Return (step, mean accuracy) over the seeds, of steps that all of them measured."""
    told = [
        {row["step"]: row["eval/accuracy"] for row in rows if row.get("eval/accuracy") is not None} for rows in runs
    ]
    shared = sorted(set(told[0]).intersection(*told[1:]))
    return tuple((float(step), sum(one[step] for one in told) / len(told)) for step in shared)


def _limits(one: Mapping[str, Any], shown: Any) -> str:
    return between(None if one["low"] is None else (one["low"], one["high"]), shown)


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} points"
