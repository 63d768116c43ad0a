"""One before/after experiment in one flat JSON object: what `demo.json` holds and what other seeds are listed by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelgym.evaluation.compare import compare
from reelgym.evaluation.results import Evaluation

PARTS = ("exact", "selection", "order")


def summarise(
    before: Evaluation,
    after: Evaluation,
    *,
    blind_before: Evaluation,
    blind_after: Evaluation,
    floors: Mapping[str, Evaluation],
    level: float = 0.95,
    blind_level: float = 0.99,
) -> dict[str, Any]:
    """Return before, after and their paired difference beside chance, the blind probe and the floors, as JSON values.

    Args:
        before: The untouched model under its better prompt.
        after: The trained one on the same samples.
        blind_before: `before` shown grey frames.
        blind_after: `after` shown grey frames.
        floors: By name, such as `order_by_similarity`; each becomes a key with its score.
        level: Of `interval` and `valid_interval`, those of the paired difference (over all rows, and over those
            readable both times).
        blind_level: Of `blind_interval`, that of `blind_after`.

    Raises:
        RequestError: The evaluations do not cover the same samples.
    """
    paired = compare(before, after, level=level)
    difference, valid, blind = paired.differences["value"], paired.valid_both, blind_after.mean(level=blind_level)
    return {
        "before": before.mean().mean,
        "after": after.mean().mean,
        "difference": difference.mean,
        "interval": _limits(difference.to_json()),
        "valid_difference": None if valid is None else valid.mean,
        "valid_interval": None if valid is None else _limits(valid.to_json()),
        "chance": after.chance(),
        "blind_before": blind_before.mean().mean,
        "blind_after": blind.mean,
        "blind_interval": _limits(blind.to_json()),
        "invalid_before": before.mean("invalid").mean,
        "invalid_after": after.mean("invalid").mean,
        "cut_off_before": before.mean("cut_off").mean,
        "cut_off_after": after.mean("cut_off").mean,
        **{part: _part(before, after, part) for part in PARTS if part in after.parts()},
        **{name: floor.mean().mean for name, floor in floors.items()},
        "puzzles": len(after),
        "videos": len(set(after.clusters)),
    }


def _part(before: Evaluation, after: Evaluation, part: str) -> dict[str, float | None]:
    corrected = [one.corrected(part) for one in (before, after)]
    return {
        "before": before.mean(part).mean,
        "after": after.mean(part).mean,
        "chance": after.chance(part),
        "corrected_before": None if corrected[0] is None else corrected[0].mean,
        "corrected_after": None if corrected[1] is None else corrected[1].mean,
    }


def _limits(interval: Mapping[str, Any]) -> list[float | None]:
    return [interval["low"], interval["high"]]
