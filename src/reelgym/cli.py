"""The command line: reads arguments, calls the rooms, prints. What costs time to import is imported in a command."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym import __version__, cache, exchange
from reelgym.errors import ReelgymError, RequestError, unknown
from reelgym.terminal import (
    Bars,
    Stage,
    Stop,
    Stopped,
    disk_fault,
    fail,
    leave_if,
    print_json,
    raise_stopped,
    say,
    table,
)

if TYPE_CHECKING:
    from reelgym.evaluation.results import Evaluation
    from reelgym.synthesis import Manifest

app = typer.Typer(
    name="reelgym",
    help="Post-train video language models on puzzles cut from raw video, and measure whether they look.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
exchange.add(app)
cache.add(app)

OPTIONAL = ("torch", "transformers", "accelerate", "peft", "safetensors", "datasets", "ray")
"""What comes with an extra; a command that needs one says so."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(help="Of everything drawn.")]
Videos = Annotated[str | None, typer.Option("--videos", help="Folder of the videos, if it has moved.")]


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, raise_stopped)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 (the work failed), 2 (the request was wrong), 130, 143."""
    try:
        app(list(arguments), prog_name="reelgym")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except ReelgymError as error:
        return fail(str(error), error.exit_code)
    except OSError as error:
        return disk_fault(error)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in OPTIONAL:
            raise
        return fail(f"this needs {error.name}, which is not installed: pip install 'reelgym[train]'", 2)
    except Stopped as stop:
        return fail("stopped; what was finished is kept", 128 + stop.signum)
    return 0


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"reelgym {__version__}")
        raise typer.Exit()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of all that is made; the page is index.html in it.")] = Path(
        "reelgym-demo"
    ),
    videos: Annotated[
        Path | None, typer.Option(help="Your own video files or folder, beside the rendered ones.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The whole job on the embedded default: videos, puzzles, RL, before and after, page.

    Example: [bold]reelgym demo --out my-demo[/bold]
    """
    from reelgym.recipes import demo as recipe
    from reelgym.video import find_videos

    if videos is not None:
        find_videos([str(videos)])  # A wrong path is told before anything is rendered.
    with Bars() as bars, Stop() as stop:

        def stage(name: str) -> Stage:
            stop.new_stage()
            return bars.stage(name)

        result = recipe.run(out, videos=videos, seed=seed, progress=stage, should_stop=stop)
    leave_if(stop, out)
    if as_json:
        return print_json(result.results)
    table("", result.columns, result.rows)
    typer.echo(f"page: {result.page}")


@app.command()
def synth(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Video files and folders.")],
    out: Annotated[
        Path | None, typer.Option(help="The dataset folder.", show_default="needed without --dry-run")
    ] = None,
    task: Annotated[
        str, typer.Option(metavar="NAME[=WEIGHT],...", help="Which puzzles; `reelgym list tasks` names them.")
    ] = "mvp",
    fps: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Frames per second; auto suits each video's length.")
    ] = None,
    per_video: Annotated[int, typer.Option(help="Puzzles per video at most, shared by the tasks.")] = 4,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="[TASK.]KEY=VALUE", help="A setting of the task.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local (processes here) or ray (a cluster).")] = "local",
    workers: Annotated[int | None, typer.Option(help="Processes; all cores by default.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Only the I-th of N parts, for `merge`.")] = None,
    sample: Annotated[float | None, typer.Option(help="Share of the files to open, chosen by hash.")] = None,
    max_hours: Annotated[float | None, typer.Option(help="Stop at so many hours of video, in hash order.")] = None,
    limit: Annotated[int | None, typer.Option(help="Stop at so many puzzles, whole videos in hash order.")] = None,
    avoid: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Leave out puzzles with crosses_cut, static, black, clock.")
    ] = None,
    audit: Annotated[
        str, typer.Option(metavar="mark|thin|drop|off", help="What to do with puzzles that a shortcut solves.")
    ] = "mark",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Time a few files, estimate the rest.")] = False,
    seconds_per_file: Annotated[float, typer.Option(help="A file that takes longer is quarantined.")] = 300.0,
    worker_memory: Annotated[float, typer.Option(help="GiB of address space for one worker; 0: no limit.")] = 4.0,
    test_share: Annotated[float, typer.Option(help="Share of the videos held out as test, by content.")] = 0.2,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Video files to verified samples; repeat the command to resume it.

    Example: [bold]reelgym synth videos/ --out puzzles --fps auto --task mvp=3,jigsaw=1[/bold]
    """
    from reelgym.synthesis import estimate, synthesize

    wanted: dict[str, Any] = {
        "task": task,
        "config": _task_settings(task, settings or []),
        "fps": _rate(fps),
        **{"per_video": per_video, "seed": seed, "split_share": test_share},
        **{"sample": sample, "max_hours": max_hours, "limit": limit, "shard": shard},
        **{"avoid": None if avoid is None else [name for name in avoid.split(",") if name]},
        **{"audit": None if audit == "mark" else audit},
        **{"workers": workers, "seconds_per_file": seconds_per_file, "memory_bytes": round(worker_memory * 2**30)},
    }
    if dry_run:
        with Bars() as bars:
            found = estimate(inputs, **wanted, progress=bars.stage("time files"))
        return _estimated(found, as_json)
    if out is None:
        raise RequestError("synth needs --out DATASET, the folder to write; or --dry-run, which writes nothing")
    with Bars() as bars:
        stage = bars.stage("cut puzzles")
        made = synthesize(
            inputs, out, engine=engine, **wanted, progress=stage, report=lambda tally: stage.note(tally.words())
        )
    _made(made, as_json)


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="All N folders of synth --shard.")],
    out: Annotated[Path, typer.Option(help="The dataset folder.")],
    as_json: Json = False,
) -> None:
    """Shards joined into the bytes of one run.

    Example: [bold]reelgym merge part-1 part-2 --out puzzles[/bold]
    """
    from reelgym.synthesis import merge as join

    with Bars() as bars:
        made = join(shards, out, bars.stage("join shards"))
    _made(made, as_json)


@app.command()
def inspect(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder made by `reelgym synth`.")],
    baselines: Annotated[bool, typer.Option(help="Whether to score the baselines, which look at frames.")] = True,
    limit: Annotated[int, typer.Option(help="Samples the baselines are asked, a seeded subset.")] = 200,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the same as a page, with pictures.")] = None,
    videos: Videos = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Counts, chance levels, shortcut audit, structure of the videos, quarantine reasons.

    Example: [bold]reelgym inspect puzzles --html audit.html[/bold]
    """
    from reelgym.data.dataset import read_dataset
    from reelgym.recipes import proving
    from reelgym.synthesis import audit_table, structure_table
    from reelgym.synthesis import inspect as look
    from reelgym.synthesis import table as rows_of

    found = read_dataset(dataset)
    media = found.media(proving.store(), videos) if baselines else None
    with Bars() as bars:
        report = look(found, media, limit=limit, seed=seed, progress=bars.stage("score baselines"))
    if html is not None:
        from reelgym.reports.folders import of_dataset
        from reelgym.reports.page import write_page

        say(f"page: {write_page(html, of_dataset(dataset, proving.store(), videos=videos, about=report))}")
    if as_json:
        return print_json(report)
    typer.echo(f"{dataset}: {report['counts']['samples']} samples, digest {report['digest']}")
    table("", ("what", "count"), [(name, str(count)) for name, count in report["counts"].items()])
    header, *rows = rows_of(report)
    title = f"Scores that need no model ({report['baseline_samples']} samples)" if baselines else "Chance"
    table(title, header, rows)
    if audited := audit_table(report):
        table("Shortcuts: score, and share of puzzles wholly solved, with 95% intervals", audited[0], audited[1:])
    if surveyed := structure_table(report):
        table("Videos", ("what", "videos"), surveyed)
    if report["quarantine"]:
        table("Quarantine", ("reason", "files"), [(reason, str(n)) for reason, n in report["quarantine"].items()])


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A name, path.py:function, or a saved config.json.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings; --show lists them.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="tiny, tiny-qwen3, a hub name, a folder, a run.")] = None,
    data: Annotated[str | None, typer.Option(help="Dataset folder.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/RECIPE by default.")] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print every setting and where it comes from; train nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Any stage: SFT, RL. Repeat the command to resume; the first Ctrl-C finishes the step and saves.

    Example: [bold]reelgym train mvp --data puzzles --model tiny steps=50 lr=1e-5[/bold]
    """
    from reelgym.recipes.resolve import resolve

    named = {"model": model, "data": data}
    resolved = resolve(recipe, [*(settings or []), *(f"{key}={value}" for key, value in named.items() if value)])
    if show:
        rows = resolved.table()
        if as_json:
            return print_json([dict(zip(("key", "value", "origin"), row, strict=True)) for row in rows])
        return table(f"recipe {resolved.name}", ("setting", "value", "from"), rows)
    from reelgym.training import rl, sft
    from reelgym.training.config import SFTRun

    folder = out or Path("runs", Path(recipe.rpartition(":")[2]).stem)
    with Bars() as bars, Stop() as stop:
        progress = bars.stage(f"train {resolved.name}")
        if isinstance(resolved.run, SFTRun):
            sft.train(resolved.run, folder, progress, should_stop=stop)
        else:
            rl.train(resolved.run, folder, progress, should_stop=stop)
    leave_if(stop, folder)
    say("" if progress.calls else f"{folder} was finished before; nothing to do")
    _trained(folder, as_json)


@app.command(name="eval")
def evaluate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder made by `reelgym synth`.")],
    model: Annotated[list[str], typer.Option("--model", help="As for train; a run stands for its best checkpoint.")],
    probes: Annotated[str, typer.Option(metavar="NAME,...", help="What to take away: blind, shuffled_context.")] = "",
    prompt: Annotated[
        str, typer.Option(metavar="auto|direct|tagged|both", help="auto: the run's own, else both.")
    ] = "auto",
    split: Annotated[str, typer.Option(help="train, test or all.")] = "test",
    limit: Annotated[int, typer.Option(help="At most so many samples, whole videos first; 0 for all.")] = 0,
    max_tokens: Annotated[int, typer.Option(help="Cap of a reply.")] = 256,
    out: Annotated[Path | None, typer.Option(help="The evaluation's folder; evals/DATASET by default.")] = None,
    videos: Videos = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Scores with chance, floors, probes and intervals.

    Example: [bold]reelgym eval puzzles --model tiny --model runs/mvp --probes blind[/bold]
    """
    from reelgym.data.dataset import read_dataset
    from reelgym.evaluation import ask, results
    from reelgym.evaluation.probes import get
    from reelgym.evaluation.runner import floors
    from reelgym.recipes import proving
    from reelgym.training import checkpoint

    wanted = [name for name in probes.split(",") if name]
    for name in wanted:
        get(name)
    found = read_dataset(dataset)
    media = found.media(proving.store(), videos)
    samples = ask.subset(found.samples if split == "all" else found.split(split), limit, seed)
    made: dict[str, Evaluation] = {}
    with Bars() as bars:
        for name in model:
            say(checkpoint.caveat(Path(name)))
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
                    "dataset_path": str(dataset.resolve()),
                    "split": split,
                    "limit": limit,
                },
                stage=bars.stage,
            )
            made |= {f"{_slug(name)}-{key}" if len(model) > 1 else key: one for key, one in asked.items()}
        made |= {f"floor-{name}": one for name, one in floors(samples, media, progress=bars.stage("floors")).items()}
    folder = results.write(out or Path("evals", dataset.resolve().name), made)
    if as_json:
        return print_json({name: one.summary() for name, one in made.items()})

    from reelgym.reports.build import evaluation_table

    chance = next(iter(made.values())).chance()
    shown = evaluation_table(f"{len(samples)} samples, chance {chance or 0:.1%}", made)
    table(shown.title, shown.columns, shown.rows)
    typer.echo(f"next: reelgym report {folder}")


@app.command()
def report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="A dataset, run, evaluation or demo; or the seeds of a demo."),
    ],
    out: Annotated[Path | None, typer.Option(help="The HTML file; report.html inside PATH by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="Dataset of a run or evaluation, if it has moved.")] = None,
) -> None:
    """One self-contained page from stored results; of several demos, with one row per seed.

    Example: [bold]reelgym report evals/puzzles --out page.html[/bold]
    """
    from reelgym.reports.report import report as write

    typer.echo(f"page: {write(paths[0], out, dataset=data, others=paths[1:])}")


@app.command(name="list")
def show_list(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="tasks, recipes, benchmarks, tools, rewards, algorithms, records (import), formats (export)",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """What there is, one line each.

    Example: [bold]reelgym list tasks[/bold]
    """
    from reelgym import registry

    rooms = {"benchmarks": "evaluation.benchmarks", "records": "synthesis.labelled", "formats": "synthesis.export"}
    kinds = ("tasks", "recipes", "benchmarks", "tools", "rewards", "algorithms", "records", "formats")
    if kind is not None and kind not in kinds:
        raise unknown("kind", kind, kinds)
    found = {
        name: registry.catalogue(f"reelgym.{rooms.get(name, name)}", decorator="recipe")
        for name in kinds
        if kind in (None, name)
    }
    if as_json:
        return print_json(found if kind is None else found[kind])
    for name, entries in found.items():
        table(name.capitalize(), (), list(entries.items()) or [("none yet", "")])


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine can run, one line per check.

    Example: [bold]reelgym doctor[/bold]
    """
    from reelgym.doctor import checks
    from reelgym.recipes import proving

    found = []
    for check in checks(proving.cache_folder()):
        found.append(check)
        if not as_json:
            typer.echo(f"{check.word}  {check.name}: {check.found}")
    if as_json:
        print_json([{"check": c.name, "result": c.word, "found": c.found} for c in found])
    raise typer.Exit(1 if any(check.passed is False for check in found) else 0)


def _rate(fps: str | None) -> Any:
    if fps in (None, "auto"):
        return fps
    from reelgym.recipes.values import parse

    return parse("--fps", fps, float)


def _task_settings(task: str, settings: Sequence[str]) -> dict[str, Any]:
    """Return `--set [TASK.]KEY=VALUE` as values of the tasks' own settings, by task where there are several.

    A key without a task goes to every task that has it; `configure` refuses those that none has.
    """
    from typing import get_type_hints

    from reelgym import tasks
    from reelgym.recipes.resolve import pairs
    from reelgym.recipes.values import parse
    from reelgym.synthesis.settings import mixture

    names = list(mixture(task))
    hints = {name: get_type_hints(type(tasks.get(name)).Config) for name in names}
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, text in sorted(pairs(settings).items(), key=lambda pair: pair[0].partition(".")[0] in names):
        first, _, rest = key.partition(".")
        takers, key = ([first], rest) if first in names and rest else (names, key)
        for name in [name for name in takers if key in hints[name]] or takers[:1]:
            found[name][key] = parse(key, text, hints[name].get(key, str))
    return found[names[0]] if len(names) == 1 else found


def _made(made: Manifest, as_json: bool) -> None:
    """Print what `synth` or `merge` made, and what it cost."""
    if as_json:
        spent = {} if made.tally is None else {"run": made.tally.to_json()}
        return print_json(made.manifest | spent)
    say("" if made.fresh else f"{made.path} was finished before; nothing to do")
    table("", ("what", "count"), [(name, str(count)) for name, count in made.counts.items()])
    if made.tally is not None:
        table("", (), made.tally.rows())
    typer.echo(f"digest: {made.digest}")
    typer.echo(f"next: reelgym inspect {made.path}")


def _estimated(found: dict[str, Any], as_json: bool) -> None:
    """Print what a run would take."""
    if as_json:
        return print_json(found)
    spent = (60, "min") if found["seconds"][1] > 120 else (1, "s")
    scale = {"hours": (1, "h of video"), "samples": (1, "samples"), "disk_bytes": (2**20, "MiB"), "seconds": spent}
    rows = [(name, *(f"{value / scale[name][0]:.2f}" for value in found[name]), scale[name][1]) for name in scale]
    timed = found["timed"]
    table("", ("estimate", "low", "likely", "high", "unit"), rows)
    typer.echo(
        f"from {timed['files']} of {found['files']} files ({timed['quarantined']} gave no sample), "
        f"{timed['video_seconds']:.0f} s of video in {timed['seconds']:.1f} s; {found['workers']} workers"
    )


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.")


def _trained(folder: Path, as_json: bool) -> None:
    """Print where a run stands: its best checkpoint and its last row of metrics."""
    from reelgym.training import checkpoint

    best, last = checkpoint.best(folder), checkpoint.latest(folder)
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[-1]) if lines else {}
    if as_json:
        return print_json({"run": str(folder), "best": str(best), "last": str(last), "metrics": row})
    table("", ("metric", "last"), [(name, f"{value:.4g}") for name, value in row.items() if isinstance(value, float)])
    typer.echo(f"run: {folder}")
    typer.echo(f"best checkpoint: {best}")
    say(checkpoint.caveat(folder))
