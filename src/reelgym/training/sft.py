"""The supervised loop: learn given replies to given prompts, the prompts themselves masked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from reelgym.algorithms import cross_entropy
from reelgym.algorithms.base import LossSum
from reelgym.errors import RequestError
from reelgym.training import dumps
from reelgym.training.balance import prompt_tokens
from reelgym.training.config import Data, Example, SFTRun
from reelgym.training.inputs import Inputs
from reelgym.training.memory import Budget
from reelgym.training.metrics import Tally
from reelgym.training.order import picks
from reelgym.training.packing import PackItem
from reelgym.training.session import Load, Progress, Session

if TYPE_CHECKING:
    from reelgym.models.base import Prompt

EVAL_METRIC = "eval/score"
"""Minus the mean loss per token of held-out replies: higher is better, as everywhere."""


def train(
    run: SFTRun,
    out: str | Path,
    progress: Progress | None = None,
    *,
    should_stop: Callable[[], bool] | None = None,
    load: Load | None = None,
) -> Path:
    """Train, or take up a run where its last checkpoint is, and return its folder. A finished run is left as it is.

    Args:
        run: What to train on what.
        out: The run's folder.
        progress: Called with (steps done, steps in all).
        should_stop: Asked after every step; where it says yes the run is saved and left.
        load: Loads the policy by name; `models.load` by default.

    Raises:
        RequestError: The folder holds a run with other settings; a prompt or reply is above its cap.
        WorkError: Training diverged.
    """
    session = Session(run, out, progress, should_stop=should_stop, load=load, metric=EVAL_METRIC)
    if session.finished:
        return session.folder
    learner = _Learner(session, run, run.data)
    judge = _Learner(session, run, run.eval_data) if run.eval_data else None
    measure = judge.held_out_loss if judge else None
    for step in session.steps(measure):
        tally = Tally()
        began = time.monotonic()
        chosen = picks(run.config.seed, step, size=run.config.examples_per_step, items=len(run.data.items))
        share = session.balanced(chosen, lambda pick: prompt_tokens(run.data.items[pick.index].messages))
        learner.learn(step, [pick.index for pick in share], tally)
        tally.add("time/step_seconds", time.monotonic() - began)
        session.end_step(tally, measure)
    return session.folder


class _Learner:
    """Examples of one data set as packed items, and their losses."""

    def __init__(self, session: Session, run: SFTRun, data: Data) -> None:
        self._session, self._config, self._data = session, run.config, data
        self._inputs = Inputs(session.policy, data.media, run.config)
        self._budget = Budget(session.policy, run.config)
        self._replies: dict[int, torch.Tensor] = {}

    def learn(self, step: int, indices: Sequence[int], tally: Tally) -> None:
        """Take one optimisation step on examples."""
        total = count = 0.0
        for found in self._budget.backward(lambda: self._losses(indices), tally):
            total, count = total + found.total.item(), count + found.count.item()
        self._session.optimizer.step(total, count, step, dump=partial(self._dump, indices, step)).report(tally)
        tally.add("loss/nll", total, count)
        tally.add("train/reply_tokens", count)

    def _dump(self, indices: Sequence[int], step: int, facts: dict[str, Any]) -> Path:
        """Keep what a refused step was made of."""
        examples = [{"index": index, "reply_ids": self._reply(index).tolist()} for index in indices]
        facts = {"step": step, **facts, "examples": examples}
        return dumps.write(self._session.folder, step, self._session.accelerator.process_index, facts)

    @torch.no_grad()
    def held_out_loss(self) -> dict[str, float]:
        """Return the mean loss per token of all examples, and minus it as the score."""
        tally = Tally()
        for found in self._losses(self._session.mine(list(range(len(self._data.items))))):
            tally.add("eval/nll", float(found.total), float(found.count))
        row = tally.means(self._session.accelerator)
        return row | {EVAL_METRIC: -row["eval/nll"]}

    def _losses(self, indices: Sequence[int]) -> Iterator[LossSum]:
        """Yield the loss of one micro-batch after the other."""
        items = [PackItem(self._prompt(index), None, [self._reply(index)]) for index in indices]
        runs = self._budget.runs(items)
        idle = self._session.idle(len(runs))
        for run in runs:
            places = [part.place for part in run]
            prompts = [self._prompt(indices[place]) for place in places]
            features = self._inputs.features([self._key(indices[place]) for place in places])
            batch = [
                PackItem(prompt, found, items[place].completions)
                for prompt, found, place in zip(prompts, features, places, strict=True)
            ]
            scored = self._session.logprobs(self._session.policy, batch, recompute=self._config.gradient_checkpointing)
            logprobs = torch.cat([completions[0] for completions in scored])[None]
            yield cross_entropy(logprobs, torch.ones_like(logprobs, dtype=torch.bool))
        for _ in range(idle):
            yield self._session.nothing()

    def _prompt(self, index: int) -> Prompt:
        return self._inputs.prompt(self._key(index), lambda: self._example(index).messages)

    def _example(self, index: int) -> Example:
        example = self._data.items[index]
        assert isinstance(example, Example), "SFT data holds examples"
        return example

    def _key(self, index: int) -> str:
        return f"example {index}"

    def _reply(self, index: int) -> torch.Tensor:
        """Return the reply's ids and the id that ends a turn."""
        if index not in self._replies:
            policy = self._session.policy
            ids = [*policy.tokenize(policy.family.reply_start + self._example(index).reply), policy.end_id]
            if len(ids) > self._config.max_reply_tokens:
                raise RequestError(
                    f"example {index}: its reply has {len(ids)} tokens, "
                    f"max_reply_tokens={self._config.max_reply_tokens}. Raise it, or leave the example out"
                )
            self._replies[index] = torch.tensor(ids, dtype=torch.int64)
        return self._replies[index]
