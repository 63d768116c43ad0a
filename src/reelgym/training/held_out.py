"""Held-out samples of a reinforcement run: answered greedily at evaluations, and a fixed slice of them blind too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reelgym import tasks
from reelgym.data.messages import GREY, Part, Text
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory
from reelgym.rollout.base import SamplingParams
from reelgym.training.config import RLRun
from reelgym.training.inputs import Inputs
from reelgym.training.metrics import Tally

if TYPE_CHECKING:
    from reelgym.training.session import Session

EVAL_METRIC = "eval/score"
"""Mean of the rubric's score, summed over segments, of greedy replies to held-out samples."""

EVAL_PROMPTS = 64
"""Held-out prompts decoded together."""

Complete = Callable[..., list[tuple[Trajectory, ...]]]


class HeldOut:
    """The held-out samples of a run, always the same ones; every rank answers its share of them."""

    def __init__(
        self, run: RLRun, session: Session, complete: Complete, judged: Callable[[Sequence[Group]], Sequence[Group]]
    ) -> None:
        """Choose the slice: `health_samples` of them, evenly spread.

        Args:
            run: What is trained; it has `eval_data`.
            session: Of this call.
            complete: As `Loop.complete`.
            judged: Groups as the run's judge leaves them.
        """
        assert run.eval_data
        self._run, self._session, self._complete, self._judged = run, session, complete, judged
        self._inputs = Inputs(session.policy, run.eval_data.media, run.config)
        self._items: list[Sample] = list(run.eval_data.items)
        count = min(len(self._items), run.config.health_samples)
        self._slice = [self._items[place * len(self._items) // count] for place in range(count)]
        self._ids = {sample.id for sample in self._slice}
        self._seen: dict[str, float] | None = None

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the mean score and terms of all; what they say of the slice is kept for the next `health`."""
        tally, seen = Tally(), Tally()
        for group in self._judged(self._groups(self._session.mine(self._items))):
            terms = self._run.rubric.terms(group, 1.0)
            for label, value in terms.items():
                tally.add_values(f"eval/{label}", np.nansum(value, 1))
            tally.add("eval/truncated", float(group.trajectories[0].final.stop == "length"))
            if group.sample.id in self._ids:
                self._look(group, seen)
        self._seen = seen.means(self._session.accelerator)
        return tally.means(self._session.accelerator)

    @torch.no_grad()
    def health(self) -> dict[str, float]:
        """Return score, its standard error, chance, invalid share and blind score of the slice, as far as they exist.

        The seen pass is that of `measure`, where that was of the same weights; `forget` says that it was not.
        """
        # A judge may cost money: it is asked at evaluations alone.
        if self._run.judge is not None and any(sample.task not in tasks.names() for sample in self._slice):
            return {}
        seen, blind = self._seen, Tally()
        if seen is None:
            tally = Tally()
            for group in self._groups(self._session.mine(self._slice)):
                self._look(group, tally)
            seen = tally.means(self._session.accelerator)
        shown = [grey for sample in self._session.mine(self._slice) if (grey := blinded(sample)) is not None]
        for group in self._groups(shown):
            blind.add("blind", _worth(group, self._run)[0])
        spread = max(0.0, seen["squares"] - seen["score"] ** 2)
        found = {name: value for name, value in seen.items() if name != "squares"}
        found["error"] = float(np.sqrt(spread / len(self._slice)))
        return found | blind.means(self._session.accelerator)

    def forget(self) -> None:
        """Take note that the weights move."""
        self._seen = None

    def _groups(self, samples: Sequence[Sample]) -> Sequence[Group]:
        params = SamplingParams(max_tokens=self._run.config.eval_tokens, temperature=0.0)
        found: list[Group] = []
        for start in range(0, len(samples), EVAL_PROMPTS):
            chunk = samples[start : start + EVAL_PROMPTS]
            replies = self._complete(self._inputs, chunk, n=1, params=params, streams=None)
            found += [Group(sample=one, trajectories=made) for one, made in zip(chunk, replies, strict=True)]
        return found

    def _look(self, group: Group, tally: Tally) -> None:
        value, valid, chance = _worth(group, self._run)
        tally.add("score", value)
        tally.add("squares", value**2)
        if valid is not None:
            tally.add("invalid", float(not valid))
        if chance is not None:
            tally.add("chance", chance)


def blinded(sample: Sample) -> Sample | None:
    """Return the sample with every frame grey, under an id of its own; None where it shows none, or of unknown size."""
    media = [part for message in sample.messages for part in message.parts if not isinstance(part, Text)]
    if not media or any(part.spec.size is None for part in media):
        return None

    def grey(part: Part) -> Part:
        return part if isinstance(part, Text) else replace(part, video=GREY)

    messages = [replace(message, parts=tuple(map(grey, message.parts))) for message in sample.messages]
    return replace(sample, id=f"{sample.id}, blind", messages=tuple(messages))


def _worth(group: Group, run: RLRun) -> tuple[float, bool | None, float | None]:
    """Return score, validity and chance of a group's only reply by its task; by the rubric, where that is no task."""
    sample: Any = group.sample
    if sample.task not in tasks.names():
        return float(np.nansum(run.rubric.score(group, 1.0))), None, None
    task = tasks.get(sample.task)
    found = task.score(group.trajectories[0].reply, sample)
    return found.value, found.valid, task.chance(sample)["value"]
