"""LoRA folded into the weights it was trained beside. Reference: LoRA, arXiv 2106.09685."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reelgym.errors import WorkError


def adapted(model: nn.Module) -> dict[str, Any]:
    """Return the layers that hold adapters, by name; none where there are none."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


@torch.no_grad()
def deltas(model: nn.Module) -> dict[str, Tensor]:
    """Return by layer what its adapters add to its weight, in float32.

    Raises:
        WorkError: A form of adapter that is no plain sum of a product.
    """
    found = {}
    for name, layer in adapted(model).items():
        if any(layer.use_dora.values()):
            raise WorkError(f"{name} holds a DoRA adapter: only plain LoRA can be folded in here")
        parts = [
            layer.lora_B[adapter].weight.float() @ layer.lora_A[adapter].weight.float() * layer.scaling[adapter]
            for adapter in layer.active_adapters
            if adapter in layer.lora_A
        ]
        if parts:
            found[name] = torch.stack(parts).sum(0)
    return found


def stored_deltas(folder: Path) -> dict[str, Tensor]:
    """Return by layer what an adapter's files in PEFT's form add to its weight, in float32; plain LoRA of one rank."""
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    stored = load_file(folder / "adapter_model.safetensors")
    scale = float(settings["lora_alpha"]) / float(settings["r"])
    end, prefix = ".lora_A.weight", "base_model.model."
    names = [name.removesuffix(end) for name in stored if name.endswith(end)]
    return {
        name.removeprefix(prefix): stored[f"{name}.lora_B.weight"].float() @ stored[name + end].float() * scale
        for name in names
    }


@torch.no_grad()
def merge(model: Any) -> dict[str, float]:
    """Fold all active adapters into their base weights and take them off; the sum is made in float32.

    Returns:
        By layer, how often its adapter is in the weight afterwards: 1 but for the rounding of the weight's type.

    Raises:
        WorkError: An adapter is folded in already, or is of another form than plain LoRA.
    """
    added = deltas(model)
    done = {}
    for name, layer in adapted(model).items():
        if layer.merged:
            raise WorkError(f"{name} has its adapter folded in already: merging again would add it twice")
        base = layer.base_layer
        if name in added:
            before = base.weight.detach().float().clone()
            base.weight.copy_(before + added[name])
            done[name] = times(before, base.weight, added[name])
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, base)
    # With an adapter come its renamings of weights, which must not be undone when the whole model is saved.
    for name in ("peft_config", "_hf_peft_config_loaded", "_weight_conversions") if done else ():
        if name in vars(model):
            delattr(model, name)
    return done


def times(before: Tensor, after: Tensor, delta: Tensor) -> float:
    """Return how often `delta` lies between two weights, by least squares; 1 for a delta of zeros.

    >>> one = torch.eye(2)
    >>> times(one, one + 2 * one, one)
    2.0
    """
    size = float((delta * delta).sum())
    return float(((after.float() - before.float()) * delta).sum()) / size if size else 1.0
