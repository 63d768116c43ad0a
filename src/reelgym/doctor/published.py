"""Whether a published folder still is what was published: its log-probs against those noted beside it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from reelgym.doctor.check import Check
from reelgym.doctor.probe import scores
from reelgym.doctor.subject import Subject
from reelgym.models import merging
from reelgym.models.base import Policy
from reelgym.models.saving import FACTS, PUBLISHED_ADAPTER


def as_published(subject: Subject) -> Check:
    """Return whether a folder gives the log-probs that it gave when it was published; told where it never was."""
    name, folder = "as published", Path(subject.folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8")) if (folder / FACTS).is_file() else {}
    noted = (facts.get("published") or {}).get("logprobs")
    if not noted:
        return Check(name, None, "not a published folder")
    wanted, limits = torch.tensor(noted), subject.limits
    apart = float((scores(subject.policy) - wanted).abs().mean())
    told = f"log-probs of {len(wanted)} tokens are {apart:.1e} on average from those noted, allowed {limits.mean:g}"
    if apart <= limits.mean:
        return Check(name, True, told)
    less = _without(subject.policy, folder / PUBLISHED_ADAPTER)
    if less is not None and float((less - wanted).abs().mean()) < apart / 4:
        return Check(name, False, f"merged twice: without its adapter once more it would be as published; {told}")
    return Check(name, False, f"not what was published: {told}")


@torch.no_grad()
def _without(policy: Policy, adapter: Path) -> torch.Tensor | None:
    """Return the log-probs with an adapter taken off the weights once; the weights are as before afterwards."""
    if not (adapter / "adapter_model.safetensors").is_file():
        return None
    added = merging.stored_deltas(adapter)
    layers = {name: policy.model.get_submodule(name).weight for name in added}
    before = {name: weight.clone() for name, weight in layers.items()}
    for name, weight in layers.items():
        weight.sub_(added[name].to(weight))
    found = scores(policy)
    for name, weight in layers.items():
        weight.copy_(before[name])
    return found
