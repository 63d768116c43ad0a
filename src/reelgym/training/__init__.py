"""The training loops: supervised (sft) and reinforcement (rl), with resume, checkpoints, metrics and stored rollouts.

Public: SFTConfig, RLConfig, SFTRun, RLRun, Data, Example (config); `sft.train`, `rl.train`.
"""

from reelgym.training.config import Data, Example, RLConfig, RLRun, SFTConfig, SFTRun

__all__ = ["Data", "Example", "RLConfig", "RLRun", "SFTConfig", "SFTRun"]
