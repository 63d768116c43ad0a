"""What every loop shares: opening a run's folder, resuming, counting steps, evaluating, saving, stopping."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator

from reelgym.errors import RequestError
from reelgym.training import checkpoint, describe, trackers, weights
from reelgym.training.checkpoint import State
from reelgym.training.config import RLRun, SFTRun, TrainConfig
from reelgym.training.metrics import MetricsFile, Tally
from reelgym.training.optim import Optimizer
from reelgym.training.order import derive
from reelgym.training.rollouts import RolloutFiles

if TYPE_CHECKING:
    from reelgym.models.base import Policy

Progress = Callable[[int, int], None]
Load = Callable[..., "Policy"]


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
            self._log(0, row)
        while not self.finished and not self.stopped:
            step = self.state.step + 1
            torch.manual_seed(derive(self.config.seed, "torch", step))
            yield step
            assert self.state.step == step, "a loop must call end_step in every step"
            self.stopped = self._agree(self._should_stop())
            if self.stopped and self._saved != step:
                self._save()
        if self.main:
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
        self._log(step, row)
        if self.finished or step % config.save_every == 0 or self.state.best_step == step:
            self._save()
        if self._progress:
            self._progress(step, config.steps)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return bf16 compute on a GPU, nothing elsewhere; losses and optimiser state are float32 either way."""
        if self.accelerator.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def mine(self, items: list[Any]) -> list[Any]:
        """Return this rank's share of a step's items."""
        return items[self.accelerator.process_index :: self.accelerator.num_processes]

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
        row = measure()
        self.state = self.state.judged(row[self._metric])
        return row | {"time/eval_seconds": time.monotonic() - began}

    def _log(self, step: int, row: dict[str, float]) -> None:
        if self._metrics:
            self._metrics.append(step, row)
        if self.config.trackers:
            self.accelerator.log(row, step=step)

    def _save(self) -> None:
        self._saved = self.state.step
        self.rollouts.write(self.state.step)
        if self.main:
            checkpoint.write(
                self.folder,
                self.state,
                lambda folder: weights.save(self.policy, self.config, folder),
                self.optimizer.state(),
                self._metric,
            )
        self.accelerator.wait_for_everyone()

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
    trackers.check(config.trackers)
    kwargs: dict[str, Any] = {"log_with": list(config.trackers), "project_dir": str(folder)} if config.trackers else {}
    return Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="no", **kwargs)


def _load(name: str, **how: Any) -> Policy:
    from reelgym import models

    return models.load(name, **how)
