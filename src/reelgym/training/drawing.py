"""Which prompts a step draws, and which of its groups are trained on: the order, the group policy, and their memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reelgym import tasks
from reelgym.curation.difficulty import TOLERANCE, within
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.registry import lookup
from reelgym.training.balance import prompt_tokens
from reelgym.training.config import RLConfig, RLRun
from reelgym.training.credit import Rollout
from reelgym.training.groups import GroupPolicy, Outcome
from reelgym.training.metrics import Tally
from reelgym.training.order import Pick
from reelgym.training.orders import Order
from reelgym.training.pass_rates import PassRates
from reelgym.training.session import Session


class Drawing:
    """Rounds of picks, the same on every rank: what they follow is gathered from all ranks after each round."""

    def __init__(self, run: RLRun, session: Session) -> None:
        """Keep the band, begin with the measured rates where they are asked for, or go on where a checkpoint is."""
        self.config, self._session = run.config, session
        measured = _measured(run)
        items: Sequence[Sample] = run.data.items
        if run.config.band is not None:
            kept = within(measured, run.config.band, [sample.id for sample in items], named="the data")
            items = [items[place] for place in kept]
        self.items = items
        self.order: Order = lookup("reelgym.training.orders", Order, "order", run.config.order)()
        policy = lookup("reelgym.training.groups", GroupPolicy, "group policy", run.config.groups)
        self.policy: GroupPolicy = policy(run.config)
        self.rates = PassRates(items, measured if self.order.follows else None)
        self._outcomes: list[list[Outcome]] = []
        self._found: list[Rollout] = []
        session.keep("drawing", self)

    def rounds(self, step: int) -> Iterator[list[Pick]]:
        """Yield this rank's picks, round after round; `saw` is called with what came of each."""
        config = self.config
        self._outcomes, self._found = [], []
        asked = self.order.draw(self.rates, seed=config.seed, step=step, size=config.prompts_per_step)
        taken = {pick.index for pick in asked}

        def others(places: Sequence[int]) -> list[Pick]:
            when = (step, len(self._outcomes) + 1)
            found = self.order.some(self.rates, config.seed, when, len(places), taken)
            taken.update(found)
            return [Pick(index, 0, place) for index, place in zip(found, places, strict=False)]

        while asked:
            yield self._session.balanced(asked, self._tokens)
            asked = self.policy.again(self._outcomes[-1], len(self._outcomes), others, self.sample)

    def saw(self, rollouts: Sequence[Rollout]) -> None:
        """Learn what became of a round's groups, of all ranks; with no group of its own a rank calls it too."""
        counts = self.order.follows or self.policy.counts_passes
        mine = [
            Outcome(rollout.pick, rollout.has_signal, self._passed(rollout) if counts else 0, len(rollout.group))
            for rollout in rollouts
        ]
        found = sorted(self._session.gather(mine), key=lambda outcome: outcome.pick.place)
        self._outcomes.append(found)
        self._found += rollouts
        if self.order.follows:
            # An easier question says nothing about the one that is drawn next time.
            self.rates.count((o.pick.index, o.passed, o.members) for o in found if not o.pick.eased)

    def select(self, step: int, tally: Tally) -> list[Rollout]:
        """Return this rank's groups that are trained on; those of earlier steps are not among what it saw."""
        outcomes = [outcome for round_ in self._outcomes for outcome in round_]
        kept = {outcome.pick.place: outcome.pick for outcome in outcomes if self.policy.keeps(outcome)}
        own = [rollout for rollout in self._found if kept.get(rollout.pick.place) == rollout.pick]
        tally.add_values("train/groups_with_signal", [float(rollout.has_signal) for rollout in self._found])
        empty = [place for place in range(self.config.prompts_per_step) if place not in kept]
        earlier: list[Rollout] = self._session.mine(self.policy.replace(empty, step))
        if self.policy.remembers:
            fresh = [rollout for rollout in own if rollout.has_signal]
            self.policy.remember(sorted(self._session.gather(fresh), key=lambda rollout: rollout.pick.place))
        self._tally(len(own) + len(earlier), len(earlier), outcomes, tally)
        return [*own, *earlier]

    def sample(self, pick: Pick) -> Sample | None:
        """Return the sample of a pick, eased as often as it says; None where it has no form so easy."""
        found: Sample | None = self.items[pick.index]
        for _ in range(pick.eased):
            found = None if found is None else tasks.get(found.task).eased(found)
        return found

    def _passed(self, rollout: Rollout) -> int:
        sample = rollout.group.sample
        values = [tasks.get(sample.task).score(one.reply, sample).value for one in rollout.group.trajectories]
        return sum(value >= self.config.pass_score - TOLERANCE for value in values)

    def _tally(self, kept: int, earlier: int, outcomes: Sequence[Outcome], tally: Tally) -> None:
        share = self.config.prompts_per_step / self._session.accelerator.num_processes
        tally.add("train/groups_trained_on", kept / share)
        if self.policy.settings:
            tally.add("train/rounds", len(self._outcomes))
            tally.add("train/groups_replayed", earlier / share)
        if self.order.follows:
            asked = [o for o in outcomes if not o.pick.eased]
            tally.add("train/pass_rate", sum(o.passed for o in asked), sum(o.members for o in asked))
            for name, part in self.rates.parts().items():
                tally.add(f"data/{name}_passed", part)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run must know: the running pass rates where they count, and the policy's memory."""
        return {"rates": self.rates.state() if self.order.follows else {}, "policy": self.policy.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        if self.order.follows:
            self.rates.load_state(state["rates"])
        self.policy.load_state(state["policy"], self.sample)

    def _tokens(self, pick: Pick) -> int:
        return prompt_tokens(self.items[pick.index].messages)


def check(config: RLConfig) -> None:
    """Refuse names of orders and group policies that do not exist, and settings that they would not read."""
    policy = lookup("reelgym.training.groups", GroupPolicy, "group policy", config.groups)
    order = lookup("reelgym.training.orders", Order, "order", config.order)
    plain = RLConfig()
    for name in ("rounds", "replay_groups"):
        if name not in policy.settings and getattr(config, name) != getattr(plain, name):
            raise RequestError(f"{name}={getattr(config, name)} changes nothing with groups={config.groups}")
    if config.difficulty and config.band is None and not order.follows:
        raise RequestError(f"difficulty={config.difficulty} changes nothing without band=LOW,HIGH or a following order")
    if config.pass_score != plain.pass_score and not (order.follows or policy.counts_passes):
        raise RequestError(f"pass_score={config.pass_score} changes nothing with order={config.order}")


def _measured(run: RLRun) -> dict[str, float]:
    """Return the stored pass rates that the run asks for, by sample id; none where it asks for none."""
    config = run.config
    if config.band is None and not config.difficulty:
        return {}
    if run.data.pass_rates is None:
        raise RequestError("band and difficulty need a dataset with a stored measurement: give data=DATASET")
    return dict(run.data.pass_rates(config.difficulty))
