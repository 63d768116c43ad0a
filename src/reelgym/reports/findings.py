"""What is stored beside scores: what probes say a set needs and leaks, and what looking and reasoning are worth apart.

Both are JSON in `results.json`, under `findings` and `process`; a part that is missing or has another form is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reelgym.reports import naming
from reelgym.reports.payload import Choice, Table
from reelgym.reports.svg import percent

CLASSES = {
    "blind": "right without the video",
    "semantic": "right with the frames shuffled too",
    "temporal": "right with the frames in order alone",
    "other": "not answered right",
}
"""What a question of each class is."""

MOST_LEAKS = 12
"""Rows of the table of leaks."""

Found = Mapping[str, Any]


def tables(told: Found, names: Mapping[str, str]) -> Iterator[Table]:
    """Yield the tables of what `results.json` holds beside the scores.

    Args:
        told: The file.
        names: What each evaluation is called.
    """
    findings, process = _object(told.get("findings")), _object(told.get("process"))
    drawn: list[tuple[Any, Callable[[Any], Table]]] = [
        (findings.get("classes"), lambda one: _classes(one, names)),
        (findings.get("leaks"), lambda one: _leaks(one, names)),
        *((process.get(name), made) for name, made in _PROCESS.items()),
    ]
    for one, made in drawn:
        try:
            shown = made(one) if one else None
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # Written by another version: the page goes without.
        if shown is not None and shown.rows:
            yield shown


def class_of(told: Found, ids: Sequence[str]) -> Choice | None:
    """Return the class of every question as a filter; None where nobody could class them."""
    found = _object(_object(_object(told.get("findings")).get("classes")).get("of"))
    there = tuple(name for name in CLASSES if name in set(found.values()))
    codes = tuple(there.index(found[one]) if found.get(one) in there else -1 for one in ids)
    return Choice(name="class", label="Needs", values=there, codes=codes) if there else None


def _object(value: Any) -> Found:
    return value if isinstance(value, Mapping) else {}


def _classes(classes: Found, names: Mapping[str, str]) -> Table:
    """Return the classes of questions with their counts and the scores there."""
    scored = {
        name: by
        for name, by in _object(classes.get("scores")).items()
        if name in names and not name.startswith("floor")
    }
    total = max(1, sum(classes["counts"].values()))
    rows = tuple(
        (
            f"{name}\n{CLASSES[name]}",
            f"{count:,}\n{percent(count / total)}",
            *(_interval(by.get(name)) for by in scored.values()),
        )
        for name, count in classes["counts"].items()
        if name in CLASSES
    )
    guessed = classes.get("guessed")
    by_luck = "" if guessed is None else f" If everybody guessed, {percent(guessed)} would be called blind."
    caption = (
        f"After VBenchComp (arXiv 2505.14321), by the replies of {', '.join(map(str, classes.get('models', ())))}; "
        f"scores on the classes beside. The rule for several models is ours.{by_luck}"
    )
    columns = ("", "Questions", *(names[name].replace(", ", "\n", 1) for name in scored))
    return Table(title="What the questions need", columns=columns, rows=rows, caption=caption)


def _leaks(leaks: Found, names: Mapping[str, str]) -> Table:
    found = leaks["found"]
    rows = tuple(
        (
            names.get(one["name"], naming.spaced(one["name"])),
            naming.spaced(one["without"]),
            "all questions" if not one["value"] else f"{naming.spaced(one['facet'])}: {naming.spaced(one['value'])}",
            percent(one["score"]),
            percent(one["chance"]),
            f"{100 * one['lift']['low']:.1f} to {100 * one['lift']['high']:.1f} points",
        )
        for one in found[:MOST_LEAKS]
    )
    more = f" {len(found) - MOST_LEAKS} more in results.json." if len(found) > MOST_LEAKS else ""
    caption = (
        f"Floors and probes that beat chance by more than their interval. {leaks.get('tried', len(found)):,} were "
        f"tried, of which about 1 in 40 would be found by luck in a set that leaks nothing.{more}"
    )
    columns = ("", "Without", "On", "Score", "Chance", "Above chance")
    return Table(title="What the set gives away", columns=columns, rows=rows, caption=caption)


def _sufficiency(told: Found) -> Table:
    rows = tuple(
        (
            f"{one['input']}\n{_written(one, model)}",
            naming.short(model),
            _interval(one["score"]),
            _interval(one.get("corrected")),
            *(_share(one.get(name)) for name in ("invalid", "missing", "leaks")),
        )
        for model, lines in told.items()
        for one in lines
    )
    caption = (
        "What a frozen model answers from video, from text, and from either beside a written observation (VideoP2R, "
        "arXiv 2511.11113). Missing: replies without an observation. Leaks: observations that state an answer."
    )
    columns = ("Shown", "Asked", "Score", "Corrected", "Unreadable", "Missing", "Leaks")
    return Table(title="Does the observation suffice?", columns=columns, rows=rows, caption=caption)


def _written(one: Found, model: str) -> str:
    writer = str(one.get("writer") or "")
    return "" if not writer else "its own" if writer == model else f"by {naming.short(writer)}"


def _mismatch(told: Found) -> Table:
    counted = ("parsed", "judged", "unstated", "replies")
    rows = tuple(
        (naming.short(model), _interval(one.get("rate")), *(f"{one.get(name, 0):,}" for name in counted))
        for model, one in told.items()
    )
    caption = "How often the thinking arrives at another answer than the one given. Unstated: it arrives at none."
    columns = ("", "Differ", "Parsed", "By judge", "Unstated", "Replies")
    return Table(title="Thinking against answer", columns=columns, rows=rows, caption=caption)


def _observations(told: Found) -> Table:
    rows = tuple(
        (
            naming.short(model),
            *(_interval(one.get(name)) for name in ("precision", "recall", "suffices")),
            *(_share(one.get(name)) for name in ("missing", "leaks")),
            f"{one.get('known', 0):,} of {one.get('replies', 0):,}",
        )
        for model, one in told.items()
    )
    columns = ("", "Precision", "Recall", "Suffices", "Missing", "State an answer", "Facts known of")
    caption = "What observations claim, held to known facts; of real videos none are known but the options."
    return Table(title="Observations against known facts", columns=columns, rows=rows, caption=caption)


def _segments(told: Found) -> Table:
    rows = tuple(
        (
            f"{naming.short(model)}\n{name}",
            *(_plain(part.get(key)) for key in ("reward", "accuracy", "format", "tokens")),
            _share(part.get("there")),
            _share(part.get("zero_variance")),
        )
        for model, one in told.items()
        for name, part in one.items()
        if isinstance(part, Mapping)
    )
    caption = "Over sampled replies. Groups of equal reward teach the segment nothing."
    columns = ("", "Reward", "Accuracy", "Format", "Tokens", "There", "Groups of equal reward")
    return Table(title="Segments", columns=columns, rows=rows, caption=caption)


_PROCESS = {
    "sufficiency": _sufficiency,
    "mismatch": _mismatch,
    "observations": _observations,
    "segments": _segments,
}


def _interval(one: Any) -> str:
    """Return a stored interval of a share; a dash where there is none."""
    if not isinstance(one, Mapping):
        return "\N{EN DASH}"
    limits = "" if one.get("low") is None else f"\n{percent(one['low'])} to {percent(one['high'])}"
    return f"{percent(one['mean'])}{limits}"


def _plain(one: Any) -> str:
    """Return a stored interval, or a number, as plain numbers."""
    if isinstance(one, Mapping):
        limits = "" if one.get("low") is None else f"\n{one['low']:.3g} to {one['high']:.3g}"
        return f"{one['mean']:.3g}{limits}"
    return f"{one:.3g}" if isinstance(one, (int, float)) else "\N{EN DASH}"


def _share(value: Any) -> str:
    return percent(value) if isinstance(value, (int, float)) else "\N{EN DASH}"
