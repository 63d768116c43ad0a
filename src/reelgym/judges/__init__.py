"""Judges: what decides how much an observation is worth. One file per judge; the protocol is `rewards.perception`.

Public: FrozenReader (a frozen policy that answers from the observation alone) and its settings, Reader; EndpointJudge
(a model behind an endpoint); TextMatchJudge (the answer's words stand in it); `agreement` of any with what is known.
`leaks.leak` tells observations that state an answer.
"""

from reelgym.judges.agreement import Agreement, agreement
from reelgym.judges.endpoint import EndpointJudge
from reelgym.judges.match import TextMatchJudge
from reelgym.judges.reader import FrozenReader, Reader

__all__ = ["Agreement", "EndpointJudge", "FrozenReader", "Reader", "TextMatchJudge", "agreement"]
