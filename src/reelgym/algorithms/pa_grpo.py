"""PA-GRPO: every segment of a completion is credited from its own reward, normalised over the group by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from reelgym.algorithms.base import spread
from reelgym.algorithms.grpo import GRPO
from reelgym.errors import RequestError, unknown

AVERAGES = ("segment", "completion")
CREDITS = ("own", "all")
ELSEWHERE = ("last", "none")
MISSING = ("none", "all")


@dataclass(frozen=True, kw_only=True)
class PAGRPO(GRPO):
    """Process-aware group relative policy optimisation.

    With scores (G, S), A_ik is the z-score of R_ik over the group, and

        loss = mean over i of ( sum over k of ( mean over the tokens t of segment k of clipped(r_t, A_ik) )
                                + kl_coef * mean over all trained tokens of k3 ).

    A clipped term is homogeneous in its advantage, so the token means are written into the advantages: a token of
    segment k carries A_ik * n_i / n_ik, with n_i trained tokens in the completion and n_ik in the segment, and the loss
    is GRPO's. With one segment n_i = n_ik, and everything is GRPO's to the last bit.

    Reference: Jiang et al., VideoP2R, arXiv 2511.11113, equations 5 to 7. The paper leaves open how tokens are
    averaged, what a completion without segments gets, who answers for a segment that was not written, and the constant
    beside the deviation: `average`, `elsewhere`, `missing` and `eps`. It prints the divergence inside the sum over
    segments; here it is counted once, and S times `kl_coef` is the other reading. `cross` is ours.

    Attributes:
        average: `segment`: the mean over each segment's tokens, then the sum over segments; `completion`: the mean over
            all trained tokens.
        credit: `own`: a segment's tokens carry its own advantage; `all`: every trained token carries the sum of the
            advantages (the ablation without separation).
        cross: Share of the last segment's advantage that the tokens of the others take too, at least 0.
        elsewhere: What a completion without any scored segment takes: the `last` segment's advantage on all its
            tokens, or `none`.
        missing: Who takes the advantage of a segment that a completion lacks beside others: nobody (`none`: the
            equations to the letter, under which no token learns that an observation was left out), or `all` of its
            trained tokens, on top of their own.
    """

    name: ClassVar[str] = "pa_grpo"
    average: Literal["segment", "completion"] = "segment"
    credit: Literal["own", "all"] = "own"
    cross: float = 0.0
    elsewhere: Literal["last", "none"] = "last"
    missing: Literal["none", "all"] = "none"

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        super().__post_init__()
        for kind, given, known in (
            ("average", self.average, AVERAGES),
            ("credit", self.credit, CREDITS),
            ("elsewhere", self.elsewhere, ELSEWHERE),
            ("missing", self.missing, MISSING),
        ):
            if given not in known:
                raise unknown(f"pa_grpo {kind}", given, known)
        if not self.cross >= 0:
            raise RequestError(f"cross={self.cross}: the share of the last segment's advantage is at least 0")

    def advantages(self, scores: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Return the (G, T) credit of each token; see `Algorithm.advantages`."""
        values = self.normalise(scores)
        if self.credit == "all":
            return spread(values.sum(1, keepdim=True), torch.zeros_like(segments), mask)
        owed = _unwritten(values, segments, mask)
        if self.cross:
            values = torch.cat([values[:, :-1] + self.cross * values[:, -1:], values[:, -1:]], 1)
        if self.elsewhere == "last":
            bare = ~((segments >= 0) & mask).any(1, keepdim=True)
            segments = torch.where(bare, values.shape[1] - 1, segments)
        credit = spread(values, segments, mask)
        if self.average == "segment":
            credit = credit * _shares(segments, mask, values.shape[1])
        return credit + owed * mask if self.missing == "all" else credit


def _unwritten(values: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
    """Return (G, 1) float32: the advantages of the segments that a completion lacks; 0 where it has none at all."""
    there = torch.stack([((segments == k) & mask).any(1) for k in range(values.shape[1])], 1)
    return (values * (there.any(1, keepdim=True) & ~there)).sum(1, keepdim=True).float()


def _shares(segments: Tensor, mask: Tensor, columns: int) -> Tensor:
    """Return n_i / n_ik of each token's segment k (G, T) float32; 1 where a token has none."""
    inside = torch.nn.functional.one_hot(segments.clamp(min=0), columns) * (mask & (segments >= 0)).unsqueeze(-1)
    counts = inside.sum(1).clamp(min=1)
    taken = mask.sum(1, keepdim=True) / counts.gather(1, segments.clamp(min=0))
    return torch.where(segments >= 0, taken, 1.0).float()
