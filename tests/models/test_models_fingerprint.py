from __future__ import annotations

from dataclasses import replace

import torch

from reelgym.models import attention, tiny
from reelgym.models.base import Policy


def small(seed: int = 0) -> Policy:
    return tiny.build("qwen2_5_vl", seed=seed, size=tiny.Size(width=32, layers=1, mlp=32, vision_width=16))


def test_a_fingerprint_tells_weights_budgets_and_templates_apart_and_nothing_else() -> None:
    policy = small()
    found = policy.fingerprint()
    assert found == small().fingerprint()
    # Sampling plugs its attention in: the same model.
    attention.install(policy.model)
    assert policy.fingerprint() == found
    others = [small(1), replace(policy, sizing=replace(policy.sizing, video_max_pixels=784)), small(), small(), small()]
    others[2].tokenizer.chat_template += " "
    with torch.no_grad():
        # A step of training, however small, moves every number of a tensor.
        others[3].model.lm_head.weight.add_(1e-4)
    others[4].timestamps = "none"
    assert len({found, *(other.fingerprint() for other in others)}) == 6
