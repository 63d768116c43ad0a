"""The commands that make datasets of raw video: `synth` and `merge`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.commands.options import Json, Most, Seed, bytes_of
from reelgym.errors import RequestError
from reelgym.terminal import Bars, print_json, say, table

if TYPE_CHECKING:
    from reelgym.synthesis import Manifest


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(synth)
    app.command()(merge)


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
    size: Annotated[
        str | None, typer.Option(help="tiny, 3b-24gb, 7b-80gb, paper: mvp's settings for `train mvp size=...`.")
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
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Frame store to fill on the way; none by default.")
    ] = None,
    store_limit: Most = None,
    test_share: Annotated[float, typer.Option(help="Share of the videos held out as test, by content.")] = 0.2,
    holdout: Annotated[
        int | None, typer.Option(metavar="N", help="Hold out so many videos instead; for few videos.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Video files to verified samples; repeat the command to resume it.

    Example: [bold]reelgym synth videos/ --out puzzles --fps auto --task mvp=3,jigsaw=1[/bold]
    """
    from reelgym.synthesis import estimate, synthesize

    wanted: dict[str, Any] = {
        "task": task,
        "config": task_settings(task, [*_sized(size, task, settings or []), *(settings or [])]),
        "fps": _rate(fps),
        **{"per_video": per_video, "seed": seed, "split_share": test_share, "holdout": holdout},
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
    kept = _kept(store, store_limit)
    with Bars() as bars:
        stage = bars.stage("cut puzzles")
        made = synthesize(
            inputs, out, engine=engine, **wanted, **kept, progress=stage, report=lambda tally: stage.note(tally.words())
        )
    _made(made, as_json)


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


def _kept(store: Path | None, limit: str | None) -> dict[str, Any]:
    """Return the frame store that is filled on the way, and its bound."""
    if store is None and limit is not None:
        raise RequestError("--store-limit bounds the store that is filled: name it with --store DIR")
    return {"store": store, "store_limit": bytes_of(limit)}


def _sized(size: str | None, task: str, settings: Sequence[str]) -> list[str]:
    """Return what the puzzles of a size differ in from mvp's own, as `KEY=VALUE`; what is set stays as it is set."""
    if size is None:
        return []
    from dataclasses import fields

    from reelgym.errors import unknown
    from reelgym.recipes.mvp import PUZZLES
    from reelgym.tasks.mvp import MVPConfig

    if size not in PUZZLES:
        raise unknown("size", size, PUZZLES)
    if task != "mvp":
        raise RequestError(f"--size {size} is for --task mvp, not {task}: give its settings with --set")
    plain, wanted = MVPConfig(), PUZZLES[size]
    given = {item.partition("=")[0].removeprefix("mvp.") for item in settings}
    changed = {one.name: getattr(wanted, one.name) for one in fields(MVPConfig)}
    differing = {name: value for name, value in changed.items() if value != getattr(plain, name)}
    return [f"{name}={value}" for name, value in differing.items() if name not in given]


def _rate(fps: str | None) -> Any:
    if fps in (None, "auto"):
        return fps
    from reelgym.recipes.values import parse

    return parse("--fps", fps, float)


def task_settings(task: str, settings: Sequence[str]) -> dict[str, Any]:
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
    say(_one_sided(made))
    typer.echo(f"digest: {made.digest}")
    shard = made.manifest["settings"]["shard"]
    if shard is not None:
        return typer.echo(f"next: the other shards, then reelgym merge {made.path} ... --out DATASET")
    return typer.echo(f"next: reelgym inspect {made.path}")


def _one_sided(made: Manifest) -> str:
    """Return what to do where chance put all videos on one side; nothing where they lie on both, or were to."""
    settings = made.manifest["settings"]
    asked = settings["split"] is not None or settings["shard"] is not None or settings["split_share"] in (0, 1)
    empty = [name for name in ("train", "test") if not made.counts[name]]
    if asked or not empty:
        return ""
    remedy = "give --holdout 1 and another --out" if made.counts["sources"] > 1 else "give more videos"
    return (
        f"no video fell to {empty[0]}, of {made.counts['sources']}: to have some to train on and some to test, {remedy}"
    )


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
