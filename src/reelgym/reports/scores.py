"""Tables of scores: which model to take, what a benchmark reports, every evaluation with all its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reelgym.evaluation.decision import Decision, Line
from reelgym.evaluation.results import Evaluation
from reelgym.reports import build, naming
from reelgym.reports.payload import Table
from reelgym.reports.svg import percent
from reelgym.scoring.statistics import Interval

READINGS = (("read_strictly", "Read strictly"), ("strict", "Strict score"))
"""Parts that every question of a benchmark has, with their names."""


def decision_table(found: Decision, stored: Mapping[str, Evaluation], names: Mapping[str, str]) -> Table:
    """Return one row per model, best first: its score, from which it cannot be told, what failed, and what it took."""
    several, priced = len(found.lines) > 1, any(line.money is not None for line in found.lines)
    head = ("", "Score", *(("Not told apart from",) if several else ()), "Blind", "Unreadable", "Refused", "Cut off")
    head += ("Empty", "Failed", "Seconds each", "Tokens read", "Tokens written", *(("Money",) if priced else ()))
    rows = tuple(_decision_row(line, stored, names, several=several, priced=priced) for line in found.lines)
    caption = "Counts are of questions. Seconds each: asking and scoring, per question."
    if several:
        caption = (
            "Each model under its better prompt, best first. Two are told apart by a permutation test over videos with "
            f"Holm's correction at 0.05. {caption}"
        )
        if found.detectable is not None:
            caption += f" Smallest difference that this set can detect: {100 * found.detectable:.1f} points."
    return Table(title="Which to take" if several else "How asking went", columns=head, rows=rows, caption=caption)


def _decision_row(
    line: Line, stored: Mapping[str, Evaluation], names: Mapping[str, str], *, several: bool, priced: bool
) -> tuple[str, ...]:
    one, dash = stored[line.name], "\N{EN DASH}"
    refused = line.outcomes.get("refusal", 0) + line.outcomes.get("filtered", 0)
    alike = ", ".join(names[name].partition(", ")[0] for name in line.alike)
    unread = round(one.mean("invalid").mean * len(one))
    counts = (unread, refused, *(line.outcomes.get(name, 0) for name in ("cut_off", "empty", "failed")))
    return (
        folded_name(names[line.name]) + ("\nPARTIAL" if line.partial else ""),
        _folded(line.score),
        *((alike or ("none" if line.tested else "not tested"),) if several else ()),
        dash if line.blind is None else percent(line.blind),
        *(f"{count:,}" for count in counts),
        f"{line.seconds / line.questions:.2f}",
        f"{line.prompt_tokens:,}" if line.prompt_tokens else dash,
        f"{line.completion_tokens:,}",
        *((dash if line.money is None else f"{line.money:.4f}",) if priced else ()),
    )


def metrics(stored: Mapping[str, Evaluation], names: Mapping[str, str]) -> Iterator[Table]:
    """Yield the numbers that a benchmark reports, one row each, beside chance."""
    shown = {name: one for name, one in stored.items() if one.metrics and naming.is_plain(one)}
    if not shown:
        return
    there = dict.fromkeys(metric for one in shown.values() for metric in one.metrics)
    chances = {
        metric: next((o.metrics[metric].get("chance") for o in shown.values() if metric in o.metrics), None)
        for metric in there
    }
    rows = tuple(
        (metric, _share(chances[metric]), *(_metric(one.metrics.get(metric)) for one in shown.values()))
        for metric in there
    )
    yield Table(
        title="As the benchmark reports it",
        columns=("", "Chance", *(folded_name(names[name]) for name in shown)),
        rows=rows,
    )


def _metric(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "\N{EN DASH}"
    limits = "" if found["low"] is None else f"\n{percent(found['low'])} to {percent(found['high'])}"
    return f"{percent(found['mean'])}{limits}"


def _share(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else percent(value)


def every(stored: Mapping[str, Evaluation], names: Mapping[str, str]) -> Table:
    """Return every evaluation with all its parts."""
    parts = [(part, name) for part, (name, _) in list(build.PARTS.items())[1:]] + list(READINGS)
    there = [(part, name) for part, name in parts if any(part in one.parts() for one in stored.values())]
    rows = []
    for name, one in sorted(stored.items(), key=lambda pair: naming.is_floor(pair[1])):
        corrected, mine = one.corrected(), set(one.parts())
        cells = [percent(one.mean(part).mean) if part in mine else "\N{EN DASH}" for part, _ in there]
        kind = " (floor)" if naming.is_floor(one) else ""
        partial = " (PARTIAL)" if one.settings.get("partial") and not kind else ""
        rows.append(
            (
                f"{folded_name(names[name])}{kind}{partial}",
                f"{len(one):,}",
                _folded(one.mean()),
                _share(None if corrected is None else corrected.mean),
                *cells,
                *(percent(one.mean(rate).mean) for rate in build.RATES),
            )
        )
    columns = (
        "",
        "Questions",
        "Score",
        "Corrected",
        *(name for _, name in there),
        *(n for n, _ in build.RATES.values()),
    )
    caption = (
        "Corrected is (score - chance) / (1 - chance): 0 is guessing, 1 perfect. Invalid replies and those cut off "
        "stand in the score with what they earn."
    )
    return Table(title="All evaluations", columns=columns, rows=tuple(rows), caption=caption)


def folded_name(name: str) -> str:
    """Return what an evaluation is called, its prompt and probe on a line of their own."""
    return name.replace(", ", "\n", 1)


def _folded(interval: Interval) -> str:
    """Return a share with its interval on a line of its own."""
    limits = "" if interval.limits is None else f"\n{percent(interval.low)} to {percent(interval.high)}"
    return f"{percent(interval.mean)}{limits}"
