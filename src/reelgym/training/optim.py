"""AdamW with its learning-rate schedule, gradient clipping, reduction over ranks, and refusal of broken steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from reelgym.errors import WorkError
from reelgym.training.config import TrainConfig
from reelgym.training.metrics import Tally

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
        decayed = [p for p in self._params.values() if p.ndim >= 2]
        plain = [p for p in self._params.values() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self._adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr, foreach=True)
        self._config, self._accelerator = config, accelerator
        self.broken_in_a_row = 0
        self.broken = 0

    def step(self, total: float, count: float, step: int) -> Update:
        """Divide the gradients by the count over all ranks, clip, and step; leave gradients cleared.

        Nothing moves where no rank counted anything, or where the loss or a gradient is not finite.

        Args:
            total: This rank's sum of losses.
            count: This rank's count.
            step: The rollout or training step, from 1, for the schedule.

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
        gradients = self._gradients(count)
        norm = torch.nn.utils.get_total_norm(gradients)
        if not (math.isfinite(total) and bool(norm.isfinite())):
            return self._refuse(total / count, float(norm), step)
        self.broken_in_a_row = 0
        torch.nn.utils.clip_grads_with_norm_(list(self._params.values()), self._config.max_grad_norm, norm)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()
        self._clear()
        return Update(total / count, float(norm), rate, "taken")

    def state(self) -> dict[str, Tensor]:
        """Return the moments by parameter name, `NAME/exp_avg` and so on."""
        found: dict[str, Tensor] = {}
        for name, parameter in self._params.items():
            for key, value in self._adam.state.get(parameter, {}).items():
                found[f"{name}/{key}"] = value.detach().clone().contiguous()
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
            device = torch.device("cpu") if kind == "step" else parameter.device
            self._adam.state[parameter][kind] = value.to(device)

    @property
    def _device(self) -> torch.device:
        return next(iter(self._params.values())).device

    def _gradients(self, count: float) -> list[Tensor]:
        """Sum gradients over ranks, divide by the count; a parameter that nothing reached has gradient zero."""
        for parameter in self._params.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self._params.values() if p.grad is not None]
        if self._accelerator.num_processes > 1:
            _sum_over_ranks(gradients, self._accelerator)
        torch._foreach_div_(gradients, count)
        return gradients

    def _refuse(self, loss: float, norm: float, step: int) -> Update:
        self._clear()
        self.broken += 1
        self.broken_in_a_row += 1
        if self.broken_in_a_row >= MOST_BROKEN:
            raise WorkError(
                f"step {step}: loss {loss} and gradient norm {norm} are not finite, {MOST_BROKEN} times in a row. "
                "Lower lr, or look at the last rows of metrics.jsonl; the last checkpoint is unharmed"
            )
        return Update(loss, norm, learning_rate(self._config, step), "refused")

    def _clear(self) -> None:
        self._adam.zero_grad(set_to_none=True)


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
