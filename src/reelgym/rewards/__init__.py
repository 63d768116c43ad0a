"""Rewards: pure functions from a group to scores, and the expressions that compose them into a rubric.

Public: Reward, Operator, Rubric (base); Sum, Product, Gate, Clip, Rescale, Schedule, Stack (operators); one file per
reward: Accuracy, Format, Length, Perception, SegmentFormat. Judge, Case and Verdict (perception) are what judges speak.
"""

from reelgym.rewards.accuracy import Accuracy
from reelgym.rewards.base import Expression, Operator, Reward, Rubric
from reelgym.rewards.format import Format
from reelgym.rewards.length import Length
from reelgym.rewards.operators import Clip, Gate, Product, Rescale, Schedule, Stack, Sum
from reelgym.rewards.perception import Case, Judge, JudgeConfig, Lent, Perception, Trial, Verdict
from reelgym.rewards.segment_format import SegmentFormat

__all__ = [
    "Accuracy",
    "Case",
    "Clip",
    "Expression",
    "Format",
    "Gate",
    "Judge",
    "JudgeConfig",
    "Length",
    "Lent",
    "Operator",
    "Perception",
    "Product",
    "Rescale",
    "Reward",
    "Rubric",
    "Schedule",
    "SegmentFormat",
    "Stack",
    "Sum",
    "Trial",
    "Verdict",
]
