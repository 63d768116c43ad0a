"""The tables that `eval` prints: scores, which of several models to take, what asking would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from reelgym.terminal import print_json, say, table

if TYPE_CHECKING:
    from reelgym.data.dataset import Dataset
    from reelgym.data.sample import Sample
    from reelgym.evaluation.results import Evaluation
    from reelgym.evaluation.speakers import Manners
    from reelgym.evaluation.spec import Benchmark
    from reelgym.tasks.base import MediaReader

MOST_COLUMNS = 6
"""Metrics beside each other; a benchmark with more has several tables."""


def scores(benchmark: Benchmark | None, found: Dataset, made: dict[str, Evaluation]) -> None:
    """Print every result: a benchmark's own metrics, or the score of a dataset's samples."""
    from reelgym.reports.build import evaluation_table

    if benchmark:
        return _show(benchmark, found, made)
    first = next(iter(made.values()))
    shown = evaluation_table(f"{len(first)} samples, chance {first.chance() or 0:.1%}", made)
    return table(shown.title, shown.columns, shown.rows)


def decision(made: dict[str, Evaluation], seed: int) -> None:
    """Print which of several models is better, and what each took; nothing for one model."""
    from reelgym.evaluation.decision import decide
    from reelgym.reports.usage import usage_table

    if used := usage_table(made):
        table(used.title, used.columns, used.rows)

    found = decide(made, seed=seed)
    say("" if len(found.lines) > 1 else next((f"partial: {one.partial}" for one in found.lines if one.partial), ""))
    if len(found.lines) < 2:
        return
    columns = ("", "score", "not told apart from", "blind", "refused", "cut off", "empty", "failed")
    rows = []
    for line in found.lines:
        limits = "" if line.score.limits is None else " ({:.1%} to {:.1%})".format(*line.score.limits)
        refused = line.outcomes.get("refusal", 0) + line.outcomes.get("filtered", 0)
        counts = (refused, *(line.outcomes.get(name, 0) for name in ("cut_off", "empty", "failed")))
        tokens = (line.prompt_tokens or "", line.completion_tokens, "" if line.money is None else f"{line.money:.4f}")
        alike = ", ".join(line.alike) or ("none" if line.tested else "not tested")
        took = (f"{line.seconds / line.questions:.2f}", *map(str, tokens))
        cells = (f"{line.score.mean:.1%}{limits}", alike, _percent(line.blind), *map(str, counts), *took)
        rows.append((line.name + (" (partial)" if line.partial else ""), *cells))
    table("Which to take", (*columns, "s/question", "tokens read", "written", "money"), rows)
    for line in found.lines:
        say(f"{line.name} is partial: {line.partial}" if line.partial else "")
    say(found.note)
    if found.detectable is not None:
        say(f"this set shows differences of {found.detectable:.1%} and more in four of five repetitions")


@dataclass(frozen=True)
class Asking:
    """What an estimate goes by: the prompt, how many probes, the cap of a reply, the judge, whether of steps too."""

    prompt: str
    probes: int
    max_tokens: int
    judge: str = ""
    steps: bool = False


def estimated(
    models: Sequence[str],
    texts: Sequence[str],
    samples: Sequence[Sample],
    manners: Manners,
    asking: Asking,
    *,
    media: MediaReader,
    as_json: bool,
) -> None:
    """Print what asking would take: models, those that see text alone, and the judge of all.

    Endpoints are asked nothing; a model on this machine is asked a few questions.
    """
    from reelgym.evaluation import ask, estimate, speakers, timed
    from reelgym.evaluation.probes import apply

    prompts = {name: ask.prompts(asking.prompt, name) for name in (*models, *texts)}
    cap = asking.max_tokens
    found: dict[str, dict[str, Any]] = {}
    for name in models:
        how: dict[str, Any] = {"variants": prompts[name], "probes": asking.probes, "max_tokens": cap}
        if not speakers.is_speaker(name):
            found[name] = timed.estimate_local(name, samples, media, **how)
        elif name.startswith(speakers.ENDPOINT):
            found[name] = estimate.estimate(speakers.endpoint_of(name, manners), samples, **how)
    for name in texts:
        if name.startswith(speakers.ENDPOINT):
            bare, how = apply("text_only", samples, 0).samples, {"variants": prompts[name][:1], "max_tokens": cap}
            found[f"text {name}"] = estimate.estimate(speakers.endpoint_of(name, manners), bare, probes=0, **how)
    if asking.judge:
        asked = [one for name in models for one in (*prompts[name], *[prompts[name][0]] * asking.probes)]
        asked += [prompts[name][0] for name in texts]
        found[f"judge {asking.judge}"] = estimate.estimate_judge(
            speakers.endpoint_of(asking.judge, manners), samples, asked=asked, steps=asking.steps, max_tokens=cap
        )
    if as_json:
        local = {name: one for name, one in found.items() if "timed" in one}
        there = {name: one for name, one in found.items() if name not in local}
        return print_json({"questions": len(samples), "endpoints": there, "local": local})
    columns = ("", "requests", "tokens read", "written", "money", "seconds")
    rows = [
        (name, str(one["requests"]), *(_spread(one[key]) for key in list(one)[1:4]), _spread(one["seconds"]))
        for name, one in found.items()
    ]
    table(f"{len(samples)} questions; low, likely, high; no endpoint was asked", columns, rows)
    for name, one in found.items():
        if "timed" in one:
            held = one["memory_bytes"]
            peak = "no GPU here" if held is None else f"{held / 2**30:.2f} GiB of GPU memory at most"
            typer.echo(f"{name}: from {one['timed']} questions asked here under each prompt, loading left out; {peak}")
    return None


def _show(benchmark: Benchmark, found: Dataset, made: dict[str, Evaluation]) -> None:
    """Print every metric beside chance and floors, and say what is missing."""
    from reelgym.evaluation.questions import partial

    names = [metric.name for metric in benchmark.metrics if any(metric.name in one.metrics for one in made.values())]
    title = f"{benchmark.title}: {len(next(iter(made.values())))} questions"
    for start in range(0, len(names), MOST_COLUMNS):
        _metrics_table(title if start == 0 else "", names[start : start + MOST_COLUMNS], made)
    rows = []
    for label, one in made.items():
        rates = (one.mean("invalid").mean, one.mean("read_strictly").mean, one.mean("cut_off").mean)
        rows.append((_label(label, one), *map(_percent, rates)))
    table("", ("", "unreadable", "read strictly", "cut off"), rows)
    for line in found.quarantine[:5]:
        say(f"left out: {line['path']}: {line['reason']}")
    if missing := partial(benchmark, found):
        say(f"partial, not to be compared: {missing}; all lines in {found.path / 'quarantine.jsonl'}")
    for note in benchmark.notes:
        say(f"note: {note}")


def _metrics_table(title: str, names: Sequence[str], made: dict[str, Evaluation]) -> None:
    first = next(iter(made.values())).metrics
    chances = [("chance", *(_percent(first.get(name, {}).get("chance")) for name in names))]
    rows = [(_label(label, one), *(_cell(one.metrics.get(name)) for name in names)) for label, one in made.items()]
    table(title, ("", *names), chances + [row for row in rows if any(row[1:])])


def _label(name: str, one: Evaluation) -> str:
    return name.replace("_", " ") + (" (fitted to the answers)" if one.settings.get("fitted") else "")


def _cell(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return ""
    limits = "" if metric["low"] is None else f" ({metric['low']:.1%} to {metric['high']:.1%})"
    return f"{metric['mean']:.1%}{limits}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _spread(values: Sequence[float | None]) -> str:
    return ", ".join("no price" if value is None else f"{value:g}" for value in values[: 1 if None in values else 3])
