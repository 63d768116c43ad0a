"""Advantages and losses as pure tensor functions: one file per method, torch and the error family only.

Public: Algorithm, LossSum (base), GRPO, DrGRPO, DAPO, cross_entropy (sft); Clipped is what the first three build on.
"""

from reelgym.algorithms.base import Algorithm, LossSum
from reelgym.algorithms.clipped import Clipped
from reelgym.algorithms.dapo import DAPO
from reelgym.algorithms.dr_grpo import DrGRPO
from reelgym.algorithms.grpo import GRPO
from reelgym.algorithms.sft import cross_entropy

__all__ = ["DAPO", "GRPO", "Algorithm", "Clipped", "DrGRPO", "LossSum", "cross_entropy"]
