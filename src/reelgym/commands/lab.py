"""The command `lab`: recipes at equal compute, several seeds, on the embedded world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reelgym.commands.options import Json
from reelgym.commands.train_plan import clock
from reelgym.terminal import Bars, Stage, Stop, leave_if, print_json, table


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(lab)


def lab(
    recipes: Annotated[
        list[str], typer.Argument(metavar="RECIPE...", help="NAME, or NAME:key=value,key=value; path.py:function.")
    ],
    seeds: Annotated[int, typer.Option(min=0, help="Seeds of every recipe; 3, or 2 with --quick.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few updates and videos: large differences only.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of all that is made; the page is index.html in it.")] = Path(
        "reelgym-lab"
    ),
    start: Annotated[str, typer.Option(help="What all recipes start from: as `--model` of eval.")] = "tiny",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained, what differs, how long; train nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Recipes trained at equal compute under several seeds, with controls, intervals and one page.

    Repeat the command to resume, with more --seeds to add some.
    Example: [bold]reelgym lab mvp process_mvp process_mvp:separation=none --out lab[/bold]
    """
    from reelgym.commands.train_plan import rehearsal
    from reelgym.lab import Settings, run
    from reelgym.lab.run import plan

    chosen = Settings.quick(seeds=seeds or 2, start=start) if quick else Settings(seeds=seeds or 3, start=start)
    if dry_run:
        with Bars() as bars:
            found = plan(
                recipes, out, chosen, rehearse=lambda name, one: rehearsal(one, bars.stage(f"roll out {name}"))
            )
        return _plan(found, as_json)
    with Bars() as bars, Stop() as stop:

        def stage(name: str) -> Stage:
            stop.new_stage()
            return bars.stage(name)

        found = run(recipes, out, settings=chosen, progress=stage, should_stop=stop)
    leave_if(stop, out)
    if as_json:
        return print_json(found)
    _show(found)
    typer.echo(f"page: {out / 'index.html'}")


def _plan(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(found)
    differing, each = found.pop("differing"), found.pop("seconds_each")
    seconds, peak = found.pop("seconds"), found.pop("peak_bytes")
    table("what would be done", ("", ""), [(name.replace("_", " "), str(value)) for name, value in found.items()])
    rows = [(name, clock(one)) for name, one in each.items()]
    rows.append(("all seeds; evaluations, readers and judges come on top", clock(seconds)))
    table("time, from a few groups of each run", ("", ""), rows)
    table("", (), [("memory at its peak, from shapes", f"{peak / 2**30:.2f} GiB")])
    if differing:
        table("settings that differ", ("",) * len(differing[0]), differing)


def _show(found: dict[str, Any]) -> None:
    """Print scores, paired differences and what was spent."""
    for name, end in found["endpoints"].items():
        scores = [(arm, _share(one["mean"]), _limits(one)) for arm, one in end["scores"].items()]
        table(name, ("", "score %", "95%"), scores)
        pairs = [
            (f"{one['second']} - {one['first']}", _share(one["mean"]), _limits(one), one["verdict"])
            for one in end["pairs"]
        ]
        table("", ("paired, points", "difference", "95%", "verdict"), pairs)
        if not end["sees"]:
            typer.echo(f"{name}: this budget cannot see differences; the controls are not told apart")
        if end["detectable"] is not None:
            typer.echo(f"{name}: smallest detectable difference {_share(end['detectable'])} points")
    rows = [
        (name, f"{one['generated']:,.0f}", f"{one['judged']:,.0f}", f"{one['seconds']:,.0f}")
        for name, one in found["spent"].items()
    ]
    table("spent by each run", ("", "tokens generated", "by reader or judge", "seconds"), rows)


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _limits(one: dict[str, Any]) -> str:
    return "" if one["low"] is None else f"{_share(one['low'])} to {_share(one['high'])}"
