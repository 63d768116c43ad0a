"""The page of a lab: recipes at equal compute, beside the controls that say whether the budget sees anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reelgym.reports.build import between
from reelgym.reports.folders import provenance, read_json, read_metrics
from reelgym.reports.payload import Curves, Dot, DotRow, Number, Payload, Plot, Series, Table
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
        headline=_headline(ends, found["recipes"]),
        lead=(
            f"{', '.join(found['recipes'])}: each trained for {found['steps']} updates under {seeds} "
            f"seed{'s' * (seeds != 1)} from one start, on the same source videos, and asked afterwards about videos "
            "that none of them saw. Controls: the same reward, easier puzzles (positive), shuffled rewards (negative)."
        ),
        facts=(
            ("Seeds", str(seeds)),
            ("Updates", str(found["steps"])),
            ("Held-out videos", str(one["videos"])),
            *((f"Smallest difference seen, {name}", _reach(end)) for name, end in ends.items()),
        ),
        plot=_plot(ends),
        readings=tuple(line for name, end in ends.items() for line in _readings(name, end)),
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


def _headline(ends: Mapping[str, Mapping[str, Any]], recipes: Sequence[str]) -> str:
    """Return a sentence or two that claim no more than the intervals allow."""
    blind = " and on ".join(name for name, end in ends.items() if not end["sees"])
    told = [_against_start(name, end, recipes) for name, end in ends.items() if end["sees"]]
    if blind:
        told.append(f"On {blind} this budget cannot see differences: the controls are not told apart.")
    return " ".join(told)


def _against_start(name: str, end: Mapping[str, Any], recipes: Sequence[str]) -> str:
    won = [one for one in recipes if "start" in _beaten(end).get(one, ())]
    lost = [one for one in recipes if one in _beaten(end).get("start", ())]
    if len(recipes) == 1:
        verdict = "better than" if won else "worse than" if lost else "not distinguishable from"
        return f"On {name} {recipes[0]} is {verdict} the start."
    below = f", {_listed(lost)} worse" if lost else ""
    count, verb = len(won) or "none", "is" if len(won) == 1 else "are"
    return f"On {name} {count} of {len(recipes)} recipes {verb} better than the start{below}."


def _beaten(end: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return by arm those that it is surely better than."""
    found: dict[str, list[str]] = {}
    for pair in end["pairs"]:
        if " is better" in pair["verdict"]:
            better, worse = (pair["second"], pair["first"]) if pair["mean"] > 0 else (pair["first"], pair["second"])
            found.setdefault(better, []).append(worse)
    return found


def _readings(name: str, end: Mapping[str, Any]) -> list[str]:
    """Return a sentence for all arms that are better than the same others, and one for what was left."""
    if not end["sees"]:
        return [f"On {name} the controls are not told apart: nothing is ranked there."]
    alike: dict[tuple[str, ...], list[str]] = {}
    for better, worse in _beaten(end).items():
        alike.setdefault(tuple(sorted(worse)), []).append(better)
    told = [
        f"On {name} {_listed(better)} {'is' if len(better) == 1 else 'are'} better than {_listed(worse)}."
        for worse, better in alike.items()
    ]
    blurred = sum(" is better" not in pair["verdict"] for pair in end["pairs"])
    return [*told, f"On {name} {blurred} of {len(end['pairs'])} pairs are not distinguishable."]


def _listed(names: Sequence[str]) -> str:
    """Return names as a sentence holds them."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _plot(ends: Mapping[str, Mapping[str, Any]]) -> Plot:
    """Return one row per arm, a dot per endpoint; guessing is a row, because every endpoint has its own."""
    of_all = next(iter(ends.values()))
    arms = (
        sorted(of_all["scores"], key=lambda arm: -of_all["scores"][arm]["mean"]) if of_all["sees"] else of_all["scores"]
    )
    rows = [
        DotRow(
            label=arm,
            kind="floor" if arm in ("start", *CONTROLS) else "model",
            dots=tuple(
                Dot(number=Number(value=one["mean"], low=one["low"], high=one["high"]), series=place)
                for place, one in enumerate(end["scores"][arm] for end in ends.values())
            ),
        )
        for arm in arms
    ]
    guesses = [(place, end["chance"]) for place, end in enumerate(ends.values()) if end["chance"] is not None]
    dots = tuple(Dot(number=Number(value=chance), series=place) for place, chance in guesses)
    rows += [DotRow(label="guessing", kind="floor", dots=dots)] if dots else []
    caption = "Squares are what recipes are held to: start, controls, guessing. Intervals of 95% draw seeds and videos."
    return Plot(title="Score after training", rows=tuple(rows), series=tuple(ends), caption=caption)


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
            ("better" if pair["mean"] > 0 else "worse") if " is better" in pair["verdict"] else pair["verdict"],
        )
        for pair in end["pairs"]
    ]
    gate = end["controls"]
    verdict = "told apart" if end["sees"] else "not distinguishable"
    rows.append(("positive against negative control", signed(gate["mean"]), _limits(gate, signed), "", verdict))
    caption = (
        f"Points, paired by seed and question; 95% intervals from 10,000 draws of the seeds ({seeds}) and of whole "
        "videos together. p is corrected by Holm over the rows above the controls. A verdict takes controls told "
        "apart, an interval without 0 and p below 0.05. Smallest true difference that four of five such labs show "
        f"between two recipes: {_reach(end)}, by the pair."
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
    caption = "Mean over the seeds, on the samples of its own task that each recipe holds out for this curve alone."
    return [
        Curves(
            title=f"Held-out samples while training: {_which(chart)}", series=tuple(chart), share=True, caption=caption
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


def _reach(end: Mapping[str, Any]) -> str:
    """Return from the calmest to the most scattered pair of recipes what difference shows."""
    most = end["detectable"]
    bases = ("start", CONTROLS[1])
    among = [one["detectable"] for one in end["pairs"] if one["first"] not in bases and one["detectable"]]
    if most is None or not among or f"{100 * min(among):.1f}" == f"{100 * most:.1f}":
        return "unknown" if most is None else f"{100 * most:.1f} points"
    return f"{100 * min(among):.1f} to {100 * most:.1f} points"
