"""The audit of a dataset on its page: what shortcuts solve beside a guesser, what its videos hold, how hard it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelgym.data.difficulty import labels
from reelgym.reports.build import number, words
from reelgym.reports.payload import Bar, Bars, Number, Table
from reelgym.scoring.statistics import Interval

SHOWN_SOLVED = 12
"""Puzzles solved by a shortcut that a page shows at most."""


def charts(about: Mapping[str, Any]) -> tuple[Bars, ...]:
    """Return per task how often each shortcut solves a puzzle wholly, most often first, beside a guesser.

    Args:
        about: As `synthesis.inspect` returns it.
    """
    found = []
    for task, audit in about["audit"].items():
        named = [(name, Interval.from_json(both["solved"])) for name, both in audit["baselines"].items()]
        named.sort(key=lambda item: (-item[1].mean, item[0]))
        bars = tuple(
            Bar(
                label=words(name),
                number=number(one) or Number(value=0.0),
                role="before" if one.above(audit["chance_solved"]) else "floor",
            )
            for name, one in named
        )
        if bars:
            found.append(Bars(title=f"Share of {task} puzzles solved", bars=bars, chance=audit["chance_solved"]))
    return tuple(found) + tuple(_pass_rates(name, one) for name, one in about.get("difficulty", {}).items())


def _pass_rates(name: str, found: Mapping[str, Any]) -> Bars:
    """Return the histogram of one measurement of difficulty; bars of samples without signal are drawn as floors."""
    total, counts = found["samples"], found["histogram"]
    ends = (0, len(counts) - 1)
    bars = tuple(
        Bar(label=label, number=Number(value=count / total), role="floor" if place in ends else "plain")
        for place, (label, count) in enumerate(zip(labels(), counts, strict=True))
    )
    caption = (
        f"{found['rollouts']} replies each, passed at {found['threshold']:g}; {total:,} samples, mean pass rate "
        f"{found['pass_rate']:.3f}. Never and always (pale) teach reinforcement learning nothing."
    )
    return Bars(title=f"Share of samples by pass rate of {name}", bars=bars, caption=caption)


def solved_by(about: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the shortcuts that solve each sample wholly, by the sample's id; those that most solve come first."""
    found = {id_: names for audit in about["audit"].values() for id_, names in audit["solved_samples"].items()}
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def tables(about: Mapping[str, Any]) -> list[Table]:
    """Return what synthesis decided by the audit, and what was found in the videos; each only where there is any."""
    found = []
    stored = about["stored_audit"]
    if stored:
        rows = tuple(
            (task, f"{one['samples']:,}", f"{one['solved_by_any']['mean']:.1%}", f"{one['removed']:,}")
            for task, one in stored["tasks"].items()
        )
        caption = f"Rule: {stored['rule']}. Counted when the dataset was made, on all puzzles, before any was left out."
        columns = ("Task", "Puzzles", "Solved by any shortcut", "Left out")
        found.append(Table(title="The audit in synthesis", columns=columns, rows=rows, caption=caption))
    if about["structure"]:
        listed = tuple((what[0].upper() + what[1:], f"{count:,}") for what, count in about["structure"].items())
        found.append(Table(title="What the videos hold", columns=("What", "Videos"), rows=listed))
    return found
