"""Which model to take: scores beside what tells them apart, what was refused, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reelgym.errors import RequestError
from reelgym.evaluation.probed import probes_of
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.versus import Pair, versus
from reelgym.scoring.statistics import Interval


@dataclass(frozen=True, kw_only=True)
class Line:
    """One model.

    Attributes:
        name: Of its best plain result.
        model: What was asked.
        score: With its video-clustered interval.
        blind: Its score with grey frames under the same prompt; None where it was not asked so.
        alike: Names of the others that it cannot be told apart from.
        tested: Whether it was tested against any.
        outcomes: Questions by what became of asking.
        questions: How many were asked.
        seconds: Wall clock of asking them all.
        prompt_tokens: Read, as an endpoint counts them.
        completion_tokens: Written.
        money: By the price given; None without one.
        partial: What is missing; empty where nothing is.
    """

    name: str
    model: str
    score: Interval
    blind: float | None
    alike: tuple[str, ...]
    tested: bool
    outcomes: Mapping[str, int]
    questions: int
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    money: float | None
    partial: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Several models on one set.

    Attributes:
        lines: Best first.
        pairs: Every pair of those without gaps.
        detectable: The difference that this set shows in four of five repetitions between whichever two of them; None
            where nothing could be paired, or with one video.
        note: Why some were not tested; empty where all were.
    """

    lines: tuple[Line, ...]
    pairs: tuple[Pair, ...]
    detectable: float | None
    note: str = ""


def decide(evaluations: Mapping[str, Evaluation], *, seed: int = 0) -> Decision:
    """Return the decision between models, each by its best plain result; partial results are shown and not tested.

    Prompts may differ, as each model's better one counts; everything else must be alike.

    Args:
        evaluations: By name, floors and probes among them.
        seed: Of the tests.
    """
    chosen = best(evaluations)
    whole = {name: one for name, one in chosen.items() if not one.settings.get("partial")}
    cut = [name for name in chosen if name not in whole]
    notes = [f"partial and not tested: {', '.join(cut)}"] if cut else []
    pairs: list[Pair] = []
    if len(whole) > 1:
        try:
            pairs = versus(whole, allow=("prompt",), seed=seed)
        except RequestError as error:
            notes.append(f"not tested: {error}")
    stated = [pair.detectable for pair in pairs if pair.detectable is not None]
    lines = [_line(name, one, evaluations, pairs) for name, one in chosen.items()]
    return Decision(
        lines=tuple(sorted(lines, key=lambda line: -line.score.mean)),
        pairs=tuple(pairs),
        detectable=max(stated, default=None),
        note="; ".join(notes),
    )


def best(evaluations: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    """Return of every model its plain result that scores highest, by name; floors are no models."""
    found: dict[str, str] = {}
    for name, one in evaluations.items():
        if one.probe is not None or one.variant == "none":
            continue
        if one.model not in found or one.mean().mean > evaluations[found[one.model]].mean().mean:
            found[one.model] = name
    return {name: evaluations[name] for name in found.values()}


def _line(name: str, one: Evaluation, evaluations: Mapping[str, Evaluation], pairs: list[Pair]) -> Line:
    mine = [pair for pair in pairs if name in (pair.first, pair.second)]
    same = [pair for pair in mine if pair.p_holm >= 0.05]
    blind = [other for other in probes_of(name, evaluations).values() if other.probe == "blind"]
    used = one.usage()
    return Line(
        name=name,
        model=one.model,
        score=one.mean(),
        blind=blind[0].mean().mean if blind else None,
        alike=tuple(pair.second if pair.first == name else pair.first for pair in same),
        tested=bool(mine),
        outcomes=used["outcomes"],
        questions=len(one),
        seconds=one.seconds,
        prompt_tokens=used["prompt_tokens"],
        completion_tokens=used["completion_tokens"],
        money=used["money"],
        partial=str(one.settings.get("partial") or ""),
    )
