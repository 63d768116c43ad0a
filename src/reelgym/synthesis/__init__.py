"""Synthesis: from files and folders of video to a dataset, and what a dataset is made of.

`synthesize` (local) makes a dataset, on this machine or on Ray; `merge` joins the datasets of shards; `estimate` says
beforehand what a run would take; `inspect` reports counts, chance levels and what shortcuts score.
"""

from reelgym.synthesis.estimate import estimate
from reelgym.synthesis.inspect import audit_table, difficulty_table, inspect, structure_table, table
from reelgym.synthesis.local import Manifest, synthesize
from reelgym.synthesis.merge import merge

__all__ = [
    "Manifest",
    "audit_table",
    "difficulty_table",
    "estimate",
    "inspect",
    "merge",
    "structure_table",
    "synthesize",
    "table",
]
