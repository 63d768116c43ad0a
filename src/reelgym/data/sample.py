"""Sample: one question with its answer and evidence; serves SFT, RL and evaluation alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reelgym.data.messages import Message

Split = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One question about video.

    Attributes:
        id: Unique in its dataset, stable for (task, version, split, seed, source identity, index).
        task: Name of the task that made it and whose scorer scores it.
        messages: The prompt, media named and not held.
        answer: The right answer as JSON; its form is the task's.
        evidence: Facts, spans, key frames, a gold reply where one is known (`gold`); JSON.
        facets: What results are broken down by (`kind`, `difficulty`, ...).
        split: `train` or `test`; disjoint by the content of the source video.
        provenance: Source identity, times, similarities, seed; JSON.
    """

    id: str
    task: str
    messages: tuple[Message, ...]
    answer: Any
    split: Split
    evidence: dict[str, Any] = field(default_factory=dict)
    facets: dict[str, str | int | float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Identity of the source video: the cluster of every bootstrap."""
        return str(self.provenance["source"])
