"""The command `difficulty`: how often a policy solves each sample of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json, Kept, Most, Seed, Videos, frame_store
from reelgym.terminal import Bars, print_json, table

if TYPE_CHECKING:
    from reelgym.data.difficulty import Measured


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(difficulty)


def difficulty(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder made by `reelgym synth`.")],
    model: Annotated[str, typer.Option(help="As for train; a run stands for its best checkpoint.")],
    rollouts: Annotated[int, typer.Option(min=1, help="Replies per sample.")] = 8,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Score from which on a reply passes.")] = 1.0,
    split: Annotated[str, typer.Option(help="train, test or all.")] = "train",
    limit: Annotated[int, typer.Option(help="At most so many samples, whole videos first; 0 for all.")] = 0,
    prompt: Annotated[
        str, typer.Option(metavar="auto|direct|tagged", help="auto: the run's own, else tagged.")
    ] = "auto",
    temperature: Annotated[float, typer.Option(help="Of sampling.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Cap of a reply.")] = 512,
    name: Annotated[str, typer.Option(help="Of the measurement; from the model's by default.")] = "",
    videos: Videos = None,
    store: Kept = None,
    store_limit: Most = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """How often a policy solves each sample, stored beside the dataset; repeat the command to resume.

    Example: [bold]reelgym difficulty puzzles --model runs/mvp --rollouts 8[/bold]
    """
    from reelgym import models
    from reelgym.curation.difficulty import fingerprint, measure
    from reelgym.curation.difficulty import store as write_down
    from reelgym.data.dataset import read_dataset
    from reelgym.data.difficulty import About, slug
    from reelgym.errors import RequestError
    from reelgym.evaluation import ask

    if not temperature > 0:
        raise RequestError(f"--temperature {temperature:g} must be above 0: greedy replies are all the same")
    variants = ask.prompts(prompt, model)
    found = read_dataset(dataset)
    samples = ask.subset(ask.of_split(found, split), limit, seed)
    policy = models.load(model)
    about = About(
        model=model,
        fingerprint=fingerprint(policy),
        dataset=found.digest,
        rollouts=rollouts,
        threshold=threshold,
        variant="tagged" if "tagged" in variants else variants[0],
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
    )
    media = found.media(frame_store(store, store_limit), videos)
    with Bars() as bars:
        measured = write_down(
            dataset,
            slug(name or model),
            samples,
            about=about,
            ask=lambda missing, told: measure(policy, missing, media, about=about, found=told),
            progress=bars.stage(f"ask {model}"),
        )
    _show(dataset, measured, as_json)


def _show(dataset: Path, measured: Measured, as_json: bool) -> None:
    from reelgym.data import difficulty as stored

    rates = list(measured.pass_rates.values())
    counts = dict(zip(stored.labels(), stored.histogram(rates), strict=True))
    path = stored.path_of(dataset, measured.name)
    if as_json:
        mean = {"pass_rate": sum(rates) / len(rates)}
        mean |= {"mean_reward": sum(row.mean_reward for row in measured.rows) / len(rates)}
        return print_json({"file": str(path), "samples": len(rates), "histogram": counts, **mean})
    table(f"{measured.about.rollouts} replies each: share that pass", ("share", "samples"), _rows(counts))
    typer.echo(f"stored: {path}")
    typer.echo(f"next: reelgym train mvp --data {dataset} --model {measured.about.model} band=0.1,0.9")


def _rows(counts: dict[str, int]) -> list[tuple[str, str]]:
    return [(label, str(count)) for label, count in counts.items()]
