"""Our arm of `group_step.py`, and the padded stand-in for a peer where there is no environment with one.

    python bench/step_ours.py [--padded] JOB.json

The calls are those of the training loop: encode, features, sample, score, log-probs, loss, step of the optimizer. The
stand-in makes the same calls on G copies of the prompt, as trainers do that know no groups; it is our own code and
nobody's product.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from step_job import Clock, Memory, frames, parts, report, reward
from torch import Tensor

from reelgym import models
from reelgym.algorithms import GRPO
from reelgym.data.messages import Image, Message, Text
from reelgym.models.attention import states
from reelgym.models.base import Features, Policy, Prompt
from reelgym.models.recompute import recomputed
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.local import LocalSampler
from reelgym.rollout.streams import Streams
from reelgym.training.packing import PackItem, group_logprobs, token_logprobs
from reelgym.video.types import FrameSpec


def messages(filler: str) -> tuple[Message, ...]:
    """Return the job's prompt; frame n is the one at n seconds."""
    spec = FrameSpec(fps=1.0)
    content = [
        Text(part) if isinstance(part, str) else Image(video="bench", spec=spec, time=float(part))
        for part in parts(filler)
    ]
    return (Message("user", tuple(content)),)


def encode(policy: Policy, job: dict[str, Any], step: int) -> Prompt:
    """Return the prompt of one step."""
    pixels = frames(job, step)
    return policy.encode(messages(job["filler"]), lambda part: pixels[int(part.time)][None])  # type: ignore[union-attr]


def padded(
    policy: Policy, prompt: Prompt, features: Sequence[Features], completions: Sequence[Tensor], recompute: bool
) -> list[Tensor]:
    """Return log-probs (C,) of equally long completions, from rows that each hold the whole prompt."""
    ids = torch.stack([torch.cat([prompt.ids, completion.cpu()]) for completion in completions]).to(policy.device)
    after = prompt.next_position + torch.arange(len(completions[0]))
    places = torch.cat([prompt.positions, after.expand(3, -1)], 1).to(policy.device)
    positions = places[:, None].expand(-1, len(ids), -1)
    with recomputed(policy.model, on=recompute):
        hidden = states(policy.hidden(ids, positions, features=features))[:, len(prompt) - 1 : -1].flatten(0, 1)
    found = token_logprobs(policy, hidden, ids[:, len(prompt) :].flatten(), 1.0, False)[0]
    return list(found.view(len(ids), -1))


class Arm:
    """One way to take a step on a group."""

    def __init__(self, policy: Policy, job: dict[str, Any], *, copies: bool) -> None:
        """Take a policy; `copies` is the padded stand-in."""
        self.policy, self.job, self.copies = policy, job, copies
        self.clock, self.algorithm = Clock(), GRPO()
        self.sampler = LocalSampler(policy, max_rows=job["group"])
        self.trained = [weight for weight in policy.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-5, weight_decay=0.0)

    def step(self, number: int) -> None:
        """Sample, score and update on one group."""
        size = self.job["group"]
        with self.clock.phase("processor"):
            prompt = encode(self.policy, self.job, number)
        with self.clock.phase("sample"):
            features, completions, old = self.sample(prompt, number)
        with self.clock.phase("score"):
            scores = torch.tensor([[reward(ids.tolist())] for ids in completions], dtype=torch.float64)
            mask = torch.ones(size, self.job["completion"], dtype=torch.bool)
            advantages = self.algorithm.advantages(scores, torch.zeros(mask.shape, dtype=torch.int64), mask)
        with self.clock.phase("update"):
            new = torch.stack(self.logprobs(prompt, features, completions))
            assert torch.allclose(new.detach(), old, atol=1e-3), "sampling and training log-probs differ"
            loss = self.algorithm.loss(new, old, None, advantages, mask)
            (loss.total / loss.count).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.clock.end_step()

    def sample(self, prompt: Prompt, number: int) -> tuple[list[Features], list[Tensor], Tensor]:
        """Return features, completions and their log-probs (G, C)."""
        copies, each = (self.job["group"], 1) if self.copies else (1, self.job["group"])
        with torch.no_grad():
            features = self.policy.features([prompt] * copies)
        params = SamplingParams(max_tokens=self.job["completion"])
        streams = Streams(0, number, range(copies))
        found = self.sampler.sample([prompt] * copies, n=each, params=params, streams=streams, features=features)
        turns = [turn for members in found for turn in members]
        old = torch.stack([torch.from_numpy(turn.logprobs) for turn in turns])
        return features, [torch.from_numpy(turn.ids) for turn in turns], old

    def logprobs(self, prompt: Prompt, features: list[Features], completions: list[Tensor]) -> list[Tensor]:
        """Return (C,) for each completion, with gradients."""
        recompute = self.job["checkpointing"]
        if self.copies:
            with torch.no_grad():
                features = self.policy.features([prompt] * len(completions))
            return padded(self.policy, prompt, features, completions, recompute)
        return group_logprobs(self.policy, [PackItem(prompt, features[0], completions)], recompute=recompute)[0]


def main() -> None:
    """Run the job."""
    job = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    policy = models.load(job["model"])
    policy.model.model.visual.requires_grad_(False)
    # Completions are of fixed length: what ends them is barred.
    policy.__dict__["forbidden_ids"] = torch.tensor(job["barred"])
    assert encode(policy, job, 0).ids.tolist() == job["ids"], "the arms' prompts differ"
    with torch.no_grad():
        policy.model(input_ids=torch.tensor([[5]]))
    memory = Memory()
    arm = Arm(policy, job, copies="--padded" in sys.argv)
    for number in range(job["warm"] + job["steps"]):
        arm.step(number)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    report(job, arm.clock, memory, peer="padded stand-in: our own code, each row its own prompt", versions=versions)


if __name__ == "__main__":
    main()
