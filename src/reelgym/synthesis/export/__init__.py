"""Datasets for other frameworks, with every frame frozen: one file per format, one reward module for each.

`export` and `plan` (run) write a dataset for a peer and say beforehand what that takes; `Format` (base) is what a peer
needs: one new file; `rewards` scores replies for all of them.
"""

from reelgym.synthesis.export.base import Format, names
from reelgym.synthesis.export.run import Exported, Plan, export, plan

__all__ = ["Exported", "Format", "Plan", "export", "names", "plan"]
