"""What every loop shares: opening a run's folder, resuming, counting steps, evaluating, saving, stopping."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from reelgym.algorithms.base import LossSum
from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError
from reelgym.training import checkpoint, describe, packing, trackers, weights
from reelgym.training.balance import shares
from reelgym.training.checkpoint import Kept, State
from reelgym.training.config import RLRun, SFTRun, TrainConfig
from reelgym.training.metrics import MetricsFile, Tally
from reelgym.training.optim import Optimizer
from reelgym.training.order import derive
from reelgym.training.packing import PackItem
from reelgym.training.rollouts import RolloutFiles
from reelgym.training.sharding import Sharded, full_state

if TYPE_CHECKING:
    from reelgym.models.base import Policy

Progress = Callable[[int, int], None]
Load = Callable[..., "Policy"]
Watch = Callable[[int, Mapping[str, float], bool], dict[str, float]]
Item = TypeVar("Item")


class Session:
    """One call of `train`: the policy, optimiser and files of a run, new or taken up where its last checkpoint is.

    Attributes:
        folder: The run's folder.
        policy: What is trained.
        optimizer: Its optimiser.
        accelerator: Device and ranks.
        reference: The starting policy where the loop needs one, else None.
        rollouts: Where sampled groups are stored.
        state: Where the run stands.
        before_sampling: Called by all ranks before an evaluation; the loop sets it.
        watch: Called after every step with (step, row, whether it is the last); returns what joins the row. Or None.
    """

    def __init__(
        self,
        run: SFTRun | RLRun,
        out: str | Path,
        progress: Progress | None,
        *,
        should_stop: Callable[[], bool] | None,
        load: Load | None,
        metric: str,
        with_reference: bool = False,
    ) -> None:
        """Open or resume; a finished run loads nothing."""
        self.folder, self.config = Path(out), run.config
        self._run, self._progress, self._should_stop = run, progress, should_stop or (lambda: False)
        self._metric = metric
        self.accelerator = accelerator(run.config, self.folder)
        self._open_folder(run)
        found = checkpoint.latest(self.folder)
        self.state = checkpoint.read_state(found) if found else State()
        self._began = time.monotonic() - self.state.seconds
        self.stopped, self._saved = False, self.state.step
        self.before_sampling: Callable[[], None] = lambda: None
        self.watch: Watch | None = None
        self._kept: dict[str, Kept] = {}
        self._stored = checkpoint.read_kept(found) if found else {}
        if not self.finished:
            self._open_policy(found, load or _load, with_reference)
            trackers.start(self.accelerator, self.config, self.folder)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do: all steps done, time spent, or patience lost."""
        config, state = self.config, self.state
        out_of_time = 0 < config.time_budget_seconds <= state.seconds
        return state.step >= config.steps or out_of_time or 0 < config.patience <= state.stale

    @property
    def main(self) -> bool:
        """Whether this is the rank that writes."""
        return bool(self.accelerator.is_main_process)

    def steps(self, measure: Callable[[], dict[str, float]] | None) -> Iterator[int]:
        """Yield the steps still to do, from 1; the loop calls `end_step` in each.

        The first evaluation, before any training, is made here.
        """
        if measure and self.state.step == 0:
            row = self._judge(measure)
            self._log(0, row | self._watched(0, row, last=False))
        # Asked before the first step too: a signal within it then waits for its end.
        self.stopped = self._agree(self._should_stop())
        while not self.finished and not self.stopped:
            step = self.state.step + 1
            torch.manual_seed(derive(self.config.seed, "torch", step))
            yield step
            assert self.state.step == step, "a loop must call end_step in every step"
            self.stopped = self._agree(self._should_stop())
            if self.stopped and self._saved != step:
                self._save()
        if self.main:
            shutil.rmtree(self.folder / "published", ignore_errors=True)
            self.accelerator.end_training()

    def end_step(self, tally: Tally, measure: Callable[[], dict[str, float]] | None) -> None:
        """Count the step, log its row, evaluate and save where it is time to."""
        config, optimizer = self.config, self.optimizer
        seconds = self._agree_seconds(time.monotonic() - self._began)
        broken = {"broken": optimizer.broken, "broken_in_a_row": optimizer.broken_in_a_row}
        self.state = replace(self.state, step=self.state.step + 1, seconds=seconds, **broken)
        step = self.state.step
        row = tally.means(self.accelerator)
        last = step >= config.steps or self.finished
        if measure and (last or (config.eval_every and step % config.eval_every == 0)):
            row |= self._judge(measure)
        self._log(step, row | self._watched(step, row, last=last))
        if self.finished or step % config.save_every == 0 or self.state.best_step == step:
            self._save()
        if self._progress:
            self._progress(step, config.steps)

    def publish(self, load: Callable[..., None], *, shared: bool) -> None:
        """Write the weights, the adapter alone under LoRA, to a folder in the run's and let every rank `load` it.

        Where ranks share what loads, one of them does. All ranks call this.
        """
        # A name of its own in every life of the run: servers keep adapters, and what they cached, by name.
        folder = self.folder / "published" / f"{self.optimizer.moves}-{os.getpid()}"
        state = self._full_state()
        if self.main:
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.mkdir(parents=True)
            self._write_policy(state, folder)
        self.accelerator.wait_for_everyone()
        if self.main or not shared:
            load(folder.resolve(), adapter=self.config.lora_rank > 0, tower=self.config.train_tower)
        self.accelerator.wait_for_everyone()

    def whole(self) -> contextlib.AbstractContextManager[None]:
        """Hold all weights on this rank inside, for forward passes that other ranks need not make; all ranks enter."""
        return self.sharded.whole() if self.sharded else contextlib.nullcontext()

    def logprobs(self, policy: Policy, items: Sequence[PackItem], **how: Any) -> list[list[Tensor]]:
        """Return `packing.group_logprobs`; of sharded weights under gradients all ranks ask at the same time."""
        call = partial(packing.group_logprobs, policy, items, **how)
        with self.autocast():
            if self.sharded is None or policy is not self.policy:
                return call()
            # Copies: views of one tensor would lose the hooks by which a backward pass gathers weights.
            return self.sharded.forward(lambda: [[row.clone() for row in rows] for rows in call()])

    def idle(self, batches: int) -> int:
        """Return how many forward passes this rank makes for nothing after its own, so that all make equally many.

        All ranks call this before their first. Weights that are whole on each rank ask for none.
        """
        if not self.sharded or not torch.is_grad_enabled():
            return 0
        return int(max(gather_object([batches]))) - batches

    def nothing(self) -> LossSum:
        """Return a loss of 0 over nothing, after a forward pass over the shortest prompt there is."""
        prompt = self.policy.encode((Message("user", (Text("."),)),), _no_media)
        item = PackItem(prompt, None, [torch.tensor([self.policy.end_id])])
        zero = self.logprobs(self.policy, [item])[0][0].sum() * 0.0
        return LossSum(zero, torch.zeros(()))

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return bf16 compute on a GPU, nothing elsewhere; losses and optimiser state are float32 either way."""
        if self.accelerator.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def keep(self, name: str, kept: Kept) -> None:
        """Let checkpoints hold the state of `kept`; give it back what the checkpoint of a resumed run holds.

        Equal on all ranks; called once per name before the first step.
        """
        self._kept[name] = kept
        if name in self._stored:
            kept.load_state(self._stored[name])

    def mine(self, items: list[Any]) -> list[Any]:
        """Return this rank's share of items of about equal weight: every so-manieth."""
        return items[self.accelerator.process_index :: self.accelerator.num_processes]

    def balanced(self, items: Sequence[Item], tokens: Callable[[Item], int]) -> list[Item]:
        """Return this rank's share of a step's items, so that ranks have about equally many tokens; all are taken."""
        if self.accelerator.num_processes == 1:
            return list(items)
        spread = shares([tokens(item) for item in items], self.accelerator.num_processes)
        return [items[place] for place in spread[self.accelerator.process_index]]

    def gather(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of all ranks, those of rank 0 first; every rank must call it."""
        return list(items) if self.accelerator.num_processes == 1 else list(gather_object(list(items)))

    def _open_folder(self, run: SFTRun | RLRun) -> None:
        described, path = describe.describe(run), self.folder / "config.json"
        described["origin"] |= {"datasets": list(run.data.folders)}
        if path.is_file():
            describe.refuse_changes(json.loads(path.read_text()), run, self.folder)
        elif self.folder.is_dir() and any(self.folder.glob("dataset.json")):
            raise RequestError(f"{self.folder} is a dataset: choose another folder with --out")
        if self.main:
            (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            checkpoint.clean(self.folder)
            checkpoint.write_json(path, described)
            checkpoint.write_json(self.folder / "versions.json", describe.versions())
        self.accelerator.wait_for_everyone()

    def _open_policy(self, found: Path | None, load: Load, with_reference: bool) -> None:
        config, device = self.config, self.accelerator.device
        # Weights that learn stay float32: bf16 would round small updates away. A base under LoRA does not learn.
        frozen = bool(config.lora_rank) and device.type == "cuda"
        how: dict[str, Any] = {"device": device, "dtype": torch.bfloat16 if frozen else torch.float32}
        begin = self._run.policy
        self.policy = load(str(found) if found and not config.lora_rank else begin, **how)
        weights.prepare(self.policy, config)
        adapters = config.lora_rank > 0
        self.reference = None
        if with_reference:
            base = self.policy if adapters or not found else load(begin, **how)
            self.reference = weights.Reference(base, adapters=adapters)
        if found and adapters:
            weights.restore_adapter(self.policy, found)
        self.policy.cold_started = True
        # Cached on first use, which must not be the sampler's: a tensor made in inference mode has no backward.
        _ = self.policy.forbidden_ids
        self.sharded = Sharded(self.policy.model, self.accelerator) if config.shard else None
        self.optimizer = Optimizer(self.policy.model, config, self.accelerator)
        if found:
            self.optimizer.restore(checkpoint.read_moments(found))
            self.optimizer.broken = self.state.broken
            self.optimizer.broken_in_a_row = self.state.broken_in_a_row
        ranks = {"rank": self.accelerator.process_index, "ranks": self.accelerator.num_processes}
        self.rollouts = RolloutFiles(self.folder, after=self.state.step, **ranks)
        # A new run rewrites its row of step 0; a resumed one keeps it.
        self._metrics = MetricsFile(self.folder, after=self.state.step if found else -1) if self.main else None

    def _judge(self, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Evaluate; remember the best."""
        began = time.monotonic()
        self.before_sampling()
        with self.whole():
            row = measure()
        self.state = self.state.judged(row[self._metric])
        return row | {"time/eval_seconds": time.monotonic() - began}

    def _watched(self, step: int, row: Mapping[str, float], *, last: bool) -> dict[str, float]:
        return self.watch(step, row, last) if self.watch else {}

    def _log(self, step: int, row: dict[str, float]) -> None:
        if self._metrics:
            self._metrics.append(step, row)
        if self.config.trackers:
            self.accelerator.log(row, step=step)

    def _save(self) -> None:
        self._saved = self.state.step
        self.rollouts.write(self.state.step)
        state = self._full_state()
        moments = self.optimizer.state()
        if self.main:
            kept = {name: each.state() for name, each in self._kept.items()}
            save = partial(self._write_policy, state)
            checkpoint.write(self.folder, self.state, save, moments, self._metric, kept=kept)
        self.accelerator.wait_for_everyone()

    def _full_state(self) -> dict[str, Tensor] | None:
        """Return the weights to be written where the model's own are spread over ranks; None where they are not."""
        only = "lora_" if self.config.lora_rank else ""
        return full_state(self.policy.model, keep=self.main, only=only) if self.sharded else None

    def _write_policy(self, state: dict[str, Tensor] | None, folder: Path) -> None:
        with self.sharded.saving() if self.sharded else contextlib.nullcontext():
            weights.save(self.policy, self.config, folder, state)

    def _agree(self, claim: bool) -> bool:
        """Return whether any rank claims it."""
        if self.accelerator.num_processes == 1:
            return claim
        votes = torch.tensor(float(claim), device=self.accelerator.device)
        return bool(self.accelerator.reduce(votes, "sum") > 0)

    def _agree_seconds(self, seconds: float) -> float:
        """Return the mean over ranks, so that all stop at the same step."""
        if self.accelerator.num_processes == 1:
            return seconds
        return float(self.accelerator.reduce(torch.tensor(seconds, device=self.accelerator.device), "mean"))


def accelerator(config: TrainConfig, folder: Path) -> Accelerator:
    """Return accelerate's handle: a CUDA GPU where there is one, else the CPU; no tracker is started yet."""
    chosen = os.environ.get("ACCELERATE_USE_FSDP"), os.environ.get("ACCELERATE_USE_DEEPSPEED")
    if "true" in chosen:
        raise RequestError(
            "accelerate was told to shard by itself (FSDP or DeepSpeed): launch with distributed_type MULTI_GPU, as in "
            "configs/accelerate, and give shard=true"
        )
    trackers.check(config.trackers)
    kwargs: dict[str, Any] = {"log_with": list(config.trackers), "project_dir": str(folder)} if config.trackers else {}
    return Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="no", **kwargs)


def _no_media(part: object) -> Any:
    raise AssertionError("a prompt of text alone shows no media")


def _load(name: str, **how: Any) -> Policy:
    from reelgym import models

    return models.load(name, **how)
