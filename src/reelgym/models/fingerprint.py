"""Which model this is: a name for all that its greedy replies depend on."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
import transformers

if TYPE_CHECKING:
    from reelgym.models.base import Policy

SAMPLED = 4096
"""Numbers of a tensor that are looked at, evenly spaced; training moves more than those it leaves."""


def fingerprint(policy: Policy) -> str:
    """Return a SHA-256 over the policy's weights, config, template, budgets of pixels, device kind and releases.

    Of every tensor at most `SAMPLED` numbers count, so that billions of parameters take seconds: two checkpoints of one
    training differ, a file patched by hand in one number may not.
    """
    total = hashlib.sha256()
    about = (policy.position_rule, policy.device.type, asdict(policy.sizing), sorted(policy.eos_ids))
    total.update(repr((about, torch.__version__, transformers.__version__)).encode())
    total.update(policy.model.config.to_json_string().encode())
    total.update(str(policy.tokenizer.chat_template).encode())
    for name, value in sorted(policy.model.state_dict().items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        flat = value.detach().reshape(-1)
        some = flat[:: max(1, -(-len(flat) // SAMPLED))].contiguous().cpu()
        total.update(some.view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
