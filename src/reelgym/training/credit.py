"""A group on its way through a step, and the tensors that algorithms read: padded rows, loss masks, segment indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reelgym.algorithms.base import FLAT
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.rewards.base import WHOLE, Scores
from reelgym.training.metrics import Tally
from reelgym.training.order import Pick


@dataclass(frozen=True, eq=False)
class Rollout:
    """One group on its way through a step.

    Attributes:
        pick: Which sample, and when.
        key: Under which its prompt is cached.
        group: G trajectories.
        terms: Label to (G, S) scores; `score` is what is paid.
    """

    pick: Pick
    key: str
    group: Group
    terms: dict[str, Scores]

    @property
    def has_signal(self) -> bool:
        """Whether the scores of some segment differ by more than rounding between members they apply to."""
        score = self.terms["score"]
        high, low = np.where(np.isnan(score), -np.inf, score).max(0), np.where(np.isnan(score), np.inf, score).min(0)
        return bool((high - low > FLAT * np.maximum(1.0, np.nan_to_num(np.abs(score)).max(0))).any())


@dataclass(frozen=True, eq=False)
class Credit:
    """What the loss needs of one group, all (G, T) on the CPU: trained tokens, advantages, sampled log-probs.

    `members` are those of the group it speaks of: all, or a part where memory is short.
    """

    rollout: Rollout
    mask: Tensor
    advantages: Tensor
    old_logprobs: Tensor
    members: slice = field(default_factory=lambda: slice(None))

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        """The members, in order."""
        return self.rollout.group.trajectories[self.members]

    def part(self, members: slice) -> Credit:
        """Return the credit of some members, as wide as the longest of them."""
        rows = self.rollout.group.trajectories[members]
        longest = max(len(one.final.ids) for one in rows)
        mask, advantages, old = (x[members, :longest] for x in (self.mask, self.advantages, self.old_logprobs))
        return Credit(self.rollout, mask, advantages, old, members)

    @property
    def silent(self) -> bool:
        """Whether no token has credit: the group's scores do not differ."""
        return not bool(self.advantages.any())


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Return rows (T_i,) as one (G, T) tensor, zeros at the end; carries gradients."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def mask_of(turns: Sequence[Turn], *, leave_out_truncated: bool) -> Tensor:
    """Return (G, T) bool, True where the policy is trained: each turn's own mask, nothing past its end.

    Args:
        turns: G completions.
        leave_out_truncated: Whether a completion cut at the cap is not trained on at all.
    """
    rows = [torch.from_numpy(turn.loss_mask) for turn in turns]
    if leave_out_truncated:
        rows = [row & (turn.stop != "length") for row, turn in zip(rows, turns, strict=True)]
    return padded(rows)


def segment_index(turns: Sequence[Turn], names: Sequence[str]) -> Tensor:
    """Return (G, T) int64: the column of `names` that each token's segment has, -1 where none.

    Args:
        turns: G completions with their segments.
        names: Columns: `completion` for all tokens, or segment names, `think+answer` for two in one column.
    """
    longest = max(len(turn.ids) for turn in turns)
    if tuple(names) == WHOLE:
        return torch.zeros(len(turns), longest, dtype=torch.int64)
    column = {name: place for place, joined in enumerate(names) for name in joined.split("+")}
    index = torch.full((len(turns), longest), -1, dtype=torch.int64)
    for row, turn in enumerate(turns):
        for segment in turn.segments:
            index[row, segment.start : segment.stop] = column.get(segment.name, -1)
    return index


def tally_rollout(rollout: Rollout, tally: Tally) -> None:
    """Add what a group scored, term by term, and how long and how certain its completions are."""
    for label, value in rollout.terms.items():
        tally.add_values(f"rewards/{label}", np.nansum(value, 1))
    score = np.nansum(rollout.terms["score"], 1)
    tally.add("rewards/score/std", float(score.std()))
    turns = [member.final for member in rollout.group.trajectories]
    tally.add_values("rollout/tokens", [float(len(turn.ids)) for turn in turns])
    tally.add_values("rollout/truncated", [float(turn.stop == "length") for turn in turns])
    tally.add(
        "rollout/entropy", -float(sum(turn.logprobs.sum() for turn in turns)), sum(len(turn.ids) for turn in turns)
    )
