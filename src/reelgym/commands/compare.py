"""The command `compare`: stored evaluations side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json, Seed
from reelgym.errors import RequestError
from reelgym.terminal import print_json, table

if TYPE_CHECKING:
    from reelgym.evaluation.results import Evaluation


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(compare)


def compare(
    evaluations: Annotated[
        list[str],
        typer.Argument(metavar="EVAL[:NAME]...", help="Folders of `reelgym eval`; NAME is one of its results."),
    ],
    allow: Annotated[
        str, typer.Option(metavar="SETTING,...", help="What may differ: prompt, max_tokens, dataset, split, limit, ...")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="The page; comparisons/A-B.html by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="The dataset, if it has moved.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Stored evaluations side by side: every pair with its interval and its test, and one page.

    Example: [bold]reelgym compare evals/before evals/after[/bold]
    """
    from reelgym.evaluation.versus import SETTINGS, versus
    from reelgym.reports.report import compared

    allowed = [name for name in allow.split(",") if name]
    for name in allowed:
        if name not in SETTINGS:
            raise RequestError(f"--allow {name}: it is one of {', '.join(SETTINGS)}")
    chosen, beside = _chosen(evaluations)
    pairs = versus(chosen, allow=allowed, seed=seed)
    page = compared(chosen, pairs, out or _place(evaluations), beside=beside, dataset=data)
    if as_json:
        scores = {name: one.mean().to_json() for name, one in chosen.items()}
        return print_json({"scores": scores, "pairs": [pair.to_json() for pair in pairs]})

    from reelgym.reports.build import evaluation_table

    shown = evaluation_table(f"{len(next(iter(chosen.values())))} questions", chosen)
    table(shown.title, shown.columns, shown.rows)
    columns = ("pair", "difference", "95% interval", "p", "p, corrected", "detectable", "")
    rows = []
    for pair in pairs:
        limits = "none" if pair.difference.limits is None else "{:+.3f} to {:+.3f}".format(*pair.difference.limits)
        least = "" if pair.detectable is None else f"{pair.detectable:.3f}"
        numbers = (f"{pair.difference.mean:+.3f}", limits, f"{pair.p:.4f}", f"{pair.p_holm:.4f}", least)
        rows.append((f"{pair.second} - {pair.first}", *numbers, pair.verdict))
    table("Pairs: permutation test over videos, Holm's correction", columns, rows)
    return typer.echo(f"page: {page}")


def _place(given: list[str]) -> Path:
    """Return where a comparison's page lies unless it is said: named after the folders."""
    name = "-".join(Path(text.partition(":")[0]).resolve().name for text in given)[:100]
    return Path("comparisons", f"{name}.html")


def _chosen(given: list[str]) -> tuple[dict[str, Evaluation], dict[str, Evaluation]]:
    """Return the named results, and the probes and floors beside them.

    Of a folder without a name, it is the plain result of each model that scores highest.
    """
    from reelgym.evaluation import results
    from reelgym.evaluation.decision import best

    found: dict[str, Evaluation] = {}
    beside: dict[str, Evaluation] = {}
    labels: dict[str, str] = {}
    for text in given:
        path, _, name = text.rpartition(":") if not Path(text).is_dir() else (text, "", "")
        stored = results.read(path or text)
        if name and name not in stored:
            raise RequestError(f"{path} holds no result {name!r}; it holds {', '.join(stored)}")
        folder = Path(path or text).name
        taken = {name: stored[name]} if name else best(stored)
        # Of two folders of one name, the second goes by its path, with what belongs to it.
        label = folder if labels.setdefault(folder, path or text) == (path or text) else path or text
        found |= {f"{label}:{key}": one for key, one in taken.items()}
        beside |= {f"{label}:{key}": one for key, one in stored.items() if one.variant == "none" or one.probe}
    return found, _meant(found, beside)


def _meant(found: dict[str, Evaluation], beside: dict[str, Evaluation]) -> dict[str, Evaluation]:
    """Return the probes of what is compared, as far as it can be said whose they are, and one of each floor."""
    from reelgym.evaluation.probed import plain_of

    floors = {one.model: key for key, one in reversed(beside.items()) if one.variant == "none"}
    known = found | beside
    return {
        key: one
        for key, one in beside.items()
        if key not in found and (key in floors.values() or (one.probe and plain_of(key, known)))
    }
