"""Which weights a run trains, and what it measures its divergence from: frozen towers, adapters, references."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reelgym.errors import RequestError, WorkError
from reelgym.models.parts import tower_of
from reelgym.training.config import TrainConfig
from reelgym.training.order import derive

if TYPE_CHECKING:
    from reelgym.models.base import Policy

ADAPTER = "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What PEFT puts before the names of adapter weights in files."""


def prepare(policy: Policy, config: TrainConfig) -> None:
    """Choose what is trained: everything, all but the vision tower, or LoRA on the language model's linear layers.

    Adapters are put into `policy.model` itself, which stays the stock class. The model stays in evaluation mode:
    dropout would make sampling and training disagree.
    """
    policy.model.eval()
    policy.model.requires_grad_(True)
    tower = tower_of(policy.model)
    if not config.train_tower and tower is not None:
        tower.requires_grad_(False)
    if not config.lora_rank:
        return
    if config.train_tower:
        raise RequestError("train_tower=True does not go with lora_rank: adapters train the language model only")
    from peft import LoraConfig

    names = language_linears(policy.model, tower)
    if not names:
        raise WorkError("no linear layer of a language model was found to put LoRA on")
    policy.model.requires_grad_(False)
    settings = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=names, task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(derive(config.seed, "lora"))
        policy.model.add_adapter(settings)
    for parameter in policy.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    policy.model.eval()


def language_linears(model: nn.Module, tower: nn.Module | None) -> list[str]:
    """Return the full names of linear layers outside the vision tower and the output head."""
    outside = set() if tower is None else set(tower.modules())
    head = getattr(model, "lm_head", None)
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module not in outside and module is not head
    ]


def save(policy: Policy, config: TrainConfig, folder: Path, state: dict[str, Tensor] | None = None) -> None:
    """Write the policy as `policy.save` does; under LoRA the adapter alone in PEFT's form, and the tokenizer.

    `save_pretrained` would do it too, but asks the hub for the base model's config each time. `state` holds the weights
    where the model's own are spread over ranks.
    """
    if not config.lora_rank:
        policy.save(folder, state)
        return
    from peft import get_peft_model_state_dict

    found = get_peft_model_state_dict(policy.model, state_dict=state, save_embedding_layers=False)
    save_file({f"{PREFIX}{name}": value.detach().cpu().contiguous() for name, value in found.items()}, folder / ADAPTER)
    settings = copy.copy(policy.model.peft_config["default"])
    settings.base_model_name_or_path, settings.inference_mode = policy.source, True
    settings.save_pretrained(str(folder))
    policy.tokenizer.save_pretrained(str(folder))


def restore_adapter(policy: Policy, folder: Path) -> None:
    """Load the adapter that `save` wrote into the one that `prepare` made."""
    from peft import set_peft_model_state_dict

    stored = {name.removeprefix(PREFIX): value for name, value in load_file(folder / ADAPTER).items()}
    result: Any = set_peft_model_state_dict(policy.model, stored)
    if result.unexpected_keys:
        raise WorkError(f"{folder}: the adapter does not fit the model: {', '.join(result.unexpected_keys[:3])}")


class Reference:
    """The policy as the run began it: the base under LoRA (adapters off), else a frozen copy."""

    def __init__(self, policy: Policy, *, adapters: bool) -> None:
        """Copy the weights, unless adapters can simply be left out."""
        self._policy, self._adapters = policy, adapters
        if not adapters:
            self._policy = replace(policy, model=copy.deepcopy(policy.model).requires_grad_(False))

    @contextmanager
    def active(self) -> Iterator[Policy]:
        """Yield the reference, without gradients."""
        if self._adapters:
            self._policy.model.disable_adapters()
        try:
            with torch.no_grad():
                yield self._policy
        finally:
            if self._adapters:
                self._policy.model.enable_adapters()
