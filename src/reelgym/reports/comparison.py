"""The page of a comparison: every pair of evaluations with its difference, what differs in settings, every question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.versus import Pair, differing
from reelgym.reports import evaluation, facets, naming, scores
from reelgym.reports.build import sure
from reelgym.reports.folders import find
from reelgym.reports.payload import Dot, DotRow, Payload, Plot, Table
from reelgym.reports.questions import book, of_shelf
from reelgym.reports.svg import percent, signed
from reelgym.video import Store

DIFFERENCES = (
    "Each row is the second minus the first, paired by question, with its 95% interval from 10,000 bootstrap draws of "
    "whole videos. The test behind the verdicts is a two-sided permutation test in which whole videos change sides; "
    "its p is corrected for the number of pairs by Holm's rule, and at 0.05 and above two are not distinguishable."
)

_PASSED_OVER = ("dataset_path", "fingerprint", "adapted", "counts")


def of_comparison(
    chosen: Mapping[str, Evaluation],
    pairs: Sequence[Pair],
    store: Store,
    *,
    beside: Mapping[str, Evaluation] | None = None,
    dataset: str | Path | None = None,
) -> Payload:
    """Return the page of evaluations of the same questions.

    Args:
        chosen: What is compared, by name.
        pairs: Every pair of them, tested.
        store: Where decoded frames are kept.
        beside: Probes and floors that are shown with them, by name.
        dataset: Where the questions are, if not where the evaluations say.
    """
    stored = {**chosen, **(beside or {})}
    names = naming.titles(stored)
    order = sorted(chosen, key=lambda name: -chosen[name].mean().mean)
    best = chosen[order[0]]
    shelf = find(dataset or _path(chosen), store, digest=str(best.settings.get("dataset", "")))
    made = book(of_shelf(stored, order, shelf, names), shelf, where="")
    return Payload(
        title=" and ".join(naming.short(name) for name in names.values() if name in {names[n] for n in chosen})[:80],
        headline=headline(pairs, names),
        lead=_lead(chosen, names),
        warnings=evaluation.warnings(chosen, names),
        plot=replace(evaluation.picture(stored, names, order), title="Scores"),
        differences=difference_plot(pairs, names),
        readings=tuple(_readings(chosen, pairs, names)),
        tables=(
            pair_table(pairs, names),
            *_differing(chosen, names),
            scores.every(stored, names),
        ),
        facets=facets.plots({name: chosen[name] for name in order}, names),
        facets_caption=facets.CAPTION,
        book=replace(made, sorts=_apart_first(made.sorts)),
        limits=(shelf.missing,) if shelf.missing else (),
        provenance=tuple((names[name], f"{one.model}, {one.variant} prompt") for name, one in chosen.items()),
    )


def headline(pairs: Sequence[Pair], names: Mapping[str, str]) -> str:
    """Return what the tests allow to say, in a sentence."""
    sure = [pair for pair in pairs if pair.p_holm < 0.05]
    if len(pairs) == 1 and not sure:
        return f"{names[pairs[0].first]} and {names[pairs[0].second]} cannot be told apart on these questions."
    if not sure:
        return "No two of these can be told apart on these questions."
    if len(pairs) == 1:
        high, low = _ranked(pairs[0], names)
        points = f"{100 * abs(pairs[0].difference.mean):.1f} points"
        return f"{high} scores {points} more than {low}{_limits(pairs[0])}."
    wins = Counter(_ranked(pair, names)[0] for pair in sure)
    # Who is surely above all others is the best; else nobody is.
    others = len({name for pair in pairs for name in (pair.first, pair.second)}) - 1
    best = next((name for name, count in wins.items() if count == others), None)
    top = f"{best} scores more than each of the others" if best else "no one is surely above all others"
    return f"{len(sure)} of {len(pairs)} pairs are told apart; {top}."


def _ranked(pair: Pair, names: Mapping[str, str]) -> tuple[str, str]:
    """Return the names of a pair, the higher score first."""
    first, second = names[pair.first], names[pair.second]
    return (second, first) if pair.difference.mean > 0 else (first, second)


def _limits(pair: Pair) -> str:
    if pair.difference.limits is None:
        return " (one video, so no interval)"
    low, high = sorted(abs(limit) for limit in pair.difference.limits)
    crosses = pair.difference.low < 0 < pair.difference.high
    return "" if crosses else f" ({100 * low:.1f} to {100 * high:.1f})"


def _lead(chosen: Mapping[str, Evaluation], names: Mapping[str, str]) -> str:
    one = next(iter(chosen.values()))
    what = str(one.settings.get("benchmark") or Path(str(one.settings.get("dataset_path", ""))).name or "one set")
    unlike = [name for name, _ in differing(chosen)]
    made = (
        f"They differ in {', '.join(map(naming.spaced, unlike))}, which was allowed."
        if unlike
        else ("Prompt, cap of replies, dataset, split, frames and probe are the same in all.")
    )
    return (
        f"{' and '.join(names[name] for name in chosen)} answered the same {len(one):,} questions about "
        f"{len(set(one.clusters)):,} videos ({what}). {made}"
    )


def difference_plot(pairs: Sequence[Pair], names: Mapping[str, str]) -> Plot:
    """Return one row per pair: the paired difference around zero."""
    rows = tuple(
        DotRow(
            label=f"{names[pair.second]} \N{MINUS SIGN} {names[pair.first]}",
            kind="model" if pair.p_holm < 0.05 else "probe",
            dots=(Dot(number=sure(pair.difference)),),
        )
        for pair in pairs
    )
    return Plot(title="Paired differences", rows=rows, signed=True, caption=DIFFERENCES)


def _readings(chosen: Mapping[str, Evaluation], pairs: Sequence[Pair], names: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for every pair, and what the set can see."""
    for pair in pairs[:10]:
        if pair.p_holm >= 0.05:
            yield f"{names[pair.first]} and {names[pair.second]} are not distinguishable (p {pair.p_holm:.3f})."
        else:
            high, low = _ranked(pair, names)
            yield f"{high} scores more than {low}, by {100 * abs(pair.difference.mean):.1f} points{_limits(pair)}."
    for name, one in chosen.items():
        if unread := one.mean("invalid").mean:
            yield f"{percent(unread)} of the replies of {names[name]} could not be read; they count as wrong."
    stated = [pair.detectable for pair in pairs if pair.detectable is not None]
    if stated:
        yield (
            f"These questions show a difference of {100 * max(stated):.1f} points and more between whichever two in "
            "four of five repetitions; smaller ones are likely to be missed."
        )


def pair_table(pairs: Sequence[Pair], names: Mapping[str, str]) -> Table:
    """Return one row per pair with its difference and tests."""
    rows = tuple(
        (
            f"{names[pair.second]}\nminus {names[pair.first]}",
            f"{signed(pair.difference.mean)} points" + _folded(pair),
            _p(pair.p),
            _p(pair.p_holm),
            "\N{EN DASH}" if pair.p_mcnemar is None else _p(pair.p_mcnemar),
            "\N{EN DASH}" if pair.detectable is None else f"{100 * pair.detectable:.1f} points",
            pair.verdict if pair.p_holm >= 0.05 else f"{_ranked(pair, names)[0]} is better",
        )
        for pair in pairs
    )
    columns = ("", "Difference", "p", "p, corrected", "McNemar's p", "Detectable", "Verdict")
    caption = (
        "Detectable: the smallest true difference that these questions show in four of five repetitions. McNemar's "
        "exact test takes questions for independent; the verdict does not use it."
    )
    return Table(title="Every pair", columns=columns, rows=rows, caption=caption)


def _folded(pair: Pair) -> str:
    found = pair.difference.limits
    return "" if found is None else f"\n{signed(found[0])} to {signed(found[1])}"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"


def _differing(chosen: Mapping[str, Evaluation], names: Mapping[str, str]) -> Iterator[Table]:
    """Yield the settings that are not the same in all."""
    told = [_settings(one) for one in chosen.values()]
    keys = dict.fromkeys(key for one in told for key in one)
    unlike = [key for key in keys if len({one.get(key) for one in told}) > 1]
    same = "; ".join(f"{naming.spaced(key)} {told[0][key]}" for key in keys if key not in unlike)
    rows = tuple((naming.spaced(key), *(one.get(key, "\N{EN DASH}") for one in told)) for key in unlike)
    columns = ("", *(scores.folded_name(names[name]) for name in chosen))
    if rows:
        yield Table(
            title="What differs", columns=columns, rows=rows, caption=f"The same in all: {same}." if same else ""
        )


def _settings(one: Evaluation) -> dict[str, str]:
    """Return what an evaluation's numbers depend on, in words."""
    found: dict[str, Any] = {"model": one.model, "prompt": one.variant, "taken away": one.probe or "nothing"}
    found |= {"reply cap": one.max_tokens, "position rule": one.position_rule}
    found |= {name: value for name, value in one.settings.items() if name not in _PASSED_OVER}
    return {name: str(value)[:200] for name, value in found.items() if value not in (None, "", {}, [])}


def _apart_first(sorts: Mapping[str, Any]) -> dict[str, Any]:
    """Return orders with the one that a comparison is about in front."""
    first = {name: order for name, order in sorts.items() if name.startswith("furthest apart")}
    return first | dict(sorts)


def _path(chosen: Mapping[str, Evaluation]) -> str | None:
    return next(
        (str(one.settings["dataset_path"]) for one in chosen.values() if one.settings.get("dataset_path")), None
    )
