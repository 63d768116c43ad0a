"""What stored evaluations say together, in words, one picture and tables: what was asked of whom, and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.compare import compare
from reelgym.evaluation.decision import Decision, Line, decide
from reelgym.evaluation.results import Evaluation
from reelgym.reports import build, facets, naming
from reelgym.reports.folders import find
from reelgym.reports.payload import Dot, DotRow, Payload, Plot, Table
from reelgym.reports.questions import book
from reelgym.reports.svg import percent, signed, spoken
from reelgym.reports.usage import usage_table
from reelgym.scoring.statistics import Interval
from reelgym.video import Store

PICTURE = (
    "Dots are mean scores, lines their 95% intervals from 10,000 bootstrap draws of whole videos. Filled: a model with "
    "nothing taken away. Hollow: the same model with something taken away. Squares: floors, shortcuts that look at "
    "nothing. Chance is enumerated."
)

_PARTS = (("read_strictly", "Read strictly"), ("strict", "Strict score"))


def of_results(folder: Path, store: Store, dataset: str | Path | None) -> Payload:
    """Return the page of an evaluation: what came out, and every question with what was replied.

    Args:
        folder: The evaluation.
        store: Where decoded frames are kept.
        dataset: Where the questions are, if not where it says.
    """
    stored = results.read(folder)
    shown = about_results(folder, stored)
    found = decide(stored)
    lead = leading(stored, found)
    settings = stored[lead].settings
    shelf = find(dataset or settings.get("dataset_path"), store, digest=str(settings.get("dataset", "")))
    models = [lead, *(line.name for line in found.lines if line.model != stored[lead].model)]
    models += ["before"] if lead == "after" and "before" in stored and "before" not in models else []
    made = book(stored, models, shelf, names=naming.titles(stored), where=str(folder))
    return replace(shown, book=made, limits=(shelf.missing,) if shelf.missing else ())


def about_results(folder: Path, stored: Mapping[str, Evaluation], *, seed: int = 0) -> Payload:
    """Return what stored evaluations say together, without any single question.

    Args:
        folder: That they are of.
        stored: By name.
        seed: Of the tests between models.

    Raises:
        RequestError: There are none.
    """
    if not stored:
        raise RequestError(f"{folder}: no evaluation in results.json: run `reelgym eval` again")
    names, found = naming.titles(stored), decide(stored, seed=seed)
    lead = leading(stored, found)
    one, before = stored[lead], stored.get("before") if lead == "after" else None
    blind = next((each for each in _probes_of(one, stored).values() if each.probe == "blind"), None)
    return Payload(
        title=folder.resolve().name,
        headline=("Partial: " if one.settings.get("partial") else "")
        + (build.headline(before, one) if before is not None else headline(one, found, names)),
        lead=asked(stored, one, found),
        warnings=warnings(stored, names),
        decision=decision_table(found, stored, names) if len(found.lines) > 1 else None,
        plot=picture(stored, names, [line.name for line in found.lines]),
        readings=tuple(readings(stored, lead, found)),
        measures=build.measures(before, one, blind=blind) if before is not None else (),
        measures_caption=build.measures_caption(one) if before is not None else "",
        tables=tuple(_tables(stored, names, found)),
        facets=facets.plots(_shown(stored, found), names),
        facets_caption=facets.CAPTION,
        provenance=provenance(one),
    )


def leading(stored: Mapping[str, Evaluation], found: Decision) -> str:
    """Return the name of the evaluation that the page is about: the trained model's, or the best without a probe."""
    if "after" in stored and naming.is_plain(stored["after"]):
        return "after"
    whole = [line for line in found.lines if not line.partial]
    return (whole or list(found.lines))[0].name if found.lines else next(iter(stored))


def headline(one: Evaluation, found: Decision, names: Mapping[str, str]) -> str:
    """Return the result in a sentence that claims no more than the intervals and tests allow."""
    model, chance = naming.short(one.model), one.chance()
    beside = "" if chance is None else f" where guessing scores {percent(chance)}"
    if len(found.lines) < 2:
        return f"{model} scores {spoken(_number(one.mean()))} on {len(one):,} questions{beside}."
    first, *others = found.lines
    who = {line.name: naming.short(line.model) for line in found.lines}
    who = who if len(set(who.values())) == len(who) else dict(names)
    if not first.tested:
        return f"{who[first.name]} scores highest, {percent(first.score.mean)}, and was tested against none."
    if not first.alike:
        rest = "the other" if len(others) == 1 else f"all {len(others)} others"
        return f"{who[first.name]} scores {percent(first.score.mean)}, surely more than {rest}{beside}."
    alike = " and ".join(who[name] for name in first.alike)
    return f"{who[first.name]} scores highest, {percent(first.score.mean)}, and cannot be told apart from {alike}."


def asked(stored: Mapping[str, Evaluation], one: Evaluation, found: Decision) -> str:
    """Return what was asked of whom, in words for somebody who was not there."""
    settings = one.settings
    what = str(settings.get("benchmark") or Path(str(settings.get("dataset_path", ""))).name or "a set of questions")
    models = naming.models_of({line.name: stored[line.name] for line in found.lines} or {"": one})
    frames = settings.get("frames")
    how = [f"at most {frames} frames of a clip" if frames else "", _prompts(stored)]
    how += [f"replies of at most {one.max_tokens} tokens" if one.max_tokens else ""]
    limit = f", a seeded subset of at most {settings['limit']}" if settings.get("limit") else ""
    return (
        f"{' and '.join(models.values())} {'was' if len(models) == 1 else 'were'} asked {len(one):,} questions about "
        f"{len(set(one.clusters)):,} videos ({what}{limit}): {', '.join(filter(None, how))}. A reply that cannot be "
        "read, was refused or never came counts as wrong."
    )


def warnings(stored: Mapping[str, Evaluation], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for everything that is missing, with whose results lack it."""
    lacking: dict[str, list[str]] = {}
    for name, one in stored.items():
        if one.settings.get("partial"):
            lacking.setdefault(str(one.settings["partial"]), []).append(name)
    everybody = {name for name, one in stored.items() if not naming.is_floor(one)}
    return tuple(
        f"{'All' if everybody <= set(who) else ', '.join(names[name] for name in who)}: {why}."
        for why, who in lacking.items()
    )


def picture(stored: Mapping[str, Evaluation], names: Mapping[str, str], first: Sequence[str] = ()) -> Plot:
    """Return one row per evaluation: each model with its probes below it, then the floors.

    Args:
        stored: By name.
        names: What each is called.
        first: Names in the order in which their models come, best first.
    """
    place = {stored[name].model: at for at, name in reversed(list(enumerate(first)))}
    plain = [name for name, one in stored.items() if naming.is_plain(one)]
    plain.sort(key=lambda name: (place.get(stored[name].model, len(place)), -stored[name].mean().mean))
    rows: list[DotRow] = []
    drawn: set[str] = set()
    for name in plain:
        taken = {key: one for key, one in _probes_of(stored[name], stored).items() if key not in drawn}
        drawn |= set(taken)
        rows.append(_dot_row(names[name], stored[name]))
        rows += [_dot_row(naming.probe(one.probe), one) for one in taken.values()]
    rest = {name: one for name, one in stored.items() if one.probe and name not in drawn and not naming.is_floor(one)}
    rows += [_dot_row(names[name], one) for name, one in rest.items()]
    low = [(name, one) for name, one in stored.items() if naming.is_floor(one)]
    low.sort(key=lambda pair: -pair[1].mean().mean)
    rows += [_dot_row(names[name], one, "floor") for name, one in low]
    chances = [chance for one in stored.values() if (chance := one.chance()) is not None]
    return Plot(title="Score", rows=tuple(rows), chance=chances[0] if chances else None, caption=PICTURE)


def _dot_row(label: str, one: Evaluation, kind: Any = "") -> DotRow:
    return DotRow(
        label=label,
        kind=kind or ("probe" if one.probe else "model"),
        dots=(Dot(number=_number(one.mean())),),
        note="fitted to the answers" if one.settings.get("fitted") else "",
        warning="partial" if one.settings.get("partial") and not naming.is_floor(one) else "",
    )


def _probes_of(plain: Evaluation, stored: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    same = (plain.model, plain.variant)
    return {name: one for name, one in stored.items() if one.probe and (one.model, one.variant) == same}


def readings(stored: Mapping[str, Evaluation], lead: str, found: Decision) -> Iterator[str]:
    """Yield what the picture says of the leading model, a sentence each: chance, probes, floors, unreadable replies."""
    one = stored[lead]
    model, chance, score = naming.short(one.model), one.chance(), one.mean()
    if chance is not None and score.limits:
        above = "is surely better than guessing"
        verdict = above if score.above(chance) else "cannot be told from guessing"
        verdict = "is surely worse than guessing" if score.high < chance else verdict
        yield f"{model} {verdict}: {spoken(_number(score))} beside {percent(chance)}."
    for probe in _probes_of(one, stored).values():
        yield _against_probe(one, probe)
    low = {name: each for name, each in stored.items() if naming.is_floor(each) and not each.settings.get("fitted")}
    if low:
        best = max(low, key=lambda name: low[name].mean().mean)
        where = "" if len(low[best]) == len(one) else f" on the {len(low[best]):,} questions that it can answer"
        yield f"The best floor, {naming.short(low[best].model)}, scores {percent(low[best].mean().mean)}{where}."
    if unread := one.mean("invalid").mean:
        yield f"{percent(unread)} of the replies of {model} could not be read; they count as wrong."
    if found.detectable is not None:
        yield (
            f"This set shows a difference between two models of {percent(found.detectable)} and more in four of five "
            "repetitions; smaller ones are likely to be missed."
        )
    if cut := [naming.short(line.model) for line in found.lines if line.partial]:
        yield f"Partial results are tested against none: {', '.join(cut)}."
    if (at := found.note.find("not tested: the evaluations")) >= 0:
        yield f"N{found.note[at + 1 :]}."


def _against_probe(plain: Evaluation, probe: Evaluation) -> str:
    """Return what a probe took away from the score, paired by question."""
    said = "Without the video (blind)" if probe.probe == "blind" else f"With {naming.probe(probe.probe)}"
    beside = f"{said} it scores {percent(probe.mean().mean)}"
    try:
        lost = compare(probe, plain).differences["value"]
    except RequestError as error:
        return f"{beside}; not paired with the plain score: {error}."
    if lost.limits is None:
        return f"{beside}; all questions are about one video, so there is no interval."
    limits = f"{signed(lost.low)} to {signed(lost.high)}"
    if lost.low > 0:
        less = f"{100 * lost.mean:.1f} points less ({100 * lost.low:.1f} to {100 * lost.high:.1f})"
        return f"{beside}: {less}, so the score rests on what was taken away."
    if lost.high < 0:
        return f"{beside}: more than with it (a difference of {limits} points)."
    return f"{beside}, which cannot be told from the plain score (a difference of {limits} points)."


def _tables(stored: Mapping[str, Evaluation], names: Mapping[str, str], found: Decision) -> Iterator[Table]:
    if len(found.lines) == 1:
        yield decision_table(found, stored, names)
    yield from _metrics(stored, names)
    yield every(stored, names)
    if took := usage_table(stored, names):
        yield took


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


def _metrics(stored: Mapping[str, Evaluation], names: Mapping[str, str]) -> Iterator[Table]:
    """Yield the numbers that a benchmark reports, one row each, beside chance."""
    shown = {name: one for name, one in stored.items() if one.metrics and naming.is_plain(one)}
    if not shown:
        return
    metrics = dict.fromkeys(metric for one in shown.values() for metric in one.metrics)
    chances = {
        metric: next((o.metrics[metric].get("chance") for o in shown.values() if metric in o.metrics), None)
        for metric in metrics
    }
    rows = tuple(
        (metric, _share(chances[metric]), *(_metric(one.metrics.get(metric)) for one in shown.values()))
        for metric in metrics
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
    parts = [(part, name) for part, (name, _) in list(build.PARTS.items())[1:]] + list(_PARTS)
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


def _shown(stored: Mapping[str, Evaluation], found: Decision) -> dict[str, Evaluation]:
    """Return the best plain result of each model, best first; where there is none, the first evaluation."""
    return {line.name: stored[line.name] for line in found.lines} or dict(list(stored.items())[:1])


def _prompts(stored: Mapping[str, Evaluation]) -> str:
    there = sorted({one.variant for one in stored.values() if naming.is_plain(one)})
    if there == ["stored"]:
        return "with replies made elsewhere"
    return f"{' and '.join(there)} prompt{'s' * (len(there) > 1)}" if there else ""


def folded_name(name: str) -> str:
    """Return what an evaluation is called, its prompt and probe on a line of their own."""
    return name.replace(", ", "\n", 1)


def _folded(interval: Interval) -> str:
    """Return a share with its interval on a line of its own."""
    limits = "" if interval.limits is None else f"\n{percent(interval.low)} to {percent(interval.high)}"
    return f"{percent(interval.mean)}{limits}"


def _number(interval: Interval) -> Any:
    found = build.number(interval)
    assert found is not None
    return found


def provenance(one: Evaluation) -> tuple[tuple[str, str], ...]:
    """Return the settings that the numbers depend on, as (name, value)."""
    plain = {"model": one.model, "prompt": one.variant, "position rule": one.position_rule}
    more = {name: str(value) for name, value in one.settings.items() if isinstance(value, (str, int, float))}
    shown = plain | {"reply cap": f"{one.max_tokens} tokens", "seconds": f"{one.seconds:.0f}"} | more
    return tuple((name.replace("_", " "), value) for name, value in shown.items() if value)
