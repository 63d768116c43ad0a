"""What each segment earns over sampled replies, how long it is, and how often a group has nothing to learn from. Ours.

The rewards are VideoP2R's without length (Jiang et al., arXiv 2511.11113): accuracy + format of each segment, the
observation's accuracy being what the policy itself, without pixels, scores from it (`judges.FrozenReader`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reelgym.data.sample import Sample
from reelgym.data.templates import with_instruction
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.judges.reader import FrozenReader
from reelgym.rewards import Accuracy, Perception, Rubric, SegmentFormat, Stack, Sum
from reelgym.rollout.base import Sampler, SamplingParams
from reelgym.rollout.local import LocalSampler
from reelgym.rollout.streams import Streams
from reelgym.scoring.statistics import clustered_mean
from reelgym.tasks.base import MediaReader
from reelgym.training.judging import judged

if TYPE_CHECKING:
    from reelgym.models.base import Policy

COLUMNS = ("observation", "think+answer")
PROMPTS = 16
"""Prompts sampled together."""
FLAT = 1e-9
"""Scores that differ by no more than this share of their size are the same, as in `algorithms.base`."""


def rubric() -> Rubric:
    """Return accuracy + format of each segment."""
    parts = (Sum((Perception(), SegmentFormat(COLUMNS[0]))), Sum((Accuracy(), SegmentFormat(COLUMNS[1]))))
    return Rubric(expression=Stack(COLUMNS, parts))


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """How replies are sampled.

    Attributes:
        variant: The prompt.
        rollouts: Replies to each sample, at least 2.
        max_tokens: Cap of a reply.
        seed: Of the draws.
    """

    variant: str = "tagged"
    rollouts: int = 8
    max_tokens: int = 256
    seed: int = 0


def segments(
    policy: Policy,
    samples: Sequence[Sample],
    media: MediaReader,
    *,
    drawn: Drawn,
    sampler: Sampler | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return, by segment, JSON values over groups of sampled replies.

    Args:
        policy: Encodes prompts, reads observations, and generates unless a sampler is given.
        samples: What to ask.
        media: Turns an image or clip into its pixels.
        drawn: How.
        sampler: Generates instead of `LocalSampler(policy)`.
        progress: Called with (samples done, samples in all).

    Returns:
        `reward`, `accuracy`, `format` and `tokens` (intervals over videos), `there` (share of replies that have the
        segment), `zero_variance` (share of groups whose rewards of it are all the same), under each of `COLUMNS`;
        and `both_zero`, the share of groups flat in both.
    """
    judge = FrozenReader(lambda: nullcontext(policy), max_tokens=drawn.max_tokens)
    params = SamplingParams(max_tokens=drawn.max_tokens, temperature=1.0)
    speaker = sampler or LocalSampler(policy)
    groups: list[Group] = []
    for start in range(0, len(samples), PROMPTS):
        chunk = samples[start : start + PROMPTS]
        prompts = [policy.encode(with_instruction(one.messages, drawn.variant), media) for one in chunk]
        streams = Streams(drawn.seed, 0, [one.id for one in chunk])
        turns = speaker.sample(prompts, n=drawn.rollouts, params=params, streams=streams)
        made = [_group(one, members) for one, members in zip(chunk, turns, strict=True)]
        groups += judged(judge, made, f"segments {drawn.seed}")
        if progress is not None:
            progress(len(groups), len(samples))
    return table(groups) | {"rollouts": drawn.rollouts, "groups": len(groups)}


def table(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the same for groups whose ledgers hold verdicts."""
    made = rubric()
    scores = [made.terms(group) for group in groups]
    flat = np.array([_flat(terms["score"]) for terms in scores])
    found: dict[str, Any] = {}
    for place, (name, accuracy) in enumerate(zip(COLUMNS, ("perception", "accuracy"), strict=True)):
        lengths = [[_length(one.final, name) for one in group.trajectories] for group in groups]
        values = {
            "reward": [terms["score"][:, place] for terms in scores],
            "accuracy": [terms[accuracy][:, 0] for terms in scores],
            "format": [terms[f"segment_format/{name}"][:, 0] for terms in scores],
            "tokens": [np.array([one or np.nan for one in of]) for of in lengths],
        }
        found[name] = {key: _interval(rows, groups) for key, rows in values.items()}
        found[name]["there"] = float(np.mean([one > 0 for of in lengths for one in of]))
        found[name]["zero_variance"] = float(flat[:, place].mean())
    return found | {"both_zero": float(flat.all(1).mean())}


def _group(sample: Sample, turns: Sequence[Turn]) -> Group:
    return Group(sample=sample, trajectories=tuple(Trajectory(turns=(turn,)) for turn in turns))


def _flat(score: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return (S,) whether the scores (G, S) of a group differ by no more than rounding."""
    high = np.where(np.isnan(score), -np.inf, score).max(0)
    low = np.where(np.isnan(score), np.inf, score).min(0)
    size = np.maximum(1.0, np.nan_to_num(np.abs(score)).max(0))
    flat: np.ndarray[Any, np.dtype[np.bool_]] = ~(high - low > FLAT * size)
    return flat


def _length(turn: Turn, column: str) -> int:
    return sum(one.stop - one.start for one in turn.segments if one.name in column.split("+"))


def _interval(rows: Sequence[np.ndarray[Any, Any]], groups: Sequence[Group]) -> dict[str, Any] | None:
    """Return the mean over members, then groups, clustered by video; None where nothing applies."""
    means = [
        (float(np.nanmean(row)), group.sample.source)
        for row, group in zip(rows, groups, strict=True)
        if not np.isnan(row).all()
    ]
    return clustered_mean([mean for mean, _ in means], [source for _, source in means]).to_json() if means else None
