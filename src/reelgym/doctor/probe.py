"""One fixed reply to two fixed questions, scored: by its log-probs two sets of weights are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from reelgym.doctor import pictures
from reelgym.training import packing
from reelgym.training.packing import PackItem

if TYPE_CHECKING:
    from reelgym.models.base import Policy

REPLY = "<think>The second one follows.</think><answer>2, 1, 3</answer>"
"""What every model is scored on; whether it would write it does not matter."""


@torch.no_grad()
def scores(policy: Policy) -> torch.Tensor:
    """Return the log-probs (M,) of the reply to a question with and one without pictures."""
    shown = pictures.user(pictures.image("305"), " or ", pictures.image("816"), "?")
    reply = torch.tensor([*policy.tokenize(REPLY), policy.end_id])
    items = []
    for messages in (shown, pictures.user("Which is next?")):
        prompt = policy.encode(messages, pictures.pixels_at(8))
        items.append(PackItem(prompt, policy.features([prompt])[0], [reply]))
    return torch.cat([row for group in packing.group_logprobs(policy, items) for row in group]).cpu()
