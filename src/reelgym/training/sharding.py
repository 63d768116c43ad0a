"""Weights, gradients and moments spread over ranks: FSDP2, torch's `fully_shard`, over the language model.

Each layer's weights are put together for its forward and backward alone. The vision tower stays whole on every rank, so
that a rank whose batch shows no video takes part in all the others wait for; `optim` adds its gradients up. What only
reads weights (sampling, references, evaluation) runs inside `whole`, where no rank waits for another.

Reference: FSDP, Zhao et al., arXiv 2304.11277; FSDP2 is its form on one DTensor per parameter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from reelgym.errors import RequestError
from reelgym.models.parts import text_of, tower_of

Found = TypeVar("Found")


class Sharded:
    """The language model of a policy, sharded in place over all ranks of an accelerator."""

    def __init__(self, model: Any, accelerator: Accelerator) -> None:
        """Shard every decoder layer, and what is outside layers and tower as one more unit.

        Raises:
            RequestError: torch is too old, or there are no ranks.
        """
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

        if not torch.distributed.is_initialized():
            raise RequestError("shard=true needs several ranks: start it with `accelerate launch` or `torchrun`")
        if not hasattr(FSDPModule, "set_force_sum_reduction_for_comms"):
            raise RequestError(
                f"shard=true needs torch 2.8 or newer, this is {torch.__version__}: upgrade, or leave it"
            )
        self.model, self._plain, self._is_whole = model, type(model), False
        mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
        for layer in text_of(model).layers:
            fully_shard(layer, mesh=mesh)
        tower = tower_of(model)
        fully_shard(model, mesh=mesh, ignored_params=set() if tower is None else set(tower.parameters()))
        self._units: list[Any] = [module for module in model.modules() if isinstance(module, FSDPModule)]
        for unit in self._units:
            # A step divides by its own count, once: ranks add up, and gloo knows no other way.
            unit.set_force_sum_reduction_for_comms(True)
            unit.set_gradient_divide_factor(1.0)
        model.reelgym_forward = _call
        register_fsdp_forward_method(model, "reelgym_forward")
        self.forward(lambda: None)  # The outermost unit has to be the first that runs: it finds the others.
        model.reshard()

    def forward(self, call: Callable[[], Found]) -> Found:
        """Return what `call` returns: one forward pass through the model, which every rank makes at the same time.

        The tensors it returns carry gradients; a backward pass through them is also made by every rank.
        """
        return call() if self._is_whole else self.model.reelgym_forward(call)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Hold all weights on every rank inside, for any number of forward passes without gradients.

        FSDP's hooks are away meanwhile: they would count the passes, and ranks that made more of them than others would
        gather in another order in the next backward pass, for ever waiting.
        """
        if self._is_whole:
            yield
            return
        hooks = [(unit._forward_pre_hooks, unit._forward_hooks) for unit in self._units]
        for unit in self._units:
            unit.unshard()
            unit._forward_pre_hooks, unit._forward_hooks = OrderedDict(), OrderedDict()
        self._is_whole = True
        try:
            yield
        finally:
            self._is_whole = False
            for unit, (before, after) in zip(self._units, hooks, strict=True):
                unit._forward_pre_hooks, unit._forward_hooks = before, after
                unit.reshard()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Let the model go by its stock class inside: transformers names what it saves by the class."""
        sharded = type(self.model)
        self.model.__class__ = self._plain
        try:
            yield
        finally:
            self.model.__class__ = sharded


def _call(call: Callable[[], Found]) -> Found:
    return call()


def is_sharded(tensor: Tensor) -> bool:
    """Return whether a tensor is spread over ranks."""
    return hasattr(tensor, "full_tensor")


def full(tensor: Tensor) -> Tensor:
    """Return a tensor put together from all ranks, which all call this; one that is whole as it is."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """Return `value`, the same on every rank, spread as a parameter is."""
    value = value.to(parameter.device)
    if not is_sharded(parameter):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value, parameter.device_mesh, parameter.placements)  # type: ignore[attr-defined]


def full_state(model: nn.Module, *, keep: bool, only: str = "") -> dict[str, Tensor]:
    """Return the model's state with every tensor whole, on the CPU, where `keep`, else nothing; all ranks call this.

    One tensor is put together at a time; `only` names what those of interest have in their name.
    """
    found: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if only in name:
            whole = full(value.detach())
            if keep:
                found[name] = whole.cpu()
    return found
