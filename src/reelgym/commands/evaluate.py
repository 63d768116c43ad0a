"""The command `eval`: scores beside chance, floors and probes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json, Seed, Videos
from reelgym.terminal import Bars, print_json, say, table

if TYPE_CHECKING:
    from reelgym.evaluation.results import Evaluation


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command(name="eval")(evaluate)


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


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.")
