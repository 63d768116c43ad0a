"""Segments and what each earned, carried in one row of token-level rewards, and read back.

A trainer that hands an advantage estimator nothing but token-level rewards and a mask can still be told which token
belongs to which segment, because a float has more exponents than rewards need. Scaling by a power of two is exact:

    the last token of a segment carries the segment's total, scaled into a band of exponents of its own;
    its other tokens carry a mark, a power of two below 2^-99 that says which segment they are of;
    a total of 0 is a mark of its own, a total that does not apply is none at all.

The last segment's band is not scaled, so the sum of a row is that segment's total to all digits. Totals keep the 24
binary digits of float32; below 2^-20 they become 0. Ours.

Shapes: N completions, T tokens, S segments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from reelgym.errors import RequestError

COLUMNS = 2
"""Most segments with a total of their own: float32 has bands for two, each on a token of its own or of none."""

_WIDTH, _TOP = 26, 6
"""Exponents of a band, and the largest: totals lie in [2^-20, 2^6)."""
_MARKS = 100
"""Marks are 2^-(100 + code), below every band."""
_OF, _ZERO, _UNSCORED, _CODES = 0, 2, 4, 6


def carry(totals: Sequence[float], index: Sequence[int]) -> list[float]:
    """Return one row of token-level rewards.

    Args:
        totals: (S,) what each segment earned; NaN where that does not apply.
        index: (T,) the segment of each token, -1 for none.

    Returns:
        (T,) numbers that float32 holds.

    Raises:
        RequestError: More than `COLUMNS` segments, a total out of range, or no token to carry the total of a segment
            that has none.
    """
    if not 0 < len(totals) <= COLUMNS:
        raise RequestError(f"{len(totals)} segments: token-level rewards carry 1 to {COLUMNS}")
    row = [0.0 if of < 0 else _mark(_OF + of) for of in index]
    free = [place for place, of in enumerate(index) if of < 0]
    for segment, given in enumerate(totals):
        total = float(np.float32(given))
        if not math.isnan(total) and abs(total) >= 2.0**_TOP:
            raise RequestError(f"a total of {total:g}: token-level rewards carry totals below {2**_TOP}")
        total = 0.0 if abs(total) < 2.0 ** (_TOP - _WIDTH) else total
        own = [place for place, of in enumerate(index) if of == segment]
        if own:
            row[own[-1]] = _end(segment, total, len(totals), own=True)
        elif math.isnan(total) or total:
            if not free:
                raise RequestError(f"segment {segment} earned {total:g} and no token is left to carry it")
            row[free.pop()] = _end(segment, total, len(totals), own=False)
    return row


def read(rewards: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """Return what rows carry: totals (N, S) float64, NaN where one does not apply, and segments (N, T) int64.

    A segment without a token and without a total has the total 0: nothing was written that could earn.

    Args:
        rewards: (N, T) rows of `carry`, zeros at the end.
        columns: S.

    Raises:
        RequestError: A value that no row of `carry` holds: something was added to the rewards on their way.
    """
    if not 0 < columns <= COLUMNS:
        raise RequestError(f"{columns} segments: token-level rewards carry 1 to {COLUMNS}")
    values = rewards.detach().double().cpu()
    totals = torch.zeros(len(values), columns, dtype=torch.float64)
    segments = torch.full(values.shape, -1, dtype=torch.int64)
    ended = torch.zeros(len(values), columns, dtype=torch.bool)
    for row, place in torch.nonzero(values).tolist():
        segment, total, own, ends = _told(float(values[row, place]), columns)
        segments[row, place] = segment if own else -1
        if ends and ended[row, segment]:
            raise _foreign(float(values[row, place]))
        if ends:
            totals[row, segment], ended[row, segment] = total, True
    present = torch.nn.functional.one_hot(segments.clamp(min=0), columns) * (segments >= 0).unsqueeze(-1)
    return torch.where((present.sum(1) > 0) & ~ended, torch.nan, totals), segments


def _mark(code: int) -> float:
    return 2.0 ** -(_MARKS + code)


def _end(segment: int, total: float, columns: int, *, own: bool) -> float:
    """Return what carries a total on a token of the segment (`own`) or of none."""
    if math.isnan(total):
        return _mark(_OF + segment) if own else _mark(_UNSCORED + segment)
    if not total:
        return _mark(_ZERO + segment)
    return math.ldexp(total, -_WIDTH * (2 * (columns - 1 - segment) + (0 if own else 1)))


def _told(value: float, columns: int) -> tuple[int, float, bool, bool]:
    """Return (segment, total, whether the token is of it, whether a total is carried)."""
    _, exponent = math.frexp(value)
    band = (_TOP - exponent) // _WIDTH
    if 0 <= band < 2 * columns:
        return columns - 1 - band // 2, math.ldexp(value, _WIDTH * band), band % 2 == 0, True
    code = 1 - exponent - _MARKS
    segment = code % 2
    if 0 <= code < _CODES and value == _mark(code) and segment < columns:
        if code >= _UNSCORED:
            return segment, math.nan, False, True
        return segment, 0.0, True, code >= _ZERO
    raise _foreign(value)


def _foreign(value: float) -> RequestError:
    return RequestError(
        f"a token-level reward of {value:g} was not written by our reward manager: set reward.reward_manager to it, "
        "and add nothing to rewards (algorithm.use_kl_in_reward=False)"
    )
