"""What `eval --measures` takes and prints: looking and reasoning measured apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.terminal import Bars, say, table

if TYPE_CHECKING:
    from reelgym.data.media import Media
    from reelgym.data.sample import Sample
    from reelgym.evaluation.results import Evaluation
    from reelgym.evaluation.speakers import Manners

Measures = Annotated[
    str,
    typer.Option(
        metavar="NAME,...", help="Of looking and reasoning: sufficiency, mismatch, observations, segments; or all."
    ),
]
Observer = Annotated[
    list[str] | None, typer.Option(metavar="MODEL", help="sufficiency: another model whose observations are read too.")
]
ThinkJudge = Annotated[
    str, typer.Option(metavar="openai:NAME@URL", help="mismatch: reads thinking that states no answer plainly.")
]
Rollouts = Annotated[int, typer.Option(help="segments: replies sampled to each sample.")]


class Looked:
    """The measures of one evaluation: asked for, taken, kept, shown; without any, all of it does nothing."""

    def __init__(self, measures: str, observer: Sequence[str] | None, judge: str, rollouts: int) -> None:
        """Take the options as given, checked before anything is loaded."""
        from reelgym.evaluation.process import NAMES, Wanted

        names = NAMES if measures == "all" else tuple(dict.fromkeys(name for name in measures.split(",") if name))
        self.wanted = Wanted(names=names, observers=tuple(observer or ()), judge=judge, rollouts=rollouts)
        self._replies: dict[str, Mapping[str, Evaluation]] = {}
        self._told: dict[str, Any] = {}
        self._more: dict[str, Evaluation] = {}

    def replied(self, model: str, found: Mapping[str, Evaluation]) -> None:
        """Note what a model replied, by the names of its evaluations."""
        if found:
            self._replies[model] = found

    def take(
        self,
        samples: Sequence[Sample],
        media: Media,
        manners: Manners,
        *,
        max_tokens: int,
        seed: int,
        settings: Mapping[str, Any],
        bars: Bars,
    ) -> None:
        """Measure, and ask what has to be asked for it."""
        from reelgym.evaluation.process import Around, measured

        how: dict[str, Any] = {"max_tokens": max_tokens, "seed": seed, "settings": settings, "stage": bars.stage}
        around = Around(samples=samples, media=media, paths=media.paths, manners=manners, **how)
        if self.wanted.names:
            self._told, self._more = measured(self.wanted, self._replies, around)

    def keep(self, folder: Path) -> None:
        """Add measures to the stored results, and put the replies they took beside them."""
        from reelgym.evaluation.process import write

        if self._told:
            write(folder, self._told, self._more)

    def show(self) -> None:
        """Print a table for each measure."""
        printed = {
            "sufficiency": _sufficiency,
            "mismatch": _mismatch,
            "observations": _observations,
            "segments": _segments,
        }
        for name, told in self._told.items():
            printed[name](told)


def _sufficiency(told: Mapping[str, Any]) -> None:
    for model, rows in told.items():
        lines = [
            (
                one["input"],
                one["writer"],
                _limits(one["score"]),
                "" if one["corrected"] is None else _limits(one["corrected"]),
                *(_share(one.get(name)) for name in ("invalid", "missing", "leaks")),
            )
            for one in rows
        ]
        columns = ("shown", "observation of", "score %", "corrected for chance %", "unreadable", "missing", "leaks")
        table(f"what {model} answers from (information sufficiency)", columns, lines)


def _mismatch(told: Mapping[str, Any]) -> None:
    counted = ("parsed", "judged", "unstated", "replies")
    lines = [
        (model, "" if one["rate"] is None else _limits(one["rate"]), *(str(one[name]) for name in counted))
        for model, one in told.items()
    ]
    table("thinking against answer", ("", "differ %", *counted), lines)
    for model, one in told.items():
        if used := one.get("judge"):
            money = "" if used["money"] is None else f", money {used['money']:.4f}"
            left = f"; the budget left {used['unread']} unread" if used["unread"] else ""
            tokens = f"{used['prompt_tokens']:,} tokens read, {used['completion_tokens']:,} written"
            say(f"{model}: the judge of thinking took {tokens}{money}{left}")


def _observations(told: Mapping[str, Any]) -> None:
    parts = ("precision", "recall", "suffices")
    lines = [
        (
            model,
            *("" if one[name] is None else _limits(one[name]) for name in parts),
            *(_share(one[name]) for name in ("missing", "leaks")),
            f"{one['known']} of {one['replies']}",
        )
        for model, one in told.items()
    ]
    table(
        "observations against known facts", ("", *(f"{name} %" for name in parts), "missing", "leaks", "known"), lines
    )
    if not any(one["known"] for one in told.values()):
        say(
            "no facts are known of these videos: observations are held to facts on rendered videos and on options alone"
        )


def _segments(told: Mapping[str, Any]) -> None:
    lines = []
    for model, one in told.items():
        for name in (key for key, value in one.items() if isinstance(value, dict)):
            part = one[name]
            cells = (
                "" if part[key] is None else _plain(part[key]) for key in ("reward", "accuracy", "format", "tokens")
            )
            lines.append((model, name, *cells, _share(part["there"]), _share(part["zero_variance"])))
    columns = ("", "segment", "reward", "accuracy", "format", "tokens", "there", "groups of equal reward")
    table("segments of sampled replies", columns, lines)


def _limits(one: Mapping[str, Any]) -> str:
    return _pair(one, 100.0, 1)


def _plain(one: Mapping[str, Any]) -> str:
    return _pair(one, 1.0, 2)


def _pair(one: Mapping[str, Any], scale: float, digits: int) -> str:
    shown = f"{scale * one['mean']:.{digits}f}"
    if one["low"] is None:
        return shown
    return f"{shown} ({scale * one['low']:.{digits}f} to {scale * one['high']:.{digits}f})"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
