"""Teach a vision tower to see before anything is asked of it, by linear heads that are thrown away afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reelgym.data.messages import Message
from reelgym.errors import RequestError
from reelgym.training.config import Media

if TYPE_CHECKING:
    from reelgym.models.base import Policy

KINDS = ("image", "video")


@dataclass(frozen=True)
class Seen:
    """A prompt and what its frames show.

    Attributes:
        messages: The prompt.
        states: By `image` and `video`: for each visual token, in order, the class of its first and of its second frame.
            An image shows the same twice.
    """

    messages: tuple[Message, ...]
    states: Mapping[str, Sequence[tuple[int, int]]]


def pretrain_tower(
    policy: Policy,
    seen: Sequence[Seen],
    media: Media,
    *,
    classes: int,
    steps: int,
    prompts_per_step: int = 48,
    lr: float = 2e-3,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Train the tower so that what its tokens show can be read off linearly; return the accuracy of the last steps.

    Real towers come pre-trained on images; this is what stands for it where a model is made from nothing. Only the
    tower and its merger learn. The rate rises over 30 steps and falls to a third for the last third.

    Args:
        policy: Its tower is changed.
        seen: Prompts whose frames cost one token each, or one a pair.
        media: Turns their parts into pixels.
        classes: Number of states.
        steps: Optimisation steps.
        prompts_per_step: Prompts of one step.
        lr: Peak learning rate.
        seed: Of the order and of the heads.
        progress: Called with (steps done, steps in all).

    Raises:
        RequestError: Frames of a prompt cost another number of tokens than states are given.
    """
    rng = np.random.default_rng(seed)
    prompts = [policy.encode(one.messages, media) for one in seen]
    width = policy.model.config.get_text_config().hidden_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(width, 2 * classes).to(policy.device)
    tower = [weight for name, weight in policy.model.named_parameters() if ".visual." in name]
    for weight in tower:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW([*tower, *head.parameters()], lr=lr, weight_decay=0.01)
    right: list[float] = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 30) * (1.0 if step < steps * 2 / 3 else 1 / 3)
        chosen = rng.choice(len(seen), min(prompts_per_step, len(seen)), replace=False)
        found = policy.features([prompts[place] for place in chosen])
        tokens = torch.cat([features.pooled[kind] for features in found for kind in KINDS if kind in features.pooled])
        wanted = _states([seen[place] for place in chosen]).to(tokens.device)
        if len(tokens) != len(wanted):
            raise RequestError(f"{len(tokens)} visual tokens for {len(wanted)} states: give frames of one token each")
        scores = head(tokens).view(len(tokens), 2, classes)
        loss = cross_entropy(scores.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        right.append(float((scores.argmax(-1) == wanted).float().mean()))
        if progress is not None:
            progress(step + 1, steps)
    return float(np.mean(right[-20:]))


def _states(seen: Sequence[Seen]) -> Tensor:
    return torch.tensor([pair for one in seen for kind in KINDS for pair in one.states[kind]])
