"""Groups of which some completions were returned clips and images, and the dense-mask form: an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sharp_policies import SPEC, make_prompt, sharp
from torch.utils._python_dispatch import TorchDispatchMode

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.models import attention
from reelgym.models.base import Policy, Prompt
from reelgym.training import weights
from reelgym.training.config import RLConfig
from reelgym.training.packing import Completion, Continuation, PackItem, token_logprobs

Piece = int | Prompt
"""How many tokens the policy writes, or what it is answered."""


def media(part: Image | Clip) -> np.ndarray:
    """Return noise of the part's size."""
    frames = len(part.times) if isinstance(part, Clip) else 1
    assert part.spec.size
    return np.random.default_rng(frames).integers(0, 256, (frames, *part.spec.size, 3), dtype=np.uint8)


def adapted(policy: Policy) -> Policy:
    """Return a policy of the same family under LoRA, its adapter far from nothing."""
    policy = replace(policy, model=sharp(policy.family.name).model)
    weights.prepare(policy, RLConfig(lora_rank=2))
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    return policy


def answers(policy: Policy) -> list[Prompt]:
    """Return what tools answered: words, a short clip, a longer and larger one, an image with a clip."""
    short = Clip(video="d", spec=SPEC, times=(2.0, 2.5))
    long = Clip(video="e", spec=SPEC.__class__(fps=2, size=(56, 84)), times=(2.0, 3.0, 4.0, 5.0))
    image = Image(video="f", spec=SPEC, time=1.0)
    shown = ((Text("no such clip"),), (short,), (Text("here: "), long), (image, Text("and"), short))
    return [policy.encode_reply_to([Message("user", parts)], media) for parts in shown]


def continuation(policy: Policy, pieces: Sequence[Piece], seed: int = 0) -> Continuation:
    """Return a completion of written runs and answers, with features where it shows media."""
    generator = torch.Generator().manual_seed(seed)
    parts: list[Prompt] = []
    written: list[bool] = []
    for piece in pieces:
        own = isinstance(piece, int)
        part = Prompt.of_ids(torch.randint(30, 900, (piece,), generator=generator)) if isinstance(piece, int) else piece
        parts.append(part)
        written += [own] * len(part)
    tokens = Prompt.joined(parts)
    features = policy.features([tokens])[0] if tokens.grids else None
    return Continuation(tokens, torch.tensor(written, dtype=torch.bool), features)


def mixed_items(policy: Policy) -> list[PackItem]:
    """Return groups in a micro-batch: unequal lengths, returned clips of two sizes beside none, a rewritten context."""
    words, short, long, both = answers(policy)
    prompts = [make_prompt(policy), make_prompt(policy), make_prompt(policy, "so ", seen=False), make_prompt(policy)]
    prompts[3] = policy.encode(
        (Message("user", (Text("again "), Clip(video="d", spec=SPEC, times=(2.0, 2.5)))),), media
    )
    groups: list[list[Completion]] = [
        [continuation(policy, given, i) for i, given in enumerate(((3, short, 4), (2, long, 1, words, 2), (5,)))],
        [torch.arange(40, 46), torch.arange(0), continuation(policy, (1, both), 9)],
        [continuation(policy, (2, both, 3), 5)],
        [torch.arange(50, 57)],
    ]
    seen = policy.features(prompts)
    return [PackItem(*given) for given in zip(prompts, seen, groups, strict=True)]


def dense(policy: Policy, items: Sequence[PackItem]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log-probs and entropies of all tokens in order, 0 where not written, from one (N, N) mask."""
    pieces = [(place, None, item.prompt) for place, item in enumerate(items)]
    for place, item in enumerate(items):
        for member, given in enumerate(item.completions):
            pieces.append((place, member, Prompt.joined([item.prompt, Continuation.of(given).tokens])))
    owner: list[tuple[int, int | None]] = []
    ids, positions = [], []
    for place, member, tokens in pieces:
        skip = 0 if member is None else len(items[place].prompt)
        owner += [(place, member)] * (len(tokens) - skip)
        ids.append(tokens.ids[skip:])
        positions.append(tokens.positions[:, skip:])
    seen = [
        [of[0] == by[0] and of[1] in (None, by[1]) and j <= i for j, of in enumerate(owner)]
        for i, by in enumerate(owner)
    ]
    dtype = policy.model.lm_head.weight.dtype
    mask = torch.zeros(len(owner), len(owner), dtype=dtype).masked_fill_(~torch.tensor(seen), -torch.inf)
    given = [item.features for item in items]
    given += [Continuation.of(one).features for item in items for one in item.completions]
    output = policy.hidden(
        torch.cat(ids)[None],
        torch.cat(positions, 1)[:, None],
        features=[one for one in given if one is not None],
        attention_mask=mask[None, None],
    )
    hidden = attention.states(output)[0]
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    begin = sum(len(item.prompt) for item in items)
    ends = np.cumsum([len(item.prompt) for item in items]).tolist()
    for place, item in enumerate(items):
        for completion in map(Continuation.of, item.completions):
            if not len(completion):
                continue
            before = torch.cat([hidden[ends[place] - 1][None], hidden[begin : begin + len(completion) - 1]])
            begin += len(completion)
            targets = torch.where(completion.written, completion.tokens.ids, 0)
            logprobs, entropies = token_logprobs(policy, before, targets, 1.0, True)
            found.append((logprobs * completion.written, entropies * completion.written))
    return torch.cat([one for one, _ in found]), torch.cat([one for _, one in found])


def flat(found: list[list[torch.Tensor]]) -> torch.Tensor:
    return torch.cat([tensor for group in found for tensor in group])


def judged(
    policy: Any, form: Any, *, tower: bool = False, make: Any = None
) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Return log-probs, entropies and gradients of a loss over both, all by one form."""
    with torch.set_grad_enabled(tower):
        items = (make or mixed_items)(policy)
    with torch.enable_grad():
        found = form(policy, items)
        logprobs, entropies = found if isinstance(found[0], torch.Tensor) else map(flat, found)
        draw = torch.randn(len(logprobs), generator=torch.Generator().manual_seed(1)).to(logprobs.dtype)
        policy.model.zero_grad()
        ((logprobs * draw).sum() + (entropies * draw.flip(0)).sum()).backward()
    slopes = {n: p.grad.clone() for n, p in policy.model.named_parameters() if p.grad is not None}
    policy.model.zero_grad()
    return logprobs.detach(), entropies.detach(), slopes


def agree(found: Any, right: Any, values: float, slopes: float) -> None:
    """Check values and gradients relative to their own size."""
    for one, other in zip(found[:2], right[:2], strict=True):
        assert float(other.std()) > 0.3
        torch.testing.assert_close(one, other, rtol=values, atol=values)
    assert found[2].keys() == right[2].keys()
    floor = 1e-6 * max(float(value.norm()) for value in right[2].values())
    errors = {n: float((found[2][n] - right[2][n]).norm() / (right[2][n].norm() + floor)) for n in right[2]}
    assert max(errors.values()) < slopes, max(errors, key=lambda name: errors[name])


class Largest(TorchDispatchMode):
    """Remembers the elements of the largest tensor that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.untyped_storage().nbytes() // tensor.element_size())
        return out
