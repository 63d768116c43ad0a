"""What a group policy is: which groups are trained on, and what is drawn beside them.

A group whose scores do not differ has no advantage and teaches nothing. Policies see all ranks' groups of a step, so
that their number changes nothing.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from reelgym.data.sample import Sample
from reelgym.training.order import Pick

if TYPE_CHECKING:
    from reelgym.training.config import RLConfig
    from reelgym.training.credit import Rollout

SampleOf = Callable[[Pick], Sample | None]
"""The sample that a pick stands for; None where it cannot be made as easy as the pick says."""


@dataclass(frozen=True)
class Outcome:
    """What is known of one group on all ranks.

    Attributes:
        pick: What was drawn.
        signal: Whether its scores differ.
        passed: How many members passed (`RLConfig.pass_score`); 0 where nobody counts them.
        members: How many there are.
    """

    pick: Pick
    signal: bool
    passed: int
    members: int


class GroupPolicy(ABC):
    """Keeps the groups with signal, and draws nothing more: what a policy adds, it overrides."""

    name: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ()
    """The fields of `RLConfig` that it reads; another value than the default is an error under other policies."""
    counts_passes: ClassVar[bool] = False
    """Whether it reads `Outcome.passed`."""
    remembers: ClassVar[bool] = False
    """Whether `remember` is to be called."""

    def __init__(self, config: RLConfig) -> None:
        """Take the settings of the run."""
        self.config = config

    def keeps(self, outcome: Outcome) -> bool:
        """Return whether a group is trained on."""
        return outcome.signal

    def again(
        self, last: Sequence[Outcome], done: int, others: Callable[[Sequence[int]], list[Pick]], sample_of: SampleOf
    ) -> list[Pick]:
        """Return what is drawn after a round of a step, in the places of groups that gave no signal; empty ends it.

        Args:
            last: The groups of the round that ended.
            done: Rounds so far, from 1.
            others: From places of the step to picks of other samples for them; fewer where there are no more.
            sample_of: Makes the sample of a pick, to see whether there is one.
        """
        return []

    def replace(self, places: Sequence[int], step: int) -> list[Rollout]:
        """Return groups of earlier steps for places of this one that are left without a group."""
        return []

    def remember(self, kept: Sequence[Rollout]) -> None:
        """Take note of this step's own groups with signal, those of all ranks, in order of their places."""
        return None

    def state(self) -> Any:
        """Return as JSON what must survive a restart."""
        return None

    def load_state(self, state: Any, sample_of: SampleOf) -> None:
        """Take back what `state` returned."""
        return None
