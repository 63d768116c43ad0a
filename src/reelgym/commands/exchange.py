"""The commands that trade data with others: `import` takes labelled records, `export` writes for other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from reelgym.commands.options import Json, Kept, Most, Videos, frame_store
from reelgym.errors import RequestError
from reelgym.terminal import Bars, print_json, say, table

if TYPE_CHECKING:
    from reelgym.data.dataset import Dataset
    from reelgym.data.media import Media
    from reelgym.video import Store


def add(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="import")(import_labels)
    app.command(name="export")(export_dataset)


def import_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON, JSON lines, Parquet or text.")],
    videos: Annotated[Path, typer.Option("--videos", help="Folder that the records' video names start from.")],
    out: Annotated[Path, typer.Option(help="The dataset folder.")],
    columns: Annotated[str, typer.Option("--map", metavar="COLUMN=FIELD,...", help="What the columns mean.")] = "",
    reader: Annotated[
        str, typer.Option("--format", help="auto, or a name from `reelgym list records`.", metavar="NAME")
    ] = "auto",
    frames: Annotated[int, typer.Option(help="Frames of a clip at most.")] = 16,
    fps: Annotated[float, typer.Option(help="Frames per second of a clip at most.")] = 2.0,
    max_pixels: Annotated[int, typer.Option(help="Largest area of a frame.")] = 128 * 28 * 28,
    test_share: Annotated[float, typer.Option(help="Share of the videos held out as test, by content.")] = 0.2,
    split: Annotated[str | None, typer.Option(metavar="train|test", help="All videos on one side instead.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores by default.")] = None,
    seconds_per_file: Annotated[float, typer.Option(help="A video that takes longer is quarantined.")] = 300.0,
    as_json: Json = False,
) -> None:
    """Labelled records to samples; every row becomes a sample or a line of quarantine. Repeat to resume.

    Example: [bold]reelgym import qa.csv --map clip=video,q=question,a=answer --videos clips/ --out qa[/bold]
    """
    from reelgym.synthesis.labelled import import_records

    with Bars() as bars:
        made = import_records(
            file,
            out,
            videos=videos,
            columns=columns,
            reader=reader,
            frames=frames,
            fps=fps,
            max_pixels=max_pixels,
            split_share=test_share,
            split=cast("Literal['train', 'test'] | None", split),
            workers=workers,
            seconds_per_file=seconds_per_file,
            progress=bars.stage("look at videos"),
        )
    if as_json:
        return print_json(made.manifest)
    say("" if made.fresh else f"{out} was finished before; nothing to do")
    table("", ("what", "count"), [(name, str(count)) for name, count in made.counts.items()])
    typer.echo(f"read as: {made.manifest['settings']['reader']}")
    typer.echo(f"digest: {made.digest}")
    typer.echo(f"next: reelgym inspect {out}")


def export_dataset(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder made by `synth` or `import`.")],
    peer: Annotated[str, typer.Option("--format", metavar="NAME", help="A name from `reelgym list formats`.")],
    out: Annotated[Path | None, typer.Option(help="The folder.", show_default="needed without --dry-run")] = None,
    quality: Annotated[
        int | None, typer.Option(help="JPEG quality, 1 to 100.", show_default="PNG, every pixel kept")
    ] = None,
    prompt: Annotated[str, typer.Option(metavar="tagged|direct", help="Instruction that ends a prompt.")] = "tagged",
    limit: Annotated[int | None, typer.Option(help="Samples at most, whole videos first.")] = None,
    root: Annotated[
        str | None, typer.Option(help="Folder that rows name frames under.", show_default="where it is written")
    ] = None,
    videos: Videos = None,
    store: Kept = None,
    store_limit: Most = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """The same samples for another framework: frames frozen as files, with a reward module. Repeat to resume.

    Example: [bold]reelgym export puzzles --format verl --out puzzles-verl[/bold]
    """
    from reelgym.synthesis.export import base, export, plan

    base.get(peer)
    if out is None and not dry_run:
        raise RequestError("no --out: name the folder to write, or ask with --dry-run what it will take")
    found, media = _opened(dataset, videos, frame_store(store, store_limit))
    planned = plan(found, media, quality=quality, limit=limit, prompt=prompt)
    if not as_json:
        table("Export" if not dry_run else "Estimate; nothing is written", ("what", "count"), planned.rows())
    if dry_run or out is None:
        return print_json(_plain(planned)) if as_json else None
    with Bars() as bars:
        made = export(
            found,
            media,
            out,
            peer=peer,
            planned=planned,
            quality=quality,
            prompt=prompt,
            limit=limit,
            root=root,
            progress=bars.stage("freeze frames"),
        )
    if as_json:
        return print_json(made.manifest)
    say("" if made.fresh else f"{out} was finished before; nothing to do")
    typer.echo(f"next: {out / 'README.md'} says how to name it to {peer}, and what {peer} changes")
    return None


def _opened(dataset: Path, videos: str | None, store: Store) -> tuple[Dataset, Media]:
    from reelgym.data.dataset import read_dataset

    found = read_dataset(dataset)
    return found, found.media(store, videos)


def _plain(planned: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(planned)
