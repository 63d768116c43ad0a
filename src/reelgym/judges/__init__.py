"""Judges: what decides how much an observation is worth. One file per judge; the protocol is `rewards.perception`.

Public: FrozenReader (a frozen policy that answers from the observation alone) and its settings, Reader.
"""

from reelgym.judges.reader import FrozenReader, Reader

__all__ = ["FrozenReader", "Reader"]
