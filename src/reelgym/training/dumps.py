"""What a refused step was made of, kept for inspection: plain JSON, a few files at most."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reelgym.training.credit import Credit

MOST = 12
"""Files kept per run; the oldest go first."""


def write(run: Path, step: int, rank: int, facts: Mapping[str, Any]) -> Path:
    """Write `RUN/dumps/step-STEP-RANK[-N].json`: numbers that are not finite become their names."""
    folder = run / "dumps"
    folder.mkdir(exist_ok=True)
    name = f"step-{step:06d}-{rank:04d}"
    path = folder / f"{name}-{len(list(folder.glob(f'{name}-*.json')))}.json"
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(_plain(facts), indent=1, allow_nan=False), encoding="utf-8")
    partial.replace(path)
    for old in sorted(folder.glob(f"step-*-{rank:04d}-*.json"))[:-MOST]:
        old.unlink()
    return path


def groups(credits: Sequence[Credit]) -> list[dict[str, Any]]:
    """Return what the loss read of groups: tokens, log-probs of sampling, credit, scores."""
    found: list[dict[str, Any]] = []
    for credit in credits:
        members = [
            {
                "text": member.final.text,
                "stop": member.final.stop,
                "ids": member.final.ids.tolist(),
                "logprobs": member.final.logprobs.tolist(),
                "advantages": credit.advantages[row, : len(member.final.ids)].tolist(),
                "trained": credit.mask[row, : len(member.final.ids)].tolist(),
            }
            for row, member in enumerate(credit.rollout.group.trajectories)
        ]
        scores = {label: value.tolist() for label, value in credit.rollout.terms.items()}
        found.append({"sample": credit.rollout.group.sample.id, "scores": scores, "members": members})
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
