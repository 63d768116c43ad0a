"""The command `publish`: a run as a folder to give away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reelgym.commands.options import Json
from reelgym.errors import RequestError
from reelgym.terminal import print_json, say


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(publish)


def publish(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run (its best checkpoint) or RUN@step-N.")],
    out: Annotated[Path, typer.Option(help="The folder to write; new or empty.")],
    evaluation: Annotated[
        list[Path] | None, typer.Option("--eval", metavar="EVAL", help="Folders of `eval` for the card, in order.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the base model, where its files do not tell.")] = "",
    push: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Upload to the Hugging Face hub, private.")] = "",
    public: Annotated[bool, typer.Option("--public", help="With --push: for everyone to see.")] = False,
    as_json: Json = False,
) -> None:
    """A run as a folder that stock transformers serves: adapters folded in, bf16, checked, with a model card.

    Nothing leaves this machine without --push.

    Example: [bold]reelgym publish runs/mvp --out my-model --eval evals/before --eval evals/after[/bold]
    """
    from reelgym.publishing import card, folder, hub

    if public and not push:
        raise RequestError("--public has no effect without --push: give both, or neither")
    if push and not (licence or card.licence_of(folder.base_of(run))):
        raise RequestError("the base model's licence is not known here: look it up and give it with --licence")
    made = folder.publish(run, out, say=say)
    path = card.write(made, Path(run.partition("@")[0]), licence=licence, evaluations=evaluation or ())
    address = hub.push(out, push, public=public) if push else ""
    if as_json:
        return print_json(
            {
                "folder": str(out),
                "card": str(path),
                "base": made.base,
                "checkpoint": str(made.checkpoint),
                "differences": {"merging": made.merging, "rounding": made.rounding, "stock": made.stock},
                "ordinary_questions": {
                    "before": made.before and made.before.told(),
                    "after": made.after.told(),
                },
                "pushed": address,
            }
        )
    if made.merging is not None:
        typer.echo(f"adapter folded into {made.layers} layers: log-probs at most {made.merging:.1e} apart")
    typer.echo(f"16 bits: {made.rounding:.1e} apart; stock transformers on the folder: {made.stock:.1e} apart")
    before = made.before.told() if made.before else "not at hand"
    typer.echo(f"ordinary questions right: base {before}, this model {made.after.told()}")
    typer.echo(f"folder: {out}\ncard: {path}" + (f"\npushed: {address}" if address else ""))
    return typer.echo(f"next: reelgym doctor --model {out}")
