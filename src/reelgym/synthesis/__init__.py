"""Synthesis: from files and folders of video to a dataset, and what a dataset is made of.

`synthesize` (local) makes a dataset with a pool of worker processes; `inspect` (inspect) reports counts, chance levels
and what shortcuts score.
"""

from reelgym.synthesis.inspect import inspect, table
from reelgym.synthesis.local import Manifest, synthesize

__all__ = ["Manifest", "inspect", "synthesize", "table"]
