"""Judges: what decides how much an observation is worth. One file per judge.

Public: FrozenReader (a frozen policy that answers from the observation alone).
"""

from reelgym.judges.reader import FrozenReader, Reading

__all__ = ["FrozenReader", "Reading"]
