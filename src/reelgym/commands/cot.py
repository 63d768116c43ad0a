"""The command `cot`: chains of thought written by an endpoint and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.commands.options import Json, Seed, Videos, price_of
from reelgym.errors import RequestError
from reelgym.terminal import Bars, print_json, say, table

if TYPE_CHECKING:
    from reelgym.curation.cot_run import Made


def add(app: typer.Typer) -> None:
    """Add to the command line."""
    app.command()(cot)


def cot(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder made by `synth` or `import`.")],
    endpoint: Annotated[
        str, typer.Option(metavar="URL", help="OpenAI-compatible address, such as http://host:8000/v1.")
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="The model there that writes.")],
    out: Annotated[
        Path | None, typer.Option(help="The dataset folder.", show_default="needed without --dry-run")
    ] = None,
    judge_endpoint: Annotated[
        str, typer.Option(metavar="URL", help="Where the judge is.", show_default="the same")
    ] = "",
    judge_model: Annotated[
        str, typer.Option(metavar="NAME", help="The judge, text only.", show_default="the same")
    ] = "",
    key_env: Annotated[str, typer.Option(help="Environment variable that holds the key.")] = "OPENAI_API_KEY",
    judge_key_env: Annotated[str, typer.Option(help="That of the judge.", show_default="the same")] = "",
    prompt: Annotated[
        str, typer.Option(help="tagged, videop2r, or videop2r_opened (its fixed opening words).")
    ] = "videop2r",
    metric: Annotated[str, typer.Option(help="Part of the score that is held to the threshold.")] = "auto",
    threshold: Annotated[float, typer.Option(help="Least score of an answer.")] = 0.6,
    max_tokens: Annotated[int, typer.Option(help="Cap of a chain.")] = 2048,
    leaks: Annotated[bool, typer.Option(help="Refuse observations that state the answer.")] = True,
    sufficiency: Annotated[bool, typer.Option(help="Have a judge that knows the key decide.")] = True,
    blind: Annotated[bool, typer.Option(help="Have a judge without the key answer from the observation.")] = True,
    fallback: Annotated[str, typer.Option(help="Where no verdict comes: none, text-match.")] = "none",
    split: Annotated[str, typer.Option(help="train, test or all.")] = "train",
    limit: Annotated[int, typer.Option(help="At most so many samples, whole videos first; 0 for all.")] = 0,
    in_flight: Annotated[int, typer.Option(help="Requests at a time.")] = 8,
    per_minute: Annotated[float, typer.Option(help="Requests per minute at most; 0: no limit.")] = 0.0,
    retries: Annotated[int, typer.Option(help="Further attempts of a request that failed.")] = 6,
    timeout: Annotated[float, typer.Option(help="Seconds that one attempt may take.")] = 600.0,
    media: Annotated[str, typer.Option(help="Clips as frames, or as video (vLLM's video_url).")] = "frames",
    image: Annotated[str, typer.Option(help="jpeg or png.")] = "jpeg",
    price: Annotated[
        str | None, typer.Option(metavar="IN,OUT", help="Money per million tokens read and written.")
    ] = None,
    judge_price: Annotated[
        str | None, typer.Option(metavar="IN,OUT", help="That of the judge.", show_default="the same")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate requests, tokens and money; ask nothing.")
    ] = False,
    videos: Videos = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Chains of thought by an endpoint, kept where answer, form and observation hold. Repeat to resume.

    Example: [bold]reelgym cot puzzles --endpoint http://localhost:8000/v1 --model NAME --out chains[/bold]
    """
    from reelgym.curation.cot import CotConfig
    from reelgym.curation.cot_run import estimate, write_chains
    from reelgym.data.dataset import read_dataset
    from reelgym.evaluation import ask
    from reelgym.recipes import proving
    from reelgym.rollout.chat import Endpoint, with_model

    politeness: dict[str, Any] = {"in_flight": in_flight, "per_minute": per_minute, "retries": retries}
    politeness |= {"timeout_seconds": timeout, "clips": media, "encoding": image, "price": price_of(price)}
    writer = Endpoint(url=endpoint, model=model, key_env=key_env, **politeness)
    judge = with_model(writer, judge_endpoint, judge_model, judge_key_env, price_of(judge_price))
    config = CotConfig(
        variant=prompt,
        metric=metric,
        threshold=threshold,
        max_tokens=max_tokens,
        leaks=leaks,
        sufficiency=sufficiency,
        blind=blind,
        fallback=fallback,
    )
    found = read_dataset(dataset)
    samples = ask.subset(ask.of_split(found, split), limit, seed)
    if dry_run:
        return _estimated(estimate(samples, endpoint=writer, judge=judge, config=config), as_json)
    if out is None:
        raise RequestError("cot needs --out DATASET, the folder to write; or --dry-run, which asks nothing")
    with Bars() as bars:
        made = write_chains(
            found,
            samples,
            out,
            endpoint=writer,
            judge=judge,
            config=config,
            pixels=found.media(proving.store(), videos),
            progress=bars.stage("write chains"),
        )
    return _made(made, as_json)


def _made(made: Made, as_json: bool) -> None:
    """Print yield and cost by step."""
    if as_json:
        told = {"path": str(made.path), "counts": made.counts, "steps": made.steps, "digest": made.digest}
        return print_json({**told, "fresh": made.fresh, "in_doubt": made.in_doubt, "adapted": made.adapted or {}})
    say("" if made.fresh else f"{made.path} was finished before; nothing to do")
    columns = ("step", "seen", "passed", "requests", "asked now", "tokens read", "written", "money")
    names = ("seen", "passed", "requests", "asked_now", "prompt_tokens", "completion_tokens")
    rows = [(step, *(str(row[name]) for name in names), f"{row['money']:.4f}") for step, row in made.steps.items()]
    table("", columns, rows)
    table("", ("what", "count"), [(name, str(count)) for name, count in made.counts.items()])
    for name, adapted in (made.adapted or {}).items():
        for refused, put in adapted.items():
            say(f"{name} takes no {refused}: {'sent as ' + put if put else 'left out'}")
    if made.in_doubt:
        say(f"{made.in_doubt} requests were in flight when an earlier run was killed; they may have been paid twice")
    typer.echo(f"rejects: {made.path / 'rejects.md'}")
    typer.echo(f"next: reelgym train videop2r_sft data={made.path}")


def _estimated(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(found)
    names = ("requests", "prompt_tokens", "completion_tokens", "money")
    rows = [(name, *("-" if value is None else f"{value:,}" for value in found[name])) for name in names]
    table(f"{found['samples']} samples; nothing was asked", ("estimate", "low", "likely", "high"), rows)
    return None
