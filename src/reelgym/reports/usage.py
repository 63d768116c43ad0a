"""What asking took: frames, turns, tokens and seconds of every evaluation, from its stored rows."""

from __future__ import annotations

from collections.abc import Mapping

from reelgym.evaluation.results import Evaluation
from reelgym.reports.build import words
from reelgym.reports.payload import Table

COLUMNS = ("", "Questions", "Frames", "Turns", "Tokens read", "Written", "Seconds", "Seconds each")


def usage_table(evaluations: Mapping[str, Evaluation], names: Mapping[str, str] | None = None) -> Table | None:
    """Return sums over the questions of each evaluation that a model was asked; None where there is no such.

    `names` are what the evaluations go by on a page. A figure that nobody measured stays empty: stored replies have no
    seconds, and some endpoints count no tokens. Money, and what a judge took, have columns where there is any.
    """
    asked = {label: (one, one.usage()) for label, one in evaluations.items() if one.variant != "none"}
    priced = any(used["money"] is not None for _, used in asked.values())
    judged = any("judge" in used for _, used in asked.values())
    judge_priced = any(used.get("judge", {}).get("money") is not None for _, used in asked.values())
    rows = []
    for label, (one, used) in asked.items():
        sums = [used[name] for name in ("frames", "turns", "prompt_tokens", "completion_tokens")]
        seconds = (f"{one.seconds:.1f}", f"{one.seconds / len(one):.3f}") if one.seconds else ("", "")
        cells = [*map(_count, sums), *seconds, *([_money(used["money"])] if priced else ())]
        judge = used.get("judge", {})
        cells += [_count(judge.get(name, 0)) for name in ("prompt_tokens", "completion_tokens")] if judged else []
        cells += [_money(judge.get("money"))] if judge_priced else []
        rows.append((words(label) if names is None else names[label], str(len(one)), *cells))
    more = (*(("Money",) if priced else ()), *(("Judge read", "Judge wrote") if judged else ()))
    columns = (*COLUMNS, *more, *(("Judge's money",) if judge_priced else ()))
    return Table(title="What it took", columns=columns, rows=tuple(rows)) if rows else None


def _count(value: int) -> str:
    return f"{value:,}" if value else ""


def _money(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
