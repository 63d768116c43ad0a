"""What every sampler is: the settings of sampling and the interface, whatever engine stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from reelgym.errors import RequestError

if TYPE_CHECKING:
    from reelgym.data.trajectory import Turn
    from reelgym.models.base import Features, Prompt
    from reelgym.rollout.streams import Streams


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How completions are drawn. top-k, top-p and min-p narrow the choice, in this order, after the temperature."""

    max_tokens: int = 256
    """Cap of a completion, in tokens; one that reaches it without an end is marked `length`."""
    temperature: float = 1.0
    """Divides the logits; 0 takes the likeliest token, and log-probs are then those at temperature 1."""
    top_p: float = 1.0
    """Keep the fewest likeliest tokens whose probabilities reach this; 1 keeps all. Below 1 is off-policy."""
    top_k: int = 0
    """Keep this many of the likeliest tokens; 0 keeps all."""
    min_p: float = 0.0
    """Keep tokens at least this share as likely as the likeliest; 0 keeps all."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion; the tokens that wrote them stay in it."""

    def __post_init__(self) -> None:
        """Refuse what cannot be sampled."""
        checks = (
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < float("inf"), "0 (greedy) or a finite positive number"),
            ("top_p", 0 < self.top_p <= 1, "in (0, 1]"),
            ("top_k", self.top_k >= 0, "0 (all) or a positive count"),
            ("min_p", 0 <= self.min_p < 1, "in [0, 1)"),
            ("stop", all(self.stop) and not isinstance(self.stop, str), "a tuple of texts that are not empty"),
        )
        for name, right, allowed in checks:
            if not right:
                raise RequestError(f"{name}={getattr(self, name)!r} is not allowed: it must be {allowed}")


class Sampler(Protocol):
    """Anything that completes prompts."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        n: int,
        params: SamplingParams,
        streams: Streams | None,
        features: Sequence[Features] | None = None,
    ) -> list[list[Turn]]:
        """Return for every prompt its n completions.

        Args:
            prompts: Encoded prompts, one per group.
            n: Completions per prompt, at least 1.
            params: How to draw.
            streams: Where the randomness of each (prompt, member) comes from; None only at temperature 0.
            features: Vision features of the prompts, if they are at hand already.
        """
        ...


@runtime_checkable
class Publishable(Protocol):
    """A sampler that holds weights of its own and has to be given those that moved."""

    @property
    def shared(self) -> bool:
        """Whether all ranks sample from the same one."""
        ...

    def load(self, folder: Path, *, adapter: bool, tower: bool) -> None:
        """Take the weights in a folder, or the adapter; `tower` says that those of the vision tower may differ."""
        ...
