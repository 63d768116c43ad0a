"""The command `ask`: one question about one video, put to any models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelgym.commands.options import Json, Unsafe
from reelgym.terminal import print_json, say

if TYPE_CHECKING:
    from reelgym.evaluation.asking import Answered

COLOURS = {"observation": "cyan", "think": "yellow", "answer": "green"}


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(ask)


def ask(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video file.")],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In your own words.")],
    model: Annotated[list[str], typer.Option("--model", help="As for eval; several are asked one after the other.")],
    frames: Annotated[int, typer.Option(help="Frames shown at most, in the middle of equal parts.")] = 16,
    start: Annotated[float, typer.Option(help="Second at which the part shown begins.")] = 0.0,
    stop: Annotated[float, typer.Option(help="Second at which it ends; 0 for the end of the video.")] = 0.0,
    side: Annotated[int, typer.Option(help="A frame has at most the area of a square of this side in pixels.")] = 316,
    prompt: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="none, direct, reasoned, tagged, videop2r, videop2r_opened; auto: a run's own."
        ),
    ] = "auto",
    max_tokens: Annotated[int, typer.Option(help="Cap of a reply.")] = 512,
    key_env: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]VARIABLE", help="Environment variable of an endpoint's key.")
    ] = None,
    unsafe: Unsafe = False,
    as_json: Json = False,
) -> None:
    """One question about one video: the reply, what it is read as, and the frames that were shown.

    Example: [bold]reelgym ask clip.mp4 "What happens after the jump?" --model runs/mvp --model tiny[/bold]
    """
    from reelgym.doctor import gate
    from reelgym.evaluation import asking, speakers
    from reelgym.evaluation.ask import prompts
    from reelgym.recipes import proving

    span = (start, stop or float("inf")) if start or stop else None
    found: list[Answered] = []
    for name in model:
        manners = speakers.Manners(folder=Path(), key_env=key_env or ())
        say("" if unsafe else gate.require(name, proving.cache_folder(), manners=manners))
        variant = "" if prompt == "none" else prompts(prompt, name)[0]
        shown = asking.shown(
            video,
            question,
            proving.store(),
            variant=variant,
            frames=frames,
            span=span,
            max_pixels=side * side,
        )
        one = asking.answered(shown, name, max_tokens=max_tokens, key_env=key_env or ())
        found.append(one)
        if not as_json:
            _print(one, variant)
    times = [round(second, 2) for second in shown.times]
    if as_json:
        return print_json(
            {
                "video": str(video),
                "question": question,
                "frames": times,
                "size": list(shown.size),
                "duration_seconds": shown.duration_seconds,
                "replies": [
                    {"model": one.model, "reply": one.said.text, "segments": one.segments, "answer": one.answer}
                    | {"tokens": one.said.tokens, "stop": one.said.stop, "outcome": one.said.outcome}
                    for one in found
                ],
            }
        )
    height, width = shown.size
    where = ", ".join(f"{second:g}" for second in times)
    return typer.echo(
        f"shown: {len(times)} frames of {height} x {width} out of {shown.duration_seconds:.1f} s, at seconds {where}"
    )


def _print(one: Answered, variant: str) -> None:
    """Print a reply, its parts in colours on a terminal, and what it is read as."""
    typer.echo(f"{one.model} (prompt {variant or 'none'}):")
    for name, text in one.segments:
        label = f"[{name}] " if name else ""
        if text.strip():
            typer.echo("  " + typer.style(label + " ".join(text.split()), fg=COLOURS.get(name)))
    if not one.said.text.strip():
        typer.echo(f"  (nothing: {one.said.outcome or one.said.stop} {one.said.reason})".rstrip())
    cut = ", cut off at the cap" if one.said.stop == "length" else ""
    answer = "no single answer" if one.answer is None else repr(one.answer)
    typer.echo(f"  read as: {answer}; {one.said.tokens} tokens{cut}")
