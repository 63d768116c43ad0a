"""What stored evaluations say together, in words, one picture and tables: what was asked of whom, and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.decision import Decision, decide
from reelgym.evaluation.probed import probes_of
from reelgym.evaluation.results import Evaluation
from reelgym.reports import build, facets, findings, naming, readings, scores
from reelgym.reports.folders import find, read_json
from reelgym.reports.payload import Dot, DotRow, Payload, Plot, Table
from reelgym.reports.questions import book, of_shelf
from reelgym.reports.svg import percent, spoken
from reelgym.reports.usage import usage_table
from reelgym.video import Store

PICTURE = (
    "Dots are mean scores, lines their 95% intervals from 10,000 bootstrap draws of whole videos. Filled: a model with "
    "nothing taken away. Hollow: the same model with something taken away. Squares: floors, shortcuts that look at "
    "nothing. Chance is enumerated."
)


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
    asked = of_shelf(stored, compared(stored, lead, found), shelf, naming.titles(stored))
    made = book(asked, shelf, where=str(folder))
    needs = findings.class_of(told_of(folder), [str(row["key"]) for row in made.rows])
    made = replace(made, choices=(*made.choices, needs)) if needs else made
    return replace(shown, book=made, limits=(shelf.missing,) if shelf.missing else ())


def compared(stored: Mapping[str, Evaluation], lead: str, found: Decision) -> list[str]:
    """Return the names of those whose replies are shown whole: the leading one, and the best of every other model."""
    models = [lead, *(line.name for line in found.lines if line.model != stored[lead].model)]
    return models + (["before"] if lead == "after" and "before" in stored and "before" not in models else [])


def told_of(folder: Path) -> dict[str, Any]:
    """Return what `results.json` holds; nothing where there is no such file."""
    path = folder / "results.json"
    return read_json(path) if path.is_file() else {}


def about_results(folder: Path, stored: Mapping[str, Evaluation]) -> Payload:
    """Return what stored evaluations say together, without any single question.

    Args:
        folder: That they are of.
        stored: By name.

    Raises:
        RequestError: There are none.
    """
    if not stored:
        raise RequestError(f"{folder}: no evaluation in results.json: run `reelgym eval` again")
    names, found = naming.titles(stored), decide(stored)
    lead = leading(stored, found)
    one, before = stored[lead], stored.get("before") if lead == "after" else None
    blind = next((each for each in probes_of(lead, stored).values() if each.probe == "blind"), None)
    return Payload(
        title=folder.resolve().name,
        headline=("Partial: " if one.settings.get("partial") else "")
        + (build.headline(before, one) if before is not None else headline(one, found, names)),
        lead=asked(stored, one, found),
        warnings=warnings(stored, names),
        decision=scores.decision_table(found, stored, names) if len(found.lines) > 1 else None,
        plot=picture(stored, names, [line.name for line in found.lines]),
        readings=tuple(readings.readings(stored, lead, found)),
        measures=build.measures(before, one, blind=blind) if before is not None else (),
        measures_caption=build.measures_caption(one) if before is not None else "",
        tables=tuple(_tables(folder, stored, names, found)),
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
        return f"{model} scores {spoken(build.sure(one.mean()))} on {_counted(len(one), 'question')}{beside}."
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
    of = f"{_counted(len(one), 'question')} about {_counted(len(set(one.clusters)), 'video')}"
    *others, last = models.values()
    who = f"{', '.join(others)} and {last}" if others else last
    return (
        f"{who} {'was' if len(models) == 1 else 'were'} asked {of} ({what}{limit}): "
        f"{', '.join(filter(None, how))}. A reply that cannot be read, was refused or never came counts as wrong."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


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
        taken = {key: one for key, one in probes_of(name, stored).items() if key not in drawn}
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
        dots=(Dot(number=build.sure(one.mean())),),
        note="fitted to the answers" if one.settings.get("fitted") else "",
        warning="partial" if one.settings.get("partial") and not naming.is_floor(one) else "",
    )


def _tables(
    folder: Path, stored: Mapping[str, Evaluation], names: Mapping[str, str], found: Decision
) -> Iterator[Table]:
    if len(found.lines) == 1:
        yield scores.decision_table(found, stored, names)
    yield from findings.tables(told_of(folder), names)
    yield from scores.metrics(stored, names)
    yield scores.every(stored, names)
    if took := usage_table(stored, names):
        yield took


def _shown(stored: Mapping[str, Evaluation], found: Decision) -> dict[str, Evaluation]:
    """Return the best plain result of each model, best first; where there is none, the first evaluation."""
    return {line.name: stored[line.name] for line in found.lines} or dict(list(stored.items())[:1])


def _prompts(stored: Mapping[str, Evaluation]) -> str:
    there = sorted({one.variant for one in stored.values() if naming.is_plain(one)})
    if there == ["stored"]:
        return "with replies made elsewhere"
    return f"{' and '.join(there)} prompt{'s' * (len(there) > 1)}" if there else ""


def provenance(one: Evaluation) -> tuple[tuple[str, str], ...]:
    """Return the settings that the numbers depend on, as (name, value)."""
    plain = {"model": one.model, "prompt": one.variant, "position rule": one.position_rule}
    more = {name: str(value) for name, value in one.settings.items() if isinstance(value, (str, int, float))}
    shown = plain | {"reply cap": f"{one.max_tokens} tokens", "seconds": f"{one.seconds:.0f}"} | more
    return tuple((name.replace("_", " "), value) for name, value in shown.items() if value)
