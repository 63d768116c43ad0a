"""Draw other prompts in the place of groups without signal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from reelgym.training.groups.base import GroupPolicy, Outcome, SampleOf
from reelgym.training.order import Pick


class Resample(GroupPolicy):
    """Other prompts are drawn until every group of the step has signal, at most `rounds` times in all.

    After the last round the step goes on with the groups it has. The dynamic sampling of DAPO (Yu et al., arXiv
    2503.14476) draws whole batches and throws away what is too much; here a round draws exactly what is missing.
    """

    name: ClassVar[str] = "resample"
    settings: ClassVar[tuple[str, ...]] = ("rounds",)

    def again(
        self, last: Sequence[Outcome], done: int, others: Callable[[Sequence[int]], list[Pick]], sample_of: SampleOf
    ) -> list[Pick]:
        """Return another sample for every place without signal."""
        if done >= self.config.rounds:
            return []
        return others([outcome.pick.place for outcome in last if not outcome.signal])
