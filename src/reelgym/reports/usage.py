"""What asking took: frames, turns, tokens and seconds of every evaluation, from its stored rows."""

from __future__ import annotations

from collections.abc import Mapping

from reelgym.evaluation.results import Evaluation
from reelgym.reports.build import words
from reelgym.reports.payload import Table

COLUMNS = ("", "Questions", "Frames", "Turns", "Tokens read", "Written", "Seconds", "Seconds a question")


def usage_table(evaluations: Mapping[str, Evaluation], names: Mapping[str, str] | None = None) -> Table | None:
    """Return sums over the questions of each evaluation that a model was asked; None where there is no such.

    `names` are what the evaluations go by on a page. A figure that nobody measured stays empty: stored replies have no
    seconds, and some endpoints count no tokens.
    """
    asked = {label: one for label, one in evaluations.items() if one.variant != "none"}
    rows = []
    for label, one in asked.items():
        used = one.usage()
        sums = [used[name] for name in ("frames", "turns", "prompt_tokens", "completion_tokens")]
        seconds = (f"{one.seconds:.1f}", f"{one.seconds / len(one):.3f}") if one.seconds else ("", "")
        name = words(label) if names is None else names[label]
        rows.append((name, str(len(one)), *(f"{value:,}" if value else "" for value in sums), *seconds))
    return Table(title="What it took", columns=COLUMNS, rows=tuple(rows)) if rows else None
