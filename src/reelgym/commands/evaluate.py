"""The command `eval`: scores beside chance, floors and probes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.commands import eval_tables as tables
from reelgym.commands import process
from reelgym.commands.leaks import show as show_findings
from reelgym.commands.options import Json, Kept, Most, Seed, Unsafe, Videos, frame_store, price_of
from reelgym.commands.text_floor import TextModel, checked, text_floors
from reelgym.errors import RequestError, WorkError, unknown
from reelgym.terminal import Bars, print_json, say

if TYPE_CHECKING:
    from reelgym.data.dataset import Dataset
    from reelgym.data.sample import Sample
    from reelgym.evaluation.judged import Judges
    from reelgym.evaluation.purse import Purse
    from reelgym.evaluation.results import Evaluation
    from reelgym.evaluation.speakers import Manners, Speaker
    from reelgym.evaluation.spec import Benchmark
    from reelgym.tasks.base import MediaReader


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command(name="eval")(evaluate)


def evaluate(
    questions: Annotated[
        str,
        typer.Argument(metavar="DATASET|BENCHMARK|TABLE", help="A folder of `synth`, a benchmark, one's questions."),
    ],
    model: Annotated[
        list[str],
        typer.Option("--model", help="As for train; a run: its best checkpoint; openai:NAME@URL; replies:FILE."),
    ],
    probes: Annotated[str, typer.Option(metavar="NAME,...", help="What to take away: `reelgym list probes`.")] = "",
    measures: process.Measures = "",
    observer: process.Observer = None,
    think_judge: process.ThinkJudge = "",
    rollouts: process.Rollouts = 8,
    text_model: TextModel = None,
    prompt: Annotated[
        str,
        typer.Option(metavar="auto|both|NAME", help="auto: the run's own, else both direct and tagged; videop2r, ..."),
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
        list[str] | None,
        typer.Option(metavar="[NAME=]IN,OUT", help="Money per million tokens, judges' too."),
    ] = None,
    judge: Annotated[
        str, typer.Option(metavar="openai:NAME@URL", help="Decides on a benchmark's free answers and steps.")
    ] = "",
    budget: Annotated[float, typer.Option(help="Money for all endpoints together; 0 for no limit.")] = 0.0,
    in_flight: Annotated[int, typer.Option(help="Requests to an endpoint at a time.")] = 8,
    retries: Annotated[int, typer.Option(help="Further attempts of a request that failed.")] = 6,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate requests, tokens, money, time; ask none.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The evaluation's folder; evals/NAME by default.")] = None,
    videos: Videos = None,
    store: Kept = None,
    store_limit: Most = None,
    seed: Seed = 0,
    unsafe: Unsafe = False,
    as_json: Json = False,
) -> None:
    """Scores with chance, floors, probes and intervals.

    Example: [bold]reelgym eval puzzles --model tiny --model runs/mvp --probes blind[/bold], or
    [bold]reelgym eval video-mme --data Video-MME --videos Video-MME/data --model tiny[/bold]
    """
    from reelgym.evaluation import ask, judged, results, speakers
    from reelgym.evaluation.findings import findings
    from reelgym.evaluation.frames import budgeted
    from reelgym.evaluation.metrics import measure
    from reelgym.evaluation.probes import get
    from reelgym.reports.report import report

    texts = checked(text_model, model)
    wanted = list(dict.fromkeys(get(name).name for name in probes.split(",") if name))
    looked = process.Looked(measures, observer, think_judge, rollouts)
    folder = out or Path("evals", Path(questions).resolve().name)
    polite: dict[str, Any] = {"price": _prices(price or ()), "in_flight": in_flight, "retries": retries}
    manners = speakers.Manners(folder=folder, key_env=key_env or (), purse=_purse(budget), **polite)
    made: dict[str, Evaluation] = {}
    with Bars() as bars, ExitStack() as held:
        found, benchmark = _questions(questions, folder, data=data, videos=videos, frames=frames, bars=bars)
        media = found.media(frame_store(store, store_limit), videos)
        samples = ask.subset(ask.of_split(found, split), limit, seed)
        lacking = _lacking(found) if Path(questions).is_file() else ""
        is_cut = benchmark is not None or Path(questions).is_file()
        samples = budgeted(samples, frames, seed) if frames and not is_cut else samples
        samples, unjudged = _decidable(samples, judge, benchmark, questions)
        if dry_run:
            asking = tables.Asking(prompt, len(wanted), max_tokens, judge, benchmark is not None and benchmark.steps)
            return tables.estimated(model, texts, samples, manners, asking, media=media, as_json=as_json)
        settings = _settings(found, benchmark, split=split, limit=limit, frames=frames, seed=seed, is_cut=is_cut)
        settings |= _partial(settings.get("partial", "" if benchmark else lacking), unjudged)
        who_judges = held.enter_context(judged.opened(judge, benchmark, manners)) if judge and benchmark else None
        how: dict[str, Any] = {"max_tokens": max_tokens, "seed": seed, "settings": settings}
        for name in model:
            who = _speaker(name, manners, held, unsafe=unsafe)
            asked = ask.ask(
                name,
                samples,
                media,
                variants=ask.prompts(prompt, name),
                probes=wanted,
                stage=bars.stage,
                speaker=who,
                journal=speakers.journal_of(name, folder),
                **how,
            )
            asked = _judged(asked, samples, who_judges, bars.stage(f"judge {name}"))
            looked.replied(name, asked)
            say("" if asked else f"{name}: the budget pays for none of {len(samples)} questions")
            made |= {f"{_labels(model)[name]}-{key}" if len(model) > 1 else key: one for key, one in asked.items()}
        if not made:
            raise WorkError(f"--budget {budget:g} pays for no question: see --dry-run for what asking costs")
        looked.take(samples, media, manners, bars=bars, **how)
        made |= _floors(samples, media, benchmark, bars)
        low = text_floors(texts, samples, media, manners, prompt=prompt, stage=bars.stage, **how)
        low = _judged(low, samples, who_judges, bars.stage("judge floors"))
        made |= {f"floor-text-{_labels(texts)[name]}": one for name, one in low.items()}
    if benchmark:
        made = {name: replace(one, metrics=measure(benchmark, one)) for name, one in made.items()}
    found_out = findings(made, seed=seed)
    results.write(folder, made, found_out)
    looked.keep(folder)
    page = report(folder, dataset=found.path)
    if as_json:
        return print_json({name: one.summary() for name, one in made.items()})

    tables.scores(benchmark, found, made)
    _told(unjudged, found_out, looked, made, seed)
    return typer.echo(f"page: {page}")


def _purse(budget: float) -> Purse | None:
    from reelgym.evaluation.purse import Purse

    return Purse(budget) if budget else None


def _partial(*reasons: str) -> dict[str, str]:
    """Return what says that a result is partial, where there is a reason."""
    partial = ", ".join(filter(None, reasons))
    return {"partial": partial} if partial else {}


def _told(
    unjudged: str, found_out: Mapping[str, Any], looked: process.Looked, made: dict[str, Evaluation], seed: int
) -> None:
    """Print what was left out, what floors and probes say, the measures of looking and reasoning, and which to take."""
    say(f"partial, not to be compared: {unjudged}" if unjudged else "")
    show_findings(found_out)
    looked.show()
    tables.decision(made, seed)


def _decidable(
    samples: list[Sample], judge: str, benchmark: Benchmark | None, questions: str
) -> tuple[list[Sample], str]:
    """Return the questions that can be decided, and in words what had to be left out without a judge."""
    from reelgym.evaluation import judged

    if judge and benchmark is None:
        raise RequestError(f"--judge decides on free answers of a benchmark: {questions} is none, leave it out")
    return (samples, "") if judge or not benchmark else judged.without(samples)


def _judged(
    asked: dict[str, Evaluation], samples: Sequence[Sample], judges: Judges | None, told: Callable[[int, int], None]
) -> dict[str, Evaluation]:
    """Return evaluations with what a judge decides on, without those that the budget pays no judgement for."""
    from reelgym.evaluation import judged
    from reelgym.evaluation.runner import OutOfBudget

    if judges is None:
        return asked
    found: dict[str, Evaluation] = {}
    for key, one in asked.items():
        try:
            found[key] = judged.judged(one, samples, judges, told)
        except OutOfBudget as error:
            say(f"{key}: {error}")
    return found


def _speaker(name: str, manners: Manners, held: ExitStack, *, unsafe: bool) -> Speaker | None:
    """Return who replies where it is no model of this machine; refuse a model that is not right here."""
    from reelgym.doctor import gate
    from reelgym.evaluation import speakers
    from reelgym.recipes import proving
    from reelgym.training import checkpoint

    say("" if unsafe else gate.require(name, proving.cache_folder(), manners=manners))
    if speakers.is_speaker(name):
        return held.enter_context(speakers.speaker(name, manners))
    say(checkpoint.caveat(Path(name)))
    return None


def _floors(
    samples: Sequence[Sample], media: MediaReader, benchmark: Benchmark | None, bars: Bars
) -> dict[str, Evaluation]:
    """Return what needs no model, each under `floor-NAME`."""
    from reelgym.evaluation.floors import benchmark_floors
    from reelgym.evaluation.probes.base import QUESTIONS
    from reelgym.evaluation.runner import floors

    told = bars.stage("floors")
    if all(sample.task in QUESTIONS for sample in samples):
        low = benchmark_floors(samples, benchmark.type_facet if benchmark else "facet")
    else:
        low = floors(samples, media, progress=told)
    return {f"floor-{name}": one for name, one in low.items()}


def _lacking(found: Dataset) -> str:
    """Return what a table of one's own questions lacks, having named its bad rows."""
    from reelgym.evaluation import own

    for line in own.complaints(found):
        say(line)
    return own.partial(found)


def _settings(
    found: Dataset, benchmark: Benchmark | None, *, split: str, limit: int, frames: int, seed: int, is_cut: bool
) -> dict[str, Any]:
    """Return what the numbers depend on beside model, prompt and probe."""
    about = {"dataset": found.digest, "dataset_path": str(found.path.resolve()), "split": split, "limit": limit}
    if frames:
        # Questions that are made here are cut to the number at once; clips of a dataset lose frames by a draw.
        drawn = f"one of each equal part of a clip, drawn with seed {seed}"
        about |= {"frames": frames, "frames_rule": "the middle of each equal part" if is_cut else drawn}
    return about | _about(benchmark, found)


def _questions(
    name: str, folder: Path, *, data: Path | None, videos: str | None, frames: int, bars: Bars
) -> tuple[Dataset, Benchmark | None]:
    """Return a dataset, or the questions of a benchmark made into one, in the evaluation's folder."""
    from reelgym.data.dataset import read_dataset
    from reelgym.evaluation import benchmarks, own
    from reelgym.evaluation.questions import Shown, build

    if Path(name).is_file():
        if videos is None or data is not None:
            raise RequestError(f"{name} is a table of questions: give --videos, the folder of its videos, no --data")
        told = bars.stage("look at videos")
        return own.build(Path(name), Path(videos), folder / "questions", frames=frames, progress=told), None
    if Path(name, "dataset.json").is_file() or (name not in benchmarks.every() and Path(name).exists()):
        if data is not None:
            raise RequestError(f"{name} is a dataset: --data belongs to a benchmark")
        return read_dataset(name), None
    if name not in benchmarks.every():
        lacking = unknown("benchmark", name, benchmarks.every())
        raise RequestError(f"{name} is not a dataset or a table of questions: there is no such path; {lacking}")
    benchmark = benchmarks.get(name)
    if benchmark.access == "embedded":
        data = Path(videos) if videos else _rendered(benchmark, bars)
        videos = str(data)
    if data is None or videos is None:
        raise RequestError(
            f"{benchmark.name} needs --data, the folder of its rows ({benchmark.source.hub}), and --videos"
        )
    shown = Shown.of(benchmark, frames=frames or None)
    return build(
        benchmark, data, Path(videos), folder / "questions", shown=shown, progress=bars.stage("look at videos")
    ), benchmark


def _rendered(benchmark: Benchmark, bars: Bars) -> Path:
    """Return the folder of the world's own test videos, rendered where they are not there yet."""
    from reelgym import world
    from reelgym.recipes import proving

    scenes = benchmark.source.config
    folder = proving.cache_folder() / "world" / "-".join(filter(None, ("benchmark", scenes)))
    told, workers = bars.stage("render videos"), os.cpu_count() or 1
    kinds = [scenes] if scenes else None
    world.make(folder, count=benchmark.videos, split="test", kinds=kinds, workers=workers, progress=told)
    return folder


def _about(benchmark: Benchmark | None, found: Dataset) -> dict[str, Any]:
    from reelgym.evaluation.questions import partial

    if benchmark is None:
        return {}
    about = {"benchmark": f"{benchmark.name} {benchmark.version}", "partial": partial(benchmark, found)}
    return about | {"frames": found.manifest["settings"]["shown"]["frames"], "counts": found.manifest["counts"]}


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
