"""The command `eval`: scores beside chance, floors and probes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.commands.options import Json, Seed, Videos, price_of
from reelgym.errors import RequestError
from reelgym.terminal import Bars, print_json, say, table

if TYPE_CHECKING:
    from reelgym.data.dataset import Dataset
    from reelgym.evaluation.results import Evaluation
    from reelgym.evaluation.spec import Benchmark


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command(name="eval")(evaluate)


def evaluate(
    questions: Annotated[
        str, typer.Argument(metavar="DATASET|BENCHMARK", help="Folder made by `reelgym synth`, or a benchmark's name.")
    ],
    model: Annotated[
        list[str],
        typer.Option("--model", help="As for train; a run: its best checkpoint; openai:NAME@URL; replies:FILE."),
    ],
    probes: Annotated[str, typer.Option(metavar="NAME,...", help="What to take away: blind, shuffled_context.")] = "",
    prompt: Annotated[
        str, typer.Option(metavar="auto|direct|tagged|both", help="auto: the run's own, else both.")
    ] = "auto",
    split: Annotated[str, typer.Option(help="train, test or all.")] = "test",
    limit: Annotated[int, typer.Option(help="At most so many samples, whole videos first; 0 for all.")] = 0,
    max_tokens: Annotated[int, typer.Option(help="Cap of a reply.")] = 256,
    data: Annotated[Path | None, typer.Option(help="Folder of the benchmark's rows, or `hub`.")] = None,
    frames: Annotated[int, typer.Option(help="Frames of a clip at most; 0 for the benchmark's or dataset's own.")] = 0,
    key_env: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]VARIABLE", help="Environment variable of an endpoint's key.")
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]IN,OUT", help="Money per million tokens read and written.")
    ] = None,
    budget: Annotated[float, typer.Option(help="Money for all endpoints together; 0 for no limit.")] = 0.0,
    in_flight: Annotated[int, typer.Option(help="Requests to an endpoint at a time.")] = 8,
    retries: Annotated[int, typer.Option(help="Further attempts of a request that failed.")] = 6,
    out: Annotated[Path | None, typer.Option(help="The evaluation's folder; evals/NAME by default.")] = None,
    videos: Videos = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Scores with chance, floors, probes and intervals.

    Example: [bold]reelgym eval puzzles --model tiny --model runs/mvp --probes blind[/bold], or
    [bold]reelgym eval video-mme --data Video-MME --videos Video-MME/data --model tiny[/bold]
    """
    from reelgym.evaluation import ask, results, speakers
    from reelgym.evaluation.floors import benchmark_floors
    from reelgym.evaluation.metrics import measure
    from reelgym.evaluation.probes import get
    from reelgym.evaluation.runner import floors
    from reelgym.recipes import proving
    from reelgym.training import checkpoint

    wanted = [name for name in probes.split(",") if name]
    for name in wanted:
        get(name)
    folder = out or Path("evals", Path(questions).resolve().name)
    manners = speakers.Manners(
        folder=folder,
        key_env=key_env or (),
        price=_prices(price or ()),
        in_flight=in_flight,
        retries=retries,
        purse=speakers.Purse(budget) if budget else None,
    )
    labels = _labels(model)
    made: dict[str, Evaluation] = {}
    with Bars() as bars, ExitStack() as held:
        found, benchmark = _questions(questions, folder, data=data, videos=videos, frames=frames, bars=bars)
        media = found.media(proving.store(), videos)
        samples = ask.subset(found.samples if split == "all" else found.split(split), limit, seed)
        if frames and not benchmark:
            samples = speakers.budgeted(samples, frames, seed)
        for name in model:
            say("" if speakers.is_speaker(name) else checkpoint.caveat(Path(name)))
            who = held.enter_context(speakers.speaker(name, manners)) if speakers.is_speaker(name) else None
            asked = ask.ask(
                name,
                samples,
                media,
                variants=ask.prompts(prompt, name),
                probes=wanted,
                max_tokens=max_tokens,
                seed=seed,
                settings={
                    "dataset": found.digest,
                    "dataset_path": str(found.path.resolve()),
                    "split": split,
                    "limit": limit,
                    **(
                        {"frames": frames, "frames_rule": f"one of each equal part of a clip, seed {seed}"}
                        if frames
                        else {}
                    ),
                    **_about(benchmark, found),
                },
                stage=bars.stage,
                speaker=who,
            )
            made |= {f"{labels[name]}-{key}" if len(model) > 1 else key: one for key, one in asked.items()}
        told = bars.stage("floors")
        low = benchmark_floors(samples, benchmark.type_facet) if benchmark else floors(samples, media, progress=told)
        made |= {f"floor-{name}": one for name, one in low.items()}
    if benchmark:
        made = {name: replace(one, metrics=measure(benchmark, one)) for name, one in made.items()}
    results.write(folder, made)
    if as_json:
        return print_json({name: one.summary() for name, one in made.items()})

    if benchmark:
        _show(benchmark, found, made)
        return typer.echo(f"next: reelgym report {folder}")

    from reelgym.reports.build import evaluation_table

    chance = next(iter(made.values())).chance()
    shown = evaluation_table(f"{len(samples)} samples, chance {chance or 0:.1%}", made)
    table(shown.title, shown.columns, shown.rows)
    return typer.echo(f"next: reelgym report {folder}")


def _questions(
    name: str, folder: Path, *, data: Path | None, videos: str | None, frames: int, bars: Bars
) -> tuple[Dataset, Benchmark | None]:
    """Return a dataset, or the questions of a benchmark made into one, in the evaluation's folder."""
    from reelgym.data.dataset import read_dataset
    from reelgym.evaluation import benchmarks
    from reelgym.evaluation.questions import Shown, build

    if Path(name, "dataset.json").is_file() or (name not in benchmarks.every() and Path(name).exists()):
        if data is not None:
            raise RequestError(f"{name} is a dataset: --data belongs to a benchmark")
        return read_dataset(name), None
    benchmark = benchmarks.get(name)
    if benchmark.access == "embedded":
        data = Path(videos) if videos else _rendered(bars)
        videos = str(data)
    if data is None or videos is None:
        raise RequestError(
            f"{benchmark.name} needs --data, the folder of its rows ({benchmark.source.hub}), and --videos"
        )
    shown = Shown.of(benchmark, frames=frames or None)
    return build(
        benchmark, data, Path(videos), folder / "questions", shown=shown, progress=bars.stage("look at videos")
    ), benchmark


def _rendered(bars: Bars) -> Path:
    """Return the folder of the world's own test videos, rendered where they are not there yet."""
    from reelgym import world
    from reelgym.recipes import proving

    folder = proving.cache_folder() / "world" / "benchmark"
    world.make(folder, count=20, split="test", workers=os.cpu_count() or 1, progress=bars.stage("render videos"))
    return folder


def _about(benchmark: Benchmark | None, found: Dataset) -> dict[str, Any]:
    from reelgym.evaluation.questions import partial

    if benchmark is None:
        return {}
    about = {"benchmark": f"{benchmark.name} {benchmark.version}", "partial": partial(benchmark, found)}
    return about | {"frames": found.manifest["settings"]["shown"]["frames"], "counts": found.manifest["counts"]}


def _show(benchmark: Benchmark, found: Dataset, made: dict[str, Evaluation]) -> None:
    """Print every metric beside chance and floors, and say what is missing."""
    names = [metric.name for metric in benchmark.metrics]
    first = next(iter(made.values())).metrics
    rows = [("chance", *(_percent(first.get(name, {}).get("chance")) for name in names), "", "", "")]
    for label, one in made.items():
        cells = [_cell(one.metrics.get(name)) for name in names]
        strict = _percent(one.mean("read_strictly").mean)
        unread, cut = (_percent(one.mean(rate).mean) for rate in ("invalid", "cut_off"))
        fitted = " (fitted to the answers)" if one.settings.get("fitted") else ""
        rows.append((label.replace("_", " ") + fitted, *cells, unread, strict, cut))
    title = f"{benchmark.title}: {len(next(iter(made.values())))} questions"
    table(title, ("", *names, "unreadable", "read strictly", "cut off"), rows)
    for line in found.quarantine[:5]:
        say(f"left out: {line['path']}: {line['reason']}")
    if missing := _about(benchmark, found)["partial"]:
        say(f"partial, not to be compared: {missing}; all lines in {found.path / 'quarantine.jsonl'}")
    for note in benchmark.notes:
        say(f"note: {note}")


def _cell(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return ""
    limits = "" if metric["low"] is None else f" ({metric['low']:.1%} to {metric['high']:.1%})"
    return f"{metric['mean']:.1%}{limits}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _prices(given: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return prices by the endpoint's model; the empty name stands for all others."""
    found = ((name, price_of(text)) for name, _, text in (one.rpartition("=") for one in given))
    return {name: price for name, price in found if price is not None}


def _labels(models: Sequence[str]) -> dict[str, str]:
    """Return what each model's results go by: short where that tells them apart."""
    short = {
        name: _slug(name.removeprefix("openai:").partition("@http")[0])
        if name.startswith("openai:")
        else _slug(Path(name).stem if name.startswith("replies:") else name)
        for name in dict.fromkeys(models)
    }
    return {name: label if list(short.values()).count(label) == 1 else _slug(name) for name, label in short.items()}


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.")
