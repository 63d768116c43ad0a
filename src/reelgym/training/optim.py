"""AdamW with its learning-rate schedule, gradient clipping, reduction over ranks, and refusal of broken steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from reelgym.errors import WorkError
from reelgym.training.config import TrainConfig
from reelgym.training.metrics import Tally
from reelgym.training.sharding import full, is_sharded, like

Dump = Callable[[dict[str, Any]], Path]

MOST_BROKEN = 3
"""Broken steps in a row after which a run stops."""


@dataclass(frozen=True)
class Update:
    """What one optimisation step did.

    Attributes:
        loss: Mean over what was counted.
        grad_norm: Of the gradient before clipping.
        lr: The rate of the step.
        outcome: `taken`; `empty` where nothing was counted, so that there was nothing to learn; `refused` where the
            loss or a gradient was not finite.
    """

    loss: float
    grad_norm: float
    lr: float
    outcome: Literal["taken", "empty", "refused"]

    def report(self, tally: Tally) -> None:
        """Add the step to its row of metrics."""
        tally.add("optim/lr", self.lr)
        tally.add("optim/empty", float(self.outcome == "empty"))
        tally.add("optim/refused", float(self.outcome == "refused"))
        if self.outcome != "empty":
            tally.add("optim/grad_norm", self.grad_norm)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the rate of step `step` (from 1): a linear rise to `lr` at `warmup_steps`, then the schedule.

    `linear` and `cosine` would reach 0 at the step after the last.
    """
    if step <= config.warmup_steps:
        return config.lr * step / config.warmup_steps
    share = (step - 1 - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    share = min(max(share, 0.0), 1.0)
    if config.schedule == "linear":
        return config.lr * (1 - share)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * share))
    return config.lr


class Optimizer:
    """AdamW over the trainable parameters of a model; gradients are sums, divided here by the count of the whole step.

    Dividing once, after all micro-batches and ranks have added their sums, is what makes micro-batching, group order
    and the number of ranks irrelevant to a step.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, accelerator: Accelerator) -> None:
        """Take the parameters that require gradients; matrices decay, vectors do not."""
        self._params = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not self._params:
            raise WorkError("no parameter of the model is trainable")
        self._adam = torch.optim.AdamW(_groups(self._params.values(), config), lr=config.lr, foreach=True)
        self._config, self._accelerator = config, accelerator
        self.broken_in_a_row = 0
        self.broken = 0
        self.moves = 0
        """Steps of this process that moved weights."""

    def step(self, total: float, count: float, step: int, *, dump: Dump | None = None) -> Update:
        """Divide the gradients by the count over all ranks, clip, and step; leave gradients cleared.

        Nothing moves where no rank counted anything, or where the loss or a gradient is not finite.

        Args:
            total: This rank's sum of losses.
            count: This rank's count.
            step: The rollout or training step, from 1, for the schedule.
            dump: Called where the step is refused, with what is known of the fault; returns the file it wrote.

        Raises:
            WorkError: `MOST_BROKEN` steps in a row were not finite.
        """
        sums = torch.tensor([total, count], dtype=torch.float64 if self._device.type == "cpu" else torch.float32)
        sums = self._accelerator.reduce(sums.to(self._device), "sum")
        total, count = float(sums[0]), float(sums[1])
        rate = learning_rate(self._config, step)
        if count == 0:
            self._clear()
            return Update(0.0, 0.0, rate, "empty")
        norm = _norm(self._gradients(count))
        if not (math.isfinite(total) and bool(norm.isfinite())):
            return self._refuse(total / count, float(norm), step, dump)
        self.broken_in_a_row = 0
        for kind in _by_kind(self._params.values()):
            torch.nn.utils.clip_grads_with_norm_(kind, self._config.max_grad_norm, norm)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()
        self.moves += 1
        self._clear()
        return Update(total / count, float(norm), rate, "taken")

    def state(self) -> dict[str, Tensor]:
        """Return the moments by parameter name, `NAME/exp_avg` and so on, whole; all ranks call this, one gets them."""
        found: dict[str, Tensor] = {}
        for name, parameter in self._params.items():
            for key, value in self._adam.state.get(parameter, {}).items():
                whole = full(value.detach())
                if self._accelerator.is_main_process:
                    found[f"{name}/{key}"] = whole.to("cpu", copy=True).contiguous()
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` returned.

        Raises:
            WorkError: It holds a parameter that this model does not train.
        """
        for key, value in state.items():
            name, _, kind = key.rpartition("/")
            if name not in self._params:
                raise WorkError(f"the checkpoint has optimiser state of {name!r}, which this run does not train")
            parameter = self._params[name]
            self._adam.state[parameter][kind] = value.cpu() if kind == "step" else like(value, parameter)

    @property
    def _device(self) -> torch.device:
        return next(iter(self._params.values())).device

    def _gradients(self, count: float) -> list[Tensor]:
        """Sum gradients over ranks, divide by the count; a parameter that nothing reached has gradient zero."""
        for parameter in self._params.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self._params.values() if p.grad is not None]
        for group in _by_kind(gradients):
            # Those of sharded parameters were added up by the backward pass.
            if self._accelerator.num_processes > 1 and not is_sharded(group[0]):
                _sum_over_ranks(group, self._accelerator)
            torch._foreach_div_(group, count)
        return gradients

    def _refuse(self, loss: float, norm: float, step: int, dump: Dump | None) -> Update:
        bad = [n for n, p in self._params.items() if p.grad is not None and not bool(full(p.grad).isfinite().all())]
        facts = {"loss": loss, "grad_norm": norm, "bad_gradients": bad[:20], "bad_gradient_count": len(bad)}
        kept = f"; {dump(facts)} holds the batch" if dump else ""
        self._clear()
        self.broken += 1
        self.broken_in_a_row += 1
        if self.broken_in_a_row >= MOST_BROKEN:
            raise WorkError(
                f"step {step}: loss {loss} and gradient norm {norm} are not finite, {MOST_BROKEN} times in a row. "
                f"Lower lr, or look at the last rows of metrics.jsonl{kept}; the last checkpoint is unharmed"
            )
        return Update(loss, norm, learning_rate(self._config, step), "refused")

    def _clear(self) -> None:
        self._adam.zero_grad(set_to_none=True)


def _groups(parameters: Iterable[Tensor], config: TrainConfig) -> list[dict[str, Any]]:
    """Return parameter groups: matrices decay, vectors do not; sharded and whole ones never share a kernel call."""
    groups: list[dict[str, Any]] = []
    for group in _by_kind(parameters):
        groups.append({"params": [p for p in group if p.ndim >= 2], "weight_decay": config.weight_decay})
        groups.append({"params": [p for p in group if p.ndim < 2], "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def _by_kind(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """Return the whole tensors and the sharded ones, without empty lists."""
    kinds: tuple[list[Tensor], list[Tensor]] = [], []
    for tensor in tensors:
        kinds[is_sharded(tensor)].append(tensor)
    return [kind for kind in kinds if kind]


def _norm(gradients: Iterable[Tensor]) -> Tensor:
    """Return the norm of all gradients together, whole."""
    norms = [full(torch.nn.utils.get_total_norm(group)) for group in _by_kind(gradients)]
    return norms[0] if len(norms) == 1 else torch.stack(norms).norm()


def _sum_over_ranks(gradients: Iterable[Tensor], accelerator: Accelerator) -> None:
    """Add up gradients in place over ranks, many small ones in one message."""
    batch: list[Tensor] = []
    elements = 0
    for gradient in [*gradients, None]:
        if batch and (gradient is None or elements + gradient.numel() > 1 << 24 or gradient.dtype != batch[0].dtype):
            flat = accelerator.reduce(torch.cat([g.reshape(-1) for g in batch]), "sum")
            for target, part in zip(batch, flat.split([g.numel() for g in batch]), strict=True):
                target.copy_(part.view_as(target))
            batch, elements = [], 0
        if gradient is not None:
            batch.append(gradient)
            elements += gradient.numel()
