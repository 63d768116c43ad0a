"""Ask an easier form of a question that nobody solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from reelgym.training.groups.base import GroupPolicy, Outcome, SampleOf
from reelgym.training.order import Pick


class Ease(GroupPolicy):
    """Where no member passed and none was better, the same question is asked again in an easier form of its task.

    Each of up to `rounds` rounds goes one step further (`Task.eased`: masked video prediction has one distractor less,
    a lettered question one wrong option less); where there is no easier form the group is dropped. Groups that all
    solved are dropped. Altering inputs by difficulty is DeepVideo-R1's (arXiv 2506.07464), which adds noise to what is
    easy and hints to what is hard; easing by the task's own construction is ours.
    """

    name: ClassVar[str] = "ease"
    settings: ClassVar[tuple[str, ...]] = ("rounds",)
    counts_passes: ClassVar[bool] = True

    def again(
        self, last: Sequence[Outcome], done: int, others: Callable[[Sequence[int]], list[Pick]], sample_of: SampleOf
    ) -> list[Pick]:
        """Return every failed question one step easier."""
        if done >= self.config.rounds:
            return []
        failed = [outcome.pick for outcome in last if not outcome.signal and not outcome.passed]
        easier = [replace(pick, eased=pick.eased + 1) for pick in failed]
        return [pick for pick in easier if sample_of(pick) is not None]
