"""Which sampler a run completes its prompts with; engines are imported only where they are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reelgym.rollout.base import Sampler
from reelgym.training.config import RLRun

if TYPE_CHECKING:
    from reelgym.models.base import Policy


def make_sampler(run: RLRun, policy: Policy) -> Sampler:
    """Return the sampler that a run names."""
    config = run.config
    if config.sampler == "local":
        from reelgym.rollout.local import LocalSampler

        return LocalSampler(policy)
    from reelgym.rollout.vllm import VLLMSampler

    if config.vllm_url:
        from reelgym.rollout.vllm_server import Server

        return VLLMSampler(policy, Server(config.vllm_url), sleeps=config.vllm_sleep)
    from reelgym.rollout.vllm_engine import Colocated

    return VLLMSampler(policy, Colocated(policy.source, lora_rank=config.lora_rank), sleeps=True)
