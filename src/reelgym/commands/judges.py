"""The command `judges`: how judges of observations agree with what is known of rendered scenes."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json
from reelgym.terminal import Bars, print_json, table

if TYPE_CHECKING:
    from reelgym.evaluation.speakers import Manners
    from reelgym.judges import Agreement
    from reelgym.rewards import Judge


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(judges)


def judges(
    judge: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="openai:NAME@URL, or what reads as a frozen reader: a model or a run."),
    ] = None,
    blind: Annotated[bool, typer.Option(help="Endpoints judge without the right answer.")] = False,
    scenes: Annotated[int, typer.Option(min=4, help="Scenes; a quarter is asked about.")] = 200,
    key_env: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]VARIABLE", help="What holds an endpoint's key.")
    ] = None,
    in_flight: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 8,
    out: Annotated[Path, typer.Option(help="Keeps endpoints' replies: none is paid twice.")] = Path("judges"),
    as_json: Json = False,
) -> None:
    """How judges agree with the facts: accuracy, kappa and confusion on observations spoilt in known ways.

    Example: [bold]reelgym judges --judge tiny --judge openai:m@http://localhost:8000/v1[/bold]
    """
    from reelgym.evaluation.speakers import ENDPOINT, Manners
    from reelgym.lab.judges import agreements

    manners = Manners(folder=out, key_env=key_env or (), in_flight=in_flight)
    asked: dict[str, Judge] = {}
    with ExitStack() as held, Bars() as bars:
        for name in dict.fromkeys(judge or ()):
            if name.startswith(ENDPOINT):
                asked[name] = _endpoint(name, manners, held, blind=blind)
            else:
                asked[f"frozen reader: {name}"] = _reader(name)
        own = any(not name.startswith(ENDPOINT) for name in judge or ())
        found = agreements(asked, scenes=scenes, own=own, progress=bars.stage)
    if as_json:
        return print_json({title: [one.to_json() for one in of] for title, of in found.items()})
    for title, of in found.items():
        _show(title, of)


def _endpoint(name: str, manners: Manners, held: ExitStack, *, blind: bool) -> Judge:
    from reelgym.evaluation.speakers import endpoint_of, journal_of
    from reelgym.judges import EndpointJudge
    from reelgym.rollout.chat import Chat
    from reelgym.rollout.paid import Journal

    endpoint = endpoint_of(name, manners)
    journal = held.enter_context(Journal(journal_of(name, manners.folder)))
    return EndpointJudge(Chat(endpoint, journal), blind=blind)


def _reader(name: str) -> Judge:
    from reelgym import models
    from reelgym.judges import FrozenReader

    policy = models.load(name)
    return FrozenReader(lambda: nullcontext(policy), max_tokens=64)


def _show(title: str, found: list[Agreement]) -> None:
    """Print one table."""
    first = found[0]
    rows = []
    for one in found:
        shares = ("-" if value is None else f"{value:.2f}" for value in (one.accuracy, one.kappa))
        counts = (one.right_yes, one.wrong_yes, one.right_no, one.wrong_no, one.silent)
        rows.append((one.judge, *shares, *map(str, counts)))
    columns = ("judge", "accuracy", "kappa", "yes, right", "yes, wrong", "no, right", "no, wrong", "no verdict")
    enough = first.right_yes + first.wrong_no
    table(f"{title}: {first.rows + first.silent} observations, {enough} of them suffice", columns, rows)
