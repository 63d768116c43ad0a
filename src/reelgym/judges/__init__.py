"""Judges: what decides how much an observation is worth. One file per judge; the protocol is `rewards.perception`.

Public: FrozenReader (a frozen policy that answers from the observation alone) and its settings, Reader; EndpointJudge
(a model behind an endpoint) and AnswerJudge (the same, on free answers); RuleJudge (the world's facts); TextMatchJudge
(the answer's words stand in it); `agreement` of any of them with what is known. `leaks.leak` tells observations that
state an answer. The reader alone needs torch.
"""

from typing import TYPE_CHECKING, Any

from reelgym.judges.agreement import Agreement, agreement
from reelgym.judges.answers import AnswerJudge
from reelgym.judges.endpoint import EndpointJudge
from reelgym.judges.match import TextMatchJudge
from reelgym.judges.rule import RuleJudge

if TYPE_CHECKING:
    from reelgym.judges.reader import FrozenReader, Reader

__all__ = [
    "Agreement",
    "AnswerJudge",
    "EndpointJudge",
    "FrozenReader",
    "Reader",
    "RuleJudge",
    "TextMatchJudge",
    "agreement",
]


def __getattr__(name: str) -> Any:
    """Return the reader and its settings, imported when they are asked for: they need torch."""
    if name in ("FrozenReader", "Reader"):
        from reelgym.judges import reader

        return getattr(reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
