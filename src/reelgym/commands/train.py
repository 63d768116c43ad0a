"""The command `train`: any recipe, SFT or RL."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json, Unsafe
from reelgym.terminal import Bars, Stage, Stop, leave_if, print_json, say, table

if TYPE_CHECKING:
    from reelgym.recipes.resolve import Resolved
    from reelgym.training.config import RLRun, SFTRun


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(train)


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A name, path.py:function, or a saved config.json.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings; --show lists them.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="tiny, tiny-qwen3, tiny-internvl, tiny-smolvlm, a hub name, a folder, a run.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Dataset folder.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/RECIPE by default.")] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print every setting and where it comes from; train nothing.")
    ] = False,
    unsafe: Unsafe = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Memory, time and disk, and 8 groups rolled out; train nothing.")
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
    say(_reason(resolved))
    if dry_run:
        from reelgym.commands.train_plan import plan

        return plan(resolved.run, as_json)
    folder = out or Path("runs", Path(recipe.rpartition(":")[2]).stem)
    _begin(resolved.run, folder, unsafe=unsafe)
    with Bars() as bars, Stop() as stop:
        progress = bars.stage(f"train {resolved.name}")
        _train(resolved.run, folder, progress, stop)
    leave_if(stop, folder)
    if not _speaks():
        return
    say("" if progress.calls else f"{folder} was finished before; nothing to do")
    _trained(folder, as_json)


def _begin(run: SFTRun | RLRun, folder: Path, *, unsafe: bool) -> None:
    """Tell what a new run will hold in memory, before anything loads, and refuse a model that is not right here.

    A run that is taken up began with one that was.
    """
    from reelgym.commands.train_plan import memory_line
    from reelgym.doctor import gate
    from reelgym.recipes import proving
    from reelgym.training import checkpoint

    if not _speaks() or checkpoint.latest(folder) is not None:
        return
    say(memory_line(run))
    if not unsafe:
        say(gate.require(run.policy, proving.cache_folder()))


def _reason(resolved: Resolved) -> str:
    """Return why the recipe has the size it has; nothing for a recipe without sizes."""
    from reelgym.recipes.sizes import choose

    if "size" not in resolved.arguments:
        return ""
    settings = resolved.run.origin.get("settings", {})
    return choose(resolved.run.policy, str(settings.get("size", "auto"))).reason


def _train(run: SFTRun | RLRun, folder: Path, progress: Stage, stop: Stop) -> None:
    """Train, telling health and rewriting the run's page on the way."""
    from reelgym.reports.live import Live
    from reelgym.training import rl, sft
    from reelgym.training.config import SFTRun

    live, done = Live(folder, run.config.steps), 0

    def stepped(step: int, total: int) -> None:
        nonlocal done
        done = step
        progress(step, total)
        if _speaks():
            live(step)

    if isinstance(run, SFTRun):
        sft.train(run, folder, stepped, should_stop=stop)
    else:
        rl.train(run, folder, stepped, should_stop=stop, tell=say if _speaks() else None)
    if done and _speaks():
        say(f"page: {live.end(done)}")


def _speaks() -> bool:
    """Return whether this is the rank that speaks for all."""
    return os.environ.get("RANK", "0") == "0"


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
