"""Whether a model learns: one step of GRPO with its memory, part by part, and its adapter folded in."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor

from reelgym.algorithms import GRPO
from reelgym.doctor.check import Check
from reelgym.doctor.running import flat, items, logprobs, turns
from reelgym.doctor.subject import Subject
from reelgym.models import merging
from reelgym.training import packing, weights
from reelgym.training.config import RLConfig
from reelgym.training.credit import mask_of, padded

MIB = 1 << 20
RANK = 8
"""Of the adapter that is put on for the step where the model has none: it fits wherever the model does."""
RATE = 1e-4
"""Of the step; large enough to be seen in float32."""
MERGED = 0.02
"""How far from once an adapter may be in the weights, rounding of 16 bits included. Ours."""


def checks() -> dict[str, Callable[[Subject], Check]]:
    """Return the checks by name, in their order; each leaves the model changed."""
    return {"GRPO step": step, "LoRA merged": merged}


def step(subject: Subject) -> Check:
    """Return whether one step makes what was paid likelier, and what it takes."""
    policy, groups = subject.policy, turns(subject)
    trained = _trainable(subject)
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    before = _paid(subject)
    held, peak = _memory(policy.device)
    total = torch.zeros((), device=policy.device)
    count = 0.0
    for rows, group in zip(packing.group_logprobs(policy, items(subject)), groups, strict=True):
        mask = mask_of(group, leave_out_truncated=False).to(policy.device)
        old = padded([torch.from_numpy(turn.logprobs) for turn in group]).to(policy.device)
        advantages = _signs(len(group), policy.device)[:, None] * mask
        loss = GRPO().loss(padded(rows), old, None, advantages, mask)
        total, count = total + loss.total, count + float(loss.count)
    (total / count).backward()  # type: ignore[no-untyped-call]
    _, most = _memory(policy.device)
    norm = float(torch.stack([one.grad.norm() for one in trained if one.grad is not None]).norm())
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    gain = _paid(subject) - before
    memory = _parts(subject, trained, held, peak, most)
    told = f"gradient of length {norm:.3g}, what was paid {gain:+.1e} nats a token likelier; {memory}"
    if not norm > 0 or not gain > 0:
        return Check("GRPO step", False, f"the step does not teach: {told}")
    return Check("GRPO step", True, told)


def merged(subject: Subject) -> Check:
    """Return whether the adapter, folded into the weights, gives the log-probs that it gave beside them."""
    model = subject.policy.model
    if not merging.adapted(model):
        return Check("LoRA merged", None, "no adapter")
    with torch.no_grad():
        beside = flat(packing.group_logprobs(subject.policy, items(subject)))
    added = merging.deltas(model)
    layers = {name: merging.adapted(model)[name].base_layer for name in added}
    largest = max(added, key=lambda name: float(added[name].norm()))
    before = layers[largest].weight.detach().float().clone()
    merging.merge(model)
    often = merging.times(before, layers[largest].weight.detach(), added[largest])
    with torch.no_grad():
        folded = flat(packing.group_logprobs(subject.policy, items(subject)))
    found = logprobs("LoRA merged", subject, folded, beside)
    told = f"the adapter is {often:.2f} times in the weights of {largest}, allowed 1 +- {MERGED:g}; {found.found}"
    right = abs(often - 1) <= MERGED
    wrong = "" if right else "merged twice: " if round(often) == 2 else "merged wrongly: "
    return Check("LoRA merged", right and bool(found.passed), wrong + told)


def _trainable(subject: Subject) -> list[torch.nn.Parameter]:
    """Return what the step trains: the adapters that are there, else new ones."""
    model = subject.policy.model
    if merging.adapted(model):
        model.requires_grad_(False)
        for name, weight in model.named_parameters():
            weight.requires_grad_("lora_" in name)
    else:
        weights.prepare(subject.policy, RLConfig(lora_rank=RANK))
    return [weight for weight in model.parameters() if weight.requires_grad]


def _signs(members: int, device: torch.device) -> Tensor:
    """Return (G,): every second member was paid."""
    return 1.0 - 2.0 * (torch.arange(members, device=device) % 2)


def _paid(subject: Subject) -> float:
    """Return how much likelier, per token, what was paid is than what was not."""
    with torch.no_grad():
        rows = packing.group_logprobs(subject.policy, items(subject))
    total = 0.0
    for group in rows:
        total += sum(
            float(sign * row.sum()) for sign, row in zip(_signs(len(group), group[0].device), group, strict=True)
        )
    return total / sum(len(row) for group in rows for row in group)


def _memory(device: torch.device) -> tuple[int, int]:
    """Return bytes held now and the most so far: on a GPU what torch holds, else what the process held at most."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, peak


def _parts(subject: Subject, trained: list[torch.nn.Parameter], held: int, peak: int, most: int) -> str:
    """Return the memory of the step in words."""
    whole = sum(one.numel() * one.element_size() for one in subject.policy.model.parameters())
    learn = sum(one.numel() * one.element_size() for one in trained)
    parts = {"weights": whole, "gradients": learn, "moments": 2 * learn}
    if subject.policy.device.type == "cuda":
        parts["activations and logits"] = max(0, most - held - learn)
        parts["peak"] = max(most, peak)
    else:
        parts["forward and backward above what the process held"] = most - held
        parts["peak of the process"] = most
    return ", ".join(f"{name} {size / MIB:.0f} MiB" for name, size in parts.items())
