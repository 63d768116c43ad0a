"""Tiny policies of each family whose distributions are far from flat, and prompts for them; for the engine's tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.models import tiny
from reelgym.models.base import Policy, Prompt
from reelgym.models.merging import deltas, merge
from reelgym.video.types import FrameSpec

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
SPEC = FrameSpec(fps=2, size=(56, 56))


def sharp(family: str) -> Policy:
    """Return a small policy whose weights are drawn 5 times as wide as usual."""
    policy = tiny.build(family, seed=3, size=tiny.Size(width=64, layers=2, mlp=96, vision_width=32, vision_mlp=48))
    with torch.no_grad():
        for parameter in policy.model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    return policy


def media(part: Image | Clip) -> np.ndarray:
    """Return noise, the same for the same part."""
    frames = len(part.times) if isinstance(part, Clip) else 1
    seed = sum(part.video.encode()) + int(10 * part.time if isinstance(part, Image) else part.times[0])
    return np.random.default_rng(seed).integers(0, 256, (frames, 56, 56, 3), dtype=np.uint8)


def make_prompt(policy: Policy, words: str = "what happens next", *, seen: bool = True) -> Prompt:
    """Return a prompt with one clip and two images, or of words alone."""
    clip = Clip(video="a", spec=SPEC, times=(0.0, 0.5, 1.0, 1.5))
    images = [Image(video=name, spec=SPEC, time=1.0) for name in "bc"]
    parts = (Text("Watch: "), clip, Text(words), *images) if seen else (Text(words),)
    return policy.encode((Message("user", parts),), media)


def merged_twice(model: nn.Module) -> dict[str, float]:
    """Do what `merging.merge` does, and add the adapter once more: a fault to be found."""
    added = deltas(model)
    done = merge(model)
    with torch.no_grad():
        for name, delta in added.items():
            model.get_submodule(name).weight += delta
    return done
