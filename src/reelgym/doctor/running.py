"""Whether a model computes what is trained: packed against padded, sampler against trainer, adapters, one step of GRPO.

Shapes: T tokens of a completion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from reelgym.data.messages import Image
from reelgym.data.trajectory import Turn
from reelgym.doctor import pictures
from reelgym.doctor.check import Check
from reelgym.doctor.published import as_published
from reelgym.doctor.subject import Subject
from reelgym.models import official
from reelgym.models.family import Prompt
from reelgym.models.parts import text_of
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.training import packing
from reelgym.training.packing import PackItem

MEMBERS, TOKENS = 4, 12
"""Completions of each prompt, and their cap."""
DRAWS = 5.0
"""Standard errors by which drawn tokens may be likelier than they should be; by chance once in 1.7 million. Ours."""
TEMPERATURES = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
"""Where a sampler's log-probs are no trainer's, those at which they could be."""


def checks(*, quick: bool) -> dict[str, Callable[[Subject], Check]]:
    """Return the checks by name, in their order."""
    short: dict[str, Callable[[Subject], Check]] = {
        "stock forward": stock_forward,
        "packed log-probs": packed,
        "sampler": sampler,
        "draws": draws,
        "as published": as_published,
    }
    return short if quick else short | {"packed gradients": gradients}


def stock_forward(subject: Subject) -> Check:
    """Return whether log-probs equal those of the stock model on patches of its own processor."""
    prompt = subject.policy.encode(subject.still, subject.pixels)
    parts = [part for part in subject.still[0].parts if isinstance(part, Image)]
    patches = torch.cat([subject.official.patches(subject.pixels(part)[0])[0] for part in parts])
    theirs = official.stock_logits(subject.policy, prompt, {"image": patches}).log_softmax(-1)
    with torch.no_grad():
        features = subject.policy.features([prompt])
        output = subject.policy.hidden(
            prompt.ids.to(subject.policy.device)[None],
            prompt.positions.to(subject.policy.device)[:, None],
            features=features,
        )
        assert output.last_hidden_state is not None
        ours = subject.policy.logits(output.last_hidden_state)[0].log_softmax(-1)
    following = prompt.ids[1:, None].to(ours.device)
    return logprobs("stock forward", subject, ours[:-1].gather(-1, following), theirs[:-1].gather(-1, following))


def packed(subject: Subject) -> Check:
    """Return whether completions that share their prompt get the log-probs of rows of their own."""
    with torch.no_grad():
        ours = flat(packing.group_logprobs(subject.policy, items(subject)))
        theirs = flat(packing.padded_logprobs(subject.policy, items(subject))[0])
    return logprobs("packed log-probs", subject, ours, theirs)


def gradients(subject: Subject) -> Check:
    """Return whether both forms give one gradient, at weights through which all of it passes."""
    weights = _probes(subject.policy.model)
    subject.policy.model.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    given = items(subject)
    found = []
    for rows in (packing.group_logprobs(subject.policy, given), packing.padded_logprobs(subject.policy, given)[0]):
        scores = flat(rows)
        # Weights of both signs, as advantages have: equal ones would let errors cancel.
        signs = torch.tensor([1.0, -0.5, 0.25], device=scores.device).repeat(len(scores))[: len(scores)]
        made = torch.autograd.grad((scores * signs).sum(), weights)
        found.append(torch.cat([one.float().flatten() for one in made]))
    apart = float((found[0] - found[1]).norm() / found[1].norm())
    limit = subject.limits.gradient
    told = f"{apart:.1e} of the gradient's length at {len(weights)} weight matrices, allowed {limit:.0e}"
    return Check("packed gradients", apart <= limit, told)


def sampler(subject: Subject) -> Check:
    """Return whether the sampler's log-probs are those of training."""
    given = torch.cat([torch.from_numpy(turn.logprobs) for group in turns(subject) for turn in group])
    rows = items(subject)

    def trained(temperature: float) -> Tensor:
        with torch.no_grad():
            return flat(packing.group_logprobs(subject.policy, rows, temperature=temperature)).cpu()

    found = logprobs("sampler", subject, given, trained(1.0))
    if found.passed:
        return found
    apart = {temperature: float((trained(temperature) - given).abs().mean()) for temperature in TEMPERATURES}
    likely = min(apart, key=lambda temperature: apart[temperature])
    if apart[likely] > subject.limits.mean:
        return found
    told = f"another temperature: its log-probs are those of temperature {likely:g} and 1 was asked for"
    return replace(found, found=f"{told}; {found.found}")


def draws(subject: Subject) -> Check:
    """Return whether tokens are drawn as often as their log-probs say."""
    with torch.no_grad():
        scores, entropies = packing.group_entropies(subject.policy, items(subject))
    surprise = (flat(scores) + flat(entropies)).double().cpu()
    error = max(float(surprise.std()) / math.sqrt(len(surprise)), 1e-6)
    off = float(surprise.mean()) / error
    told = f"{len(surprise)} tokens are {off:+.1f} standard errors likelier than their entropy says, allowed {DRAWS:g}"
    if abs(off) <= DRAWS:
        return Check("draws", True, told)
    manner = "a temperature below" if off > 0 else "a temperature above"
    return Check("draws", False, f"another temperature: drawn as at {manner} 1, which was asked for; {told}")


def turns(subject: Subject) -> list[list[Turn]]:
    """Return the completions of the puzzle and of a question without pictures."""
    if not subject.turns:
        prompts = _prompts(subject)
        params = SamplingParams(max_tokens=TOKENS, temperature=1.0)
        streams = Streams(0, 0, [str(place) for place in range(len(prompts))])
        made = subject.sampler(subject.policy).sample(prompts, n=MEMBERS, params=params, streams=streams)
        subject.turns.extend(made)
    return subject.turns


def _prompts(subject: Subject) -> list[Prompt]:
    plain = subject.policy.encode(pictures.user("Count from one to ten."), subject.pixels)
    return [subject.prompt, plain]


def items(subject: Subject) -> list[PackItem]:
    """Return both prompts with what was sampled to them."""
    features = [subject.features, None]
    return [
        PackItem(prompt, seen, [torch.from_numpy(turn.ids) for turn in group])
        for prompt, seen, group in zip(_prompts(subject), features, turns(subject), strict=True)
    ]


def flat(rows: list[list[Tensor]]) -> Tensor:
    """Return log-probs (M,) of all completions, one after the other."""
    return torch.cat([row for group in rows for row in group])


def _probes(model: nn.Module) -> list[nn.Parameter]:
    """Return some weights of the first and the last text layer."""
    layers = text_of(model).layers
    chosen = (layers[0].self_attn.k_proj, layers[0].mlp.down_proj, layers[-1].self_attn.v_proj)
    return [getattr(linear, "base_layer", linear).weight for linear in chosen]


def logprobs(name: str, subject: Subject, ours: Tensor, theirs: Tensor) -> Check:
    """Return whether two sets of log-probs of the same tokens are as near as the number type allows."""
    far = (ours.float().cpu() - theirs.float().cpu()).abs()
    most, mean, limits = float(far.max()), float(far.mean()), subject.limits
    told = (
        f"log-probs of {far.numel()} tokens differ by {most:.1e} at most and {mean:.1e} on average, allowed "
        f"{limits.logprob:g} and {limits.mean:g} in {str(subject.policy.model.dtype).removeprefix('torch.')}"
    )
    return Check(name, bool(np.isfinite(most)) and most <= limits.logprob and mean <= limits.mean, told)
