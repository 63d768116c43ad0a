"""The model that is examined, with what the checks share: its prompt, the folder of its processor, tolerances."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.trajectory import Turn
from reelgym.doctor import pictures
from reelgym.models import official
from reelgym.models.official import Official

if TYPE_CHECKING:
    from reelgym.models.base import Policy, Prompt
    from reelgym.models.family import Features, Media
    from reelgym.rollout.base import Sampler

IMAGES = ("305", "816", "472")
"""The candidates of the prompt, in order."""
FRAMES = ("111", "222", "333", "444", "555", "666")
"""The frames of its clip, a second apart: far enough that position rules part."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far two ways of computing one thing may be apart, by number type. Ours.

    Attributes:
        logprob: Largest difference of one token's log-prob, in nats.
        mean: Mean difference of log-probs.
        gradient: Length of the difference of two gradients over the length of one.
    """

    logprob: float
    mean: float
    gradient: float


LIMITS = {
    torch.float64: Limits(logprob=1e-6, mean=1e-6, gradient=1e-6),
    torch.float32: Limits(logprob=1e-3, mean=1e-4, gradient=1e-3),
    torch.bfloat16: Limits(logprob=0.5, mean=0.05, gradient=0.1),
    torch.float16: Limits(logprob=0.1, mean=0.01, gradient=0.02),
}


@dataclass(eq=False)
class Subject:
    """A loaded policy under examination; it is changed by it and must be thrown away after.

    Attributes:
        policy: The policy.
        folder: Where the files of its processor lie: a folder or hub name.
        sampler: Makes what would sample from it.
        quick: Whether only what takes seconds is done.
        turns: What it sampled, once it was asked to.
    """

    policy: Policy
    folder: str
    sampler: Callable[[Policy], Sampler]
    quick: bool = False
    turns: list[list[Turn]] = field(default_factory=list)

    @property
    def limits(self) -> Limits:
        """Tolerances of the model's number type."""
        return LIMITS[self.policy.model.dtype]

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """A puzzle as tasks ask it: a clip, then numbered candidates."""
        clip = pictures.clip(FRAMES, [float(second) for second in range(len(FRAMES))])
        parts: list[Text | Image | Clip | str] = ["Before: ", clip]
        for number, digits in enumerate(IMAGES, 1):
            parts += [f"\nCandidate {number}: ", pictures.image(digits)]
        return pictures.user(*parts, "\nWhich follow?")

    @cached_property
    def still(self) -> tuple[Message, ...]:
        """The same without the clip."""
        parts = [part for part in self.messages[0].parts if not isinstance(part, Clip)]
        return (Message("user", tuple(parts)),)

    @cached_property
    def pixels(self) -> Media:
        """What gives the pixels of its parts."""
        return pictures.pixels_at(8)

    @cached_property
    def prompt(self) -> Prompt:
        """The puzzle, encoded as training encodes it."""
        return self.policy.encode(self.messages, self.pixels)

    @cached_property
    def features(self) -> Features:
        """Its features, without a graph."""
        with torch.no_grad():
            return self.policy.features([self.prompt])[0]

    @cached_property
    def official(self) -> Official:
        """The model's own image processor."""
        return official.images(self.policy, self.folder)


@contextmanager
def opened(
    name: str,
    *,
    quick: bool,
    sampler: Callable[[Policy], Sampler] | None = None,
    load: Callable[..., Policy] | None = None,
) -> Iterator[Subject]:
    """Yield the subject of a model's name; a model built from nothing gets a folder of its processor for the while.

    Raises:
        RequestError: As `models.load`.
    """
    from reelgym import models
    from reelgym.rollout.local import LocalSampler

    policy = (load or models.load)(name)
    with tempfile.TemporaryDirectory() as made:
        folder = files_of(policy)
        if folder is None:
            policy.save_processor(made)
        yield Subject(policy, folder or made, sampler or LocalSampler, quick)


def files_of(policy: Policy) -> str | None:
    """Return the folder or hub name that holds a policy's processor; None for a model built from nothing."""
    from reelgym.models.tiny import ASSETS, NAMES

    name = str(policy.model.name_or_path)
    if name in NAMES:
        return str(ASSETS / name) if Path(ASSETS / name).is_dir() else None
    return name
