"""The reinforcement loop: sample, judge, score, select, credit, pack, update.

Shapes: G members of a group, S scored segments, T tokens of the longest completion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reelgym.algorithms.base import LossSum
from reelgym.data.sample import Sample
from reelgym.data.templates import with_instruction
from reelgym.data.trajectory import Group, Trajectory
from reelgym.rewards.perception import Closing
from reelgym.rollout import replies
from reelgym.rollout.base import Publishable, Sampler, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.training import dumps
from reelgym.training.config import RLRun
from reelgym.training.credit import Credit, Rollout, mask_of, padded, segment_index, tally_rollout
from reelgym.training.drawing import Drawing, check
from reelgym.training.held_out import EVAL_METRIC, HeldOut
from reelgym.training.inputs import Inputs
from reelgym.training.judging import judged, open_judge
from reelgym.training.memory import Budget
from reelgym.training.metrics import Tally, timed
from reelgym.training.order import Pick
from reelgym.training.packing import PackItem
from reelgym.training.sampler import make_sampler
from reelgym.training.session import Load, Progress, Session
from reelgym.training.watch import Watch

if TYPE_CHECKING:
    from reelgym.models.base import Policy


def train(
    run: RLRun,
    out: str | Path,
    progress: Progress | None = None,
    *,
    should_stop: Callable[[], bool] | None = None,
    load: Load | None = None,
    sampler: Callable[[Policy], Sampler] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Train, or take up a run where its last checkpoint is, and return its folder. A finished run is left as it is.

    Args:
        run: What to train on what, paid how.
        out: The run's folder.
        progress: Called with (steps done, steps in all).
        should_stop: Asked after every step; where it says yes the run is saved and left.
        load: Loads the policy by name; `models.load` by default.
        sampler: Makes the sampler of a policy; `rollout.local.LocalSampler` by default.
        tell: Called with every line of health, and with every alarm once (`training.health`).

    Raises:
        RequestError: The folder holds a run with other settings; a prompt is above its cap.
        WorkError: Training diverged.
    """
    check(run.config)
    # Under LoRA the reference is the adapter switched off: it costs nothing to have, and health reads it.
    with_reference = run.needs_reference or run.config.lora_rank > 0
    session = Session(
        run, out, progress, should_stop=should_stop, load=load, metric=EVAL_METRIC, with_reference=with_reference
    )
    if session.finished:
        return session.folder
    drawing = Drawing(run, session)
    with closing(Loop(run, session, (sampler or partial(make_sampler, run))(session.policy), drawing)) as loop:
        held_out = HeldOut(run, session, loop.complete, loop.judged) if run.eval_data else None
        session.watch = Watch(run, session, held_out, tell)
        measure = held_out.measure if held_out else None
        for step in session.steps(measure):
            session.end_step(loop.advance(step), measure)
    return session.folder


class Loop:
    """The phases of a step, in the order in which they happen."""

    def __init__(self, run: RLRun, session: Session, sampler: Sampler, drawing: Drawing) -> None:
        """Hold what the phases share."""
        self.drawing = drawing
        self.run, self.config, self.session, self.sampler = run, run.config, session, sampler
        with session.whole():
            self._judge = open_judge(run, session)
        self._published = -1
        session.before_sampling = self.publish
        self.inputs = Inputs(session.policy, run.data.media, run.config)
        copied = session.reference is not None and not run.config.lora_rank
        self.budget = Budget(session.policy, run.config, reference=copied)

    def advance(self, step: int) -> Tally:
        """Go through the phases of a step, and return what was counted."""
        tally, rollouts = Tally(), list[Rollout]()
        with timed(tally, "publish"):
            self.publish()
        for asked in self.drawing.rounds(step):
            with timed(tally, "sample"), self.session.whole():
                sampled = self.sample(asked, step)
            with timed(tally, "judge"), self.session.whole():
                sampled = self.judge(sampled, step, tally)
            with timed(tally, "score"):
                scored = self.score(sampled, step, tally)
            self.drawing.saw(scored)
            rollouts += scored
        kept = self.drawing.select(step, tally)
        credits = [self.credit(rollout, step) for rollout in rollouts]
        credits += [self.credit(rollout, step, earlier=True) for rollout in kept if rollout not in rollouts]
        with timed(tally, "update"):
            self.update([c for c in credits if c.rollout in kept], step, tally)
        return tally

    def close(self) -> None:
        """Let go of what the judge holds, such as its journal: a run that goes on in this process opens it again."""
        if isinstance(self._judge, Closing):
            self._judge.close()

    def publish(self) -> None:
        """Give the weights to a sampler that holds them elsewhere, if they moved since."""
        moves = self.session.optimizer.moves
        if isinstance(self.sampler, Publishable) and self._published != moves:
            self.session.publish(self.sampler.load, shared=self.sampler.shared)
            self._published = moves

    def sample(self, chosen: Sequence[Pick], step: int) -> list[tuple[Pick, str, Group]]:
        """Draw the groups of this rank's picks."""
        config = self.config
        samples = [sample for pick in chosen if (sample := self.drawing.sample(pick)) is not None]
        params = SamplingParams(max_tokens=config.max_completion_tokens, temperature=config.temperature)
        # A sample that comes twice in a step draws from two streams.
        names = [f"{sample.id}#{pick.epoch}" for sample, pick in zip(samples, chosen, strict=True)]
        streams = Streams(config.seed, step, names)
        trajectories = self.complete(self.inputs, samples, n=config.group_size, params=params, streams=streams)
        return [
            (pick, sample.id, Group(sample=sample, trajectories=members))
            for pick, sample, members in zip(chosen, samples, trajectories, strict=True)
        ]

    def judge(
        self, sampled: Sequence[tuple[Pick, str, Group]], step: int, tally: Tally
    ) -> list[tuple[Pick, str, Group]]:
        """Ask the run's judge, where it has one, what every observation is worth."""
        if self._judge is None:
            return list(sampled)
        found = judged(self._judge, [group for *_, group in sampled], f"{self.config.seed} {step}", tally)
        return [(pick, key, group) for (pick, key, _), group in zip(sampled, found, strict=True)]

    def score(self, sampled: Sequence[tuple[Pick, str, Group]], step: int, tally: Tally) -> list[Rollout]:
        """Score every trajectory by the rubric; a scorer that breaks ends the run with its own error."""
        progress = (step - 1) / max(1, self.config.steps - 1)
        rollouts = [Rollout(pick, key, group, self.run.rubric.terms(group, progress)) for pick, key, group in sampled]
        for rollout in rollouts:
            tally_rollout(rollout, tally)
        return rollouts

    def credit(self, rollout: Rollout, step: int, *, earlier: bool = False) -> Credit:
        """Turn scores into an advantage per token, and store the group unless it is of an earlier step."""
        turns = [member.final for member in rollout.group.trajectories]
        mask = mask_of(turns, leave_out_truncated=self.config.mask_truncated)
        segments = segment_index(turns, self.run.rubric.segments)
        scores = torch.from_numpy(rollout.terms["score"])
        advantages = self.run.algorithm.advantages(scores, segments, mask)
        if self.config.store_rollouts and not earlier:
            columns = self.run.rubric.columns
            self.session.rollouts.add(step, rollout.group, rollout.terms, advantages.numpy(), columns=columns)
        old = padded([torch.from_numpy(turn.logprobs) for turn in turns])
        return Credit(rollout, mask, advantages, old)

    def update(self, credits: Sequence[Credit], step: int, tally: Tally) -> None:
        """Take the optimisation steps of a rollout step: inner steps times minibatches, each over whole groups."""
        asked = self.run.needs_reference or self.config.checks(step)
        references = self.budget.run(lambda: self._references(credits), tally) if asked else {}
        for _ in range(self.config.inner_steps):
            for part in range(self.config.minibatches):
                self._step([c for c in credits if self._minibatch(c) == part], references, step, tally)

    def _minibatch(self, credit: Credit) -> int:
        """Return which minibatch a group is in: it follows from its place in the step, not from its rank."""
        return credit.rollout.pick.place * self.config.minibatches // self.config.prompts_per_step

    def _step(self, credits: Sequence[Credit], references: dict[int, list[Tensor]], step: int, tally: Tally) -> None:
        """Take one optimisation step on groups."""
        total = count = 0.0
        for loss in self.budget.backward(lambda: self._losses(credits, references), tally):
            total, count = total + loss.total.item(), count + loss.count.item()
            tally.add_tensors(loss.metrics, "loss")
        tally.add("loss/total", total, count)
        dump = partial(self._dump, credits, step)
        self.session.optimizer.step(total, count, step, dump=dump).report(tally)

    def _dump(self, credits: Sequence[Credit], step: int, facts: dict[str, Any]) -> Path:
        """Keep what a refused step was made of."""
        facts = {"step": step, **facts, "groups": dumps.groups(credits)}
        return dumps.write(self.session.folder, step, self.session.accelerator.process_index, facts)

    def judged(self, groups: Sequence[Group]) -> Sequence[Group]:
        """Return held-out groups as the run's judge leaves them."""
        return judged(self._judge, groups, "held out") if self._judge else groups

    def complete(
        self, inputs: Inputs, samples: Sequence[Sample], *, n: int, params: SamplingParams, streams: Streams | None
    ) -> list[tuple[Trajectory, ...]]:
        """Return n one-turn trajectories per sample."""
        prompts = [self._prompt(inputs, sample) for sample in samples]
        features = inputs.features([sample.id for sample in samples]) if not self.config.train_tower else None
        if not samples:
            return []
        with self.session.autocast():
            turns = self.sampler.sample(prompts, n=n, params=params, streams=streams, features=features)
        replies.check(turns, prompts=len(prompts), n=n, max_tokens=params.max_tokens)
        return [tuple(Trajectory(turns=(turn,)) for turn in members) for members in turns]

    def _losses(self, credits: Sequence[Credit], references: dict[int, list[Tensor]]) -> Iterator[LossSum]:
        """Yield the loss of one micro-batch after the other; what has no gradient costs no forward."""
        heavy = [c for c in credits if not c.silent or references]
        for credit in credits:
            if credit.silent and not references:
                yield self._loss(credit, credit.old_logprobs, None)
        batches = list(self._micro_batches(heavy))
        idle = self.session.idle(len(batches))
        for batch in batches:
            found = self._logprobs(self.session.policy, batch)
            parts = [
                self._loss(credit, padded(rows), references.get(credit.rollout.pick.place))
                for credit, rows in zip(batch, found, strict=True)
            ]
            yield LossSum.join(parts)
        for _ in range(idle):
            yield self.session.nothing()

    def _micro_batches(self, credits: Sequence[Credit]) -> Iterator[list[Credit]]:
        """Yield groups, or where memory is short parts of them, that run together."""
        for run in self.budget.runs([self._item(credit) for credit in credits]):
            yield [credits[part.place].part(part.members) for part in run]

    def _loss(self, credit: Credit, logprobs: Tensor, reference: list[Tensor] | None) -> LossSum:
        device = logprobs.device
        return self.run.algorithm.loss(
            logprobs,
            credit.old_logprobs.to(device),
            None if reference is None else padded(reference[credit.members]).to(device),
            credit.advantages.to(device),
            credit.mask.to(device),
            kl_coef=self.config.kl_coef,
        )

    def _references(self, credits: Sequence[Credit]) -> dict[int, list[Tensor]]:
        """Return the reference's log-probs by a group's place in the step; empty where there is no reference."""
        references: dict[int, list[Tensor]] = {}
        if self.session.reference is None:
            return references
        with self.session.whole(), self.session.reference.active() as policy:
            for batch in self._micro_batches(credits):
                for credit, rows in zip(batch, self._logprobs(policy, batch), strict=True):
                    references.setdefault(credit.rollout.pick.place, []).extend(rows)
        return references

    def _logprobs(self, policy: Policy, credits: Sequence[Credit]) -> list[list[Tensor]]:
        items = [self._item(credit) for credit in credits]
        keys = [credit.rollout.key for credit in credits]
        # A reference has a tower of its own where the policy's learns.
        own = self.config.train_tower and policy is not self.session.policy
        features = policy.features([item.prompt for item in items]) if own else self.inputs.features(keys)
        batch = [replace(item, features=found) for item, found in zip(items, features, strict=True)]
        how = {"temperature": self.config.temperature, "recompute": self.config.gradient_checkpointing}
        return self.session.logprobs(policy, batch, **how)

    def _item(self, credit: Credit) -> PackItem:
        completions = [torch.from_numpy(member.final.ids) for member in credit.trajectories]
        return PackItem(self._prompt(self.inputs, credit.rollout.group.sample), None, completions)

    def _prompt(self, inputs: Inputs, sample: Sample) -> Any:
        return inputs.prompt(sample.id, lambda: with_instruction(sample.messages, self.run.variant))
