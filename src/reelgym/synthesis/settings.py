"""What decides a dataset's content: tasks and their mixture, rates, splits, which files; checked, as JSON values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import accumulate
from typing import Any

from reelgym import tasks
from reelgym.data.sample import Split
from reelgym.errors import RequestError
from reelgym.synthesis.audit import RULES
from reelgym.synthesis.shards import parse_shard
from reelgym.synthesis.structure import checked


def mixture(text: str | Mapping[str, float]) -> dict[str, float]:
    """Return the weight of every task, by name in order; a task without one has 1.

    Raises:
        RequestError: A weight that is not above 0, a name twice, or no name at all.

    >>> mixture("mvp=3,jigsaw")
    {'jigsaw': 1, 'mvp': 3}
    """
    if isinstance(text, Mapping):
        text = ",".join(f"{name}={weight}" for name, weight in text.items())
    found: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, words = part.partition("=")
        try:
            weight = Fraction(words or "1")
        except (ValueError, ZeroDivisionError):
            weight = Fraction(0)
        if weight <= 0:
            raise RequestError(f"task {part!r}: the weight is a number above 0, as in mvp=3,jigsaw=1")
        if name in found:
            raise RequestError(f"task {name!r} is named twice in {text!r}: name each once, with one weight")
        found[name] = int(weight) if weight.denominator == 1 else float(weight)
    if not found:
        raise RequestError(f"task={text!r} names no task: give one or more, as in mvp=3,jigsaw=1")
    return dict(sorted(found.items()))


def allocation(weights: Mapping[str, float], per_video: int, *, seed: int, identity: str) -> dict[str, int]:
    """Return how many samples of one video each task is asked for: `per_video` in all, in proportion on average.

    Systematic sampling: one number u in [0, 1), drawn by the hash of seed and content, shifts the cumulated shares, and
    a task gets the whole numbers its share covers. So each gets its share rounded down or up, and exactly its share
    on average over u.

    >>> allocation({"a": 3, "b": 1}, 4, seed=0, identity="full:0")
    {'a': 3, 'b': 1}
    """
    draw = hashlib.sha256(f"mixture {seed} {identity}".encode()).hexdigest()[:13]
    shift = Fraction(int(draw, 16), 16**13)
    whole = sum(map(Fraction, weights.values()))
    bounds = [shift + per_video * share / whole for share in accumulate(map(Fraction, weights.values()))]
    counts = [int(after) - int(before) for before, after in zip([shift, *bounds], bounds, strict=False)]
    return dict(zip(weights, counts, strict=True))


def resolve(
    task: str | Mapping[str, float] = "mvp",
    config: Any = None,
    fps: float | str | None = None,
    *,
    per_video: int = 4,
    seed: int = 0,
    split_share: float = 0.2,
    split: Split | None = None,
    holdout: int | None = None,
    sample: float | None = None,
    max_hours: float | None = None,
    limit: int | None = None,
    shard: str | None = None,
    avoid: Sequence[str] | None = None,
    audit: str | None = None,
) -> dict[str, Any]:
    """Return all that decides the content, checked, as JSON values; arguments are those of `synthesize`.

    Raises:
        RequestError: A value that is not allowed, an unknown task or setting, or two that exclude each other.
    """
    weights = mixture(task)
    several = len(weights) > 1
    if several and config is not None and not (isinstance(config, Mapping) and set(config) <= set(weights)):
        raise RequestError(f"config={config!r}: for several tasks give settings by task, {{'mvp': {{'hidden': 3}}}}")
    configs = (config or {}) if several else {next(iter(weights)): config}
    named = {name: _task(name, configs.get(name), fps) | {"weight": weight} for name, weight in weights.items()}
    _check(per_video=per_video, split_share=split_share, split=split, holdout=holdout)
    _check_choice(sample, max_hours, limit)
    if audit not in (None, *RULES):
        raise RequestError(f"audit={audit!r}: one of {', '.join(RULES)}")
    if shard is not None:
        parse_shard(shard)
        if limit is not None:
            raise RequestError("limit counts samples of the whole run, which one shard cannot know: leave out one")
    plain = {
        "tasks": named,
        "per_video": per_video,
        "seed": seed,
        "split_share": split_share,
        "split": split,
        "holdout": holdout,
    }
    plain |= {"sample": sample, "max_hours": max_hours, "limit": limit, "shard": shard}
    plain |= {"avoid": None if avoid is None else checked(avoid), "audit": audit}
    return dict(json.loads(json.dumps(plain)))


def _task(name: str, config: Any, fps: float | str | None) -> dict[str, Any]:
    if isinstance(config, Mapping) or config is None:
        made = tasks.configure(name, config)
    else:
        made = type(tasks.get(name))(config)
    rate = fps if fps is not None else getattr(made.config, "fps", 1.0)
    if rate != "auto":
        if not isinstance(rate, int | float) or not 0 < rate <= 1000:
            raise RequestError(f"fps={rate!r}: give frames per second in (0, 1000], or auto")
        rate = float(rate)
    settings: dict[str, Any] = asdict(made.config)
    if rate != "auto" and "fps" in settings:
        settings["fps"] = rate
    return {"version": made.version, "config": settings, "fps": rate}


def _check(*, per_video: int, split_share: float, split: str | None, holdout: int | None) -> None:
    if per_video < 1:
        raise RequestError(f"per_video={per_video}: ask for at least 1 sample per video")
    if not 0 <= split_share <= 1:
        raise RequestError(f"split_share={split_share} is outside [0, 1]: give the share held out as test")
    if split not in (None, "train", "test"):
        raise RequestError(f"split={split!r}: train, test or None")
    if holdout is not None and (holdout < 1 or split is not None):
        both = "" if split is None else f" beside split={split!r}"
        raise RequestError(
            f"holdout={holdout}{both}: give how many videos to hold out as test, at least 1, and no split"
        )


def _check_choice(sample: float | None, max_hours: float | None, limit: int | None) -> None:
    if sample is not None and not 0 < sample <= 1:
        raise RequestError(f"sample={sample} is outside (0, 1]: give the share of the files to open")
    if max_hours is not None and not max_hours > 0:
        raise RequestError(f"max_hours={max_hours}: give hours of video above 0")
    if limit is not None and limit < 1:
        raise RequestError(f"limit={limit}: ask for at least 1 sample")
