"""A run before it is run: a few groups rolled out by the untrained policy, and what a step of them tells.

Nothing is written but what caches keep. Shapes: G members of a group.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.data.templates import with_instruction
from reelgym.data.trajectory import Group, Trajectory
from reelgym.rollout.base import Sampler, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.training import packing
from reelgym.training.config import RLRun
from reelgym.training.credit import Rollout
from reelgym.training.inputs import Inputs
from reelgym.training.order import Pick
from reelgym.training.packing import PackItem

if TYPE_CHECKING:
    from reelgym.models.base import Features, Policy, Prompt

GROUPS = 8
"""Groups that are rolled out. Ours."""

FEW, MANY = 0.25, 0.75
"""Mean scores of the task below which groups without signal are too hard, and above which they are too easy."""


@dataclass(frozen=True)
class Rehearsed:
    """What the groups of a rehearsal were.

    Attributes:
        groups: How many.
        reward: Mean of what the rubric pays.
        solved: Mean of the task's own score, in [0, 1]; that of the reward where the task has none.
        invalid: Share of replies without an answer; None where the task cannot tell.
        signal: Share of the groups whose scores differ.
        truncated: Share of the replies cut at the cap.
        tokens: Mean length of a reply.
        prompt_tokens: Longest prompt.
        seconds: That sampling all groups took, once everything was warm.
        sight_seconds: That a prompt took when it was first met: decoding, encoding and, where the tower is frozen, its
            features; later epochs find them kept.
        warm_seconds: That starting took once: the first prompt's surplus, and a first short reply.
    """

    groups: int
    reward: float
    solved: float
    invalid: float | None
    signal: float
    truncated: float
    tokens: float
    prompt_tokens: int
    seconds: float
    sight_seconds: float = 0.0
    warm_seconds: float = 0.0


def rehearse(
    run: RLRun, policy: Policy, sampler: Sampler, progress: Callable[[int, int], None] | None = None
) -> Rehearsed:
    """Return what `GROUPS` groups of evenly spread samples come to; a reward of a judge is left out of the rubric's.

    Args:
        run: What is to be trained.
        policy: Untrained.
        sampler: Of that policy.
        progress: Called with (groups done, groups in all).
    """
    items: Sequence[Sample] = run.data.items
    count = min(GROUPS, len(items))
    chosen = [items[place * len(items) // count] for place in range(count)]
    inputs, config = Inputs(policy, run.data.media, run.config), run.config
    params = SamplingParams(max_tokens=config.max_completion_tokens, temperature=config.temperature)
    frozen = not config.train_tower
    prompts: list[Prompt] = []
    features: list[Features] = []
    met: list[float] = []
    for one in chosen:
        began = time.monotonic()
        prompts.append(inputs.prompt(one.id, partial(with_instruction, one.messages, run.variant)))
        features += inputs.features([one.id]) if frozen else []
        met.append(time.monotonic() - began)
    sight = float(np.median(met))
    warm = max(0.0, met[0] - sight) + _first_reply(run, sampler, prompts[0], features[:1] or None)
    began, groups = time.monotonic(), list[Group]()
    for start in range(0, count, config.prompts_per_step):
        end = min(count, start + config.prompts_per_step)
        streams = Streams(config.seed, 0, [sample.id for sample in chosen[start:end]])
        seen = features[start:end] or None
        turns = sampler.sample(prompts[start:end], n=config.group_size, params=params, streams=streams, features=seen)
        for sample, members in zip(chosen[start:end], turns, strict=True):
            groups.append(Group(sample=sample, trajectories=tuple(Trajectory(turns=(turn,)) for turn in members)))
        if progress:
            progress(end, count)
    seconds = time.monotonic() - began
    told = _told(run, groups, max(map(len, prompts)), seconds)
    return replace(told, sight_seconds=sight, warm_seconds=warm)


def _first_reply(run: RLRun, sampler: Sampler, prompt: Prompt, features: Sequence[Features] | None) -> float:
    """Return the seconds of a sampler's first reply, of two tokens: what it sets up once is no part of a step."""
    began = time.monotonic()
    params = SamplingParams(max_tokens=min(2, run.config.max_completion_tokens), temperature=run.config.temperature)
    streams = Streams(run.config.seed, 0, ["warm"])
    sampler.sample([prompt], n=run.config.group_size, params=params, streams=streams, features=features)
    return time.monotonic() - began


def _told(run: RLRun, groups: Sequence[Group], longest: int, seconds: float) -> Rehearsed:
    turns = [one.final for group in groups for one in group.trajectories]
    known = all(group.sample.task in tasks.names() for group in groups)
    scores = [tasks.get(g.sample.task).score(one.reply, g.sample) for g in groups for one in g.trajectories if known]
    judged = run.judge is not None
    if judged and known:
        paid = [np.array([[s.value] for s in scores[i * len(g) : (i + 1) * len(g)]]) for i, g in enumerate(groups)]
    else:
        paid = [run.rubric.score(group, 0.0) for group in groups]
    signal = [Rollout(Pick(0, 0, 0), "", g, {"score": p}).has_signal for g, p in zip(groups, paid, strict=True)]
    reward = float(np.mean([np.nansum(one, 1).mean() for one in paid]))
    return Rehearsed(
        groups=len(groups),
        reward=reward,
        solved=float(np.mean([one.value for one in scores])) if known else reward,
        invalid=float(np.mean([not one.valid for one in scores])) if known else None,
        signal=float(np.mean(signal)),
        truncated=float(np.mean([turn.stop == "length" for turn in turns])),
        tokens=float(np.mean([len(turn.ids) for turn in turns])),
        prompt_tokens=longest,
        seconds=seconds,
    )


def advice(found: Rehearsed) -> str:
    """Return what to change before training, or that nothing need be; pure, the thresholds are ours."""
    share = f"{100 * found.solved:.0f} %"
    if found.truncated > 0.2:
        cut = f"{100 * found.truncated:.0f} %"
        return f"{cut} of the replies are cut off: raise max_completion_tokens, or start from a model that ends replies"
    if found.invalid is not None and found.invalid > 0.5:
        return (
            f"{100 * found.invalid:.0f} % of the replies hold no answer: teach the form first (videop2r_sft, "
            "process_cold_start), or take variant=direct"
        )
    if found.signal >= 0.5:
        return f"{share}: well placed, {100 * found.signal:.0f} % of the groups have something to learn from"
    if found.solved < FEW:
        return f"{share}: too hard, try K=2, l=2 (reelgym synth --set hidden=2 --set distractors=2), or groups=resample"
    if found.solved > MANY:
        return f"{share}: too easy, try K=4, l=4 (reelgym synth --set hidden=4 --set distractors=4)"
    return (
        f"{share}, but only {100 * found.signal:.0f} % of the groups have signal: replies to one prompt are all alike; "
        "raise group_size, or keep band=0.1,0.9 after `reelgym difficulty`"
    )


def update_seconds(run: RLRun, policy: Policy, reply_tokens: float) -> float:
    """Return the seconds of a forward and backward pass over one group of the first sample; gradients are cleared.

    It is the second of two: the first one sets up what later ones find.

    Args:
        run: What is to be trained.
        policy: Untrained, prepared for training.
        reply_tokens: Mean length of a completion: all of the group are so long.
    """
    config, sample = run.config, run.data.items[0]
    inputs = Inputs(policy, run.data.media, config)
    prompt = inputs.prompt(sample.id, partial(with_instruction, sample.messages, run.variant))
    (features,) = inputs.features([sample.id])
    completions = [torch.full((max(1, round(reply_tokens)),), policy.end_id) for _ in range(config.group_size)]
    item = PackItem(prompt, features, completions)
    spent = 0.0
    for _ in range(2):
        began = time.monotonic()
        rows = packing.group_logprobs(policy, [item], recompute=config.gradient_checkpointing)
        torch.cat(rows[0]).sum().backward()  # type: ignore[no-untyped-call]
        policy.model.zero_grad(set_to_none=True)
        spent = time.monotonic() - began
    return spent
