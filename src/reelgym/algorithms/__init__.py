"""Advantages and losses as pure tensor functions: one file per method, torch and the error family only.

Public: Algorithm, LossSum (base), GRPO, PAGRPO, DrGRPO, DAPO, cross_entropy (sft); Clipped is what they build on.
"""

from reelgym.algorithms.base import Algorithm, LossSum
from reelgym.algorithms.clipped import Clipped
from reelgym.algorithms.dapo import DAPO
from reelgym.algorithms.dr_grpo import DrGRPO
from reelgym.algorithms.grpo import GRPO
from reelgym.algorithms.pa_grpo import PAGRPO
from reelgym.algorithms.sft import cross_entropy

__all__ = ["DAPO", "GRPO", "PAGRPO", "Algorithm", "Clipped", "DrGRPO", "LossSum", "cross_entropy"]
