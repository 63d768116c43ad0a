"""What scores beside chance, probes and floors say, a sentence each, and no more than their intervals allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reelgym.evaluation.decision import Decision
from reelgym.evaluation.probed import pairs, probes_of
from reelgym.evaluation.results import Evaluation
from reelgym.reports import build, naming
from reelgym.reports.svg import percent, signed, spoken
from reelgym.scoring.statistics import paired_difference

NOTHING_TAKEN = ("option_rotation", "evidence_only")
"""Probes under which a model that looks should score as before."""


def readings(stored: Mapping[str, Evaluation], lead: str, found: Decision) -> Iterator[str]:
    """Yield what the picture says of the leading model, a sentence each: chance, probes, floors, unreadable replies."""
    one = stored[lead]
    model, chance, score = naming.short(one.model), one.chance(), one.mean()
    if chance is not None and score.limits:
        above = "is surely better than guessing"
        verdict = above if score.above(chance) else "cannot be told from guessing"
        verdict = "is surely worse than guessing" if score.high < chance else verdict
        yield f"{model} {verdict}: {spoken(build.sure(score))} beside {percent(chance)}."
    for probe in probes_of(lead, stored).values():
        yield _against_probe(one, probe)
    low = {name: each for name, each in stored.items() if naming.is_floor(each) and not each.settings.get("fitted")}
    if low:
        best = max(low, key=lambda name: low[name].mean().mean)
        where = (
            ""
            if len(low[best]) == len(one)
            else f" on the {len(low[best]):,} question{'s' * (len(low[best]) != 1)} that it can answer"
        )
        yield f"The best floor, {naming.short(low[best].model)}, scores {percent(low[best].mean().mean)}{where}."
    if unread := one.mean("invalid").mean:
        yield f"{percent(unread)} of the replies of {model} could not be read; they count as wrong."
    if found.detectable is not None:
        yield (
            f"This set shows a difference between two models of {percent(found.detectable)} and more in four of five "
            "repetitions; smaller ones are likely to be missed."
        )
    if cut := [naming.short(line.model) for line in found.lines if line.partial]:
        yield f"Partial results are tested against none: {', '.join(cut)}."
    if (at := found.note.find("not tested: the evaluations")) >= 0:
        yield f"N{found.note[at + 1 :]}."


def _against_probe(plain: Evaluation, probe: Evaluation) -> str:
    """Return what a probe took away from the score, paired by question."""
    said = "Without the video (blind)" if probe.probe == "blind" else f"With {naming.probe(probe.probe)}"
    shared = pairs(plain, probe)
    where = "" if len(shared) == len(plain) else f" on the {len(shared):,} questions that it has a meaning for"
    beside = f"{said} it scores {percent(probe.mean().mean)}{where}"
    if not shared:
        return f"{beside}."
    before, after = [row.value for row, _ in shared], [row.value for _, row in shared]
    lost = paired_difference(after, before, [row.source for row, _ in shared])
    if lost.limits is None:
        return f"{beside}; all questions are about one video, so there is no interval."
    limits = f"{signed(lost.low)} to {signed(lost.high)}"
    if lost.low > 0:
        less = f"{100 * lost.mean:.1f} points less ({100 * lost.low:.1f} to {100 * lost.high:.1f})"
        why = "so it depends on that" if probe.probe in NOTHING_TAKEN else "so the score rests on what was taken away"
        return f"{beside}: {less}, {why}."
    if lost.high < 0:
        return f"{beside}: more than without that (by {signed(-lost.high)} to {signed(-lost.low)} points)."
    return f"{beside}, which cannot be told from the plain score (a difference of {limits} points)."
