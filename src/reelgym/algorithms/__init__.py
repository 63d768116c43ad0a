"""Advantages and losses as pure tensor functions: one file per method, torch and the error family only.

Public: Algorithm, LossSum (base); GRPO, PAGRPO, DrGRPO, DAPO, BNPO, CISPO, GSPO, all on Clipped; cross_entropy (sft).
"""

from reelgym.algorithms.base import Algorithm, LossSum
from reelgym.algorithms.bnpo import BNPO
from reelgym.algorithms.cispo import CISPO
from reelgym.algorithms.clipped import Clipped
from reelgym.algorithms.dapo import DAPO
from reelgym.algorithms.dr_grpo import DrGRPO
from reelgym.algorithms.grpo import GRPO
from reelgym.algorithms.gspo import GSPO
from reelgym.algorithms.pa_grpo import PAGRPO
from reelgym.algorithms.sft import cross_entropy

__all__ = [
    "BNPO",
    "CISPO",
    "DAPO",
    "GRPO",
    "GSPO",
    "PAGRPO",
    "Algorithm",
    "Clipped",
    "DrGRPO",
    "LossSum",
    "cross_entropy",
]
