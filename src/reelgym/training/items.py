"""What is scored: a prompt with its completions, each plain ids or a conversation that went on.

Shapes: P tokens of a prompt, T tokens of a completion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelgym.errors import RequestError, WorkError
from reelgym.models.family import Features, Prompt

if TYPE_CHECKING:
    from reelgym.models.base import Policy


@dataclass(frozen=True, eq=False)
class Continuation:
    """A completion with answers of tools or users inside it, their images and clips included.

    Attributes:
        tokens: The T tokens as `Prompt.joined` makes them of what was written and what was answered: positions as if
            they began at 0, and the media that were returned.
        written: (T,) bool, True where the policy wrote the token. The others are read and never scored: log-prob 0.
        features: Vision features of its media; None only where it shows none.
    """

    tokens: Prompt
    written: Tensor
    features: Features | None = None

    def __len__(self) -> int:
        """Return the number of tokens T."""
        return len(self.tokens)

    @staticmethod
    def of(completion: Completion) -> Continuation:
        """Return plain ids as a continuation of which every token was written."""
        if isinstance(completion, Continuation):
            return completion
        ids = torch.as_tensor(completion, dtype=torch.int64)
        return Continuation(Prompt.of_ids(ids), torch.ones(len(ids), dtype=torch.bool, device=ids.device))


Completion = Tensor | NDArray[np.int64] | Continuation
"""Ids (T,) as sampled, the EOS included, possibly none; or a conversation that went on."""


@dataclass(frozen=True, eq=False)
class PackItem:
    """One prompt with its completions. A completion whose context was rewritten is an item with a prompt of its own.

    Attributes:
        prompt: The encoded prompt of P tokens.
        features: Its vision features; None only where it shows no media.
        completions: What followed it.
    """

    prompt: Prompt
    features: Features | None
    completions: Sequence[Completion]

    @property
    def num_tokens(self) -> int:
        """Tokens that the packed row spends on this item: the prompt once, and each completion."""
        return len(self.prompt.ids) + sum(len(completion) for completion in self.completions)


def check(policy: Policy, item: PackItem, place: int) -> None:
    """Refuse an item whose features are not those of its placeholders, or that trains on placeholders.

    Raises:
        RequestError: A count that does not match; it names the part, both counts, and what to do.
        WorkError: The policy is said to have written a vision placeholder.
    """
    _check_features(policy, item.prompt, item.features, f"the prompt of item {place}")
    for member, given in enumerate(item.completions):
        completion = Continuation.of(given)
        name = f"completion {member} of item {place}"
        if len(completion.written) != len(completion):
            raise RequestError(
                f"{name} has {len(completion)} tokens and says of {len(completion.written)} who wrote them"
            )
        ids, written = completion.tokens.ids, completion.written
        if bool(torch.isin(ids[written], policy.forbidden_ids.to(ids.device)).any()):
            raise WorkError(f"{name} holds a vision placeholder, which no policy may write: sample or import it again")
        if isinstance(given, Continuation):
            _check_features(policy, completion.tokens, completion.features, name)


def _check_features(policy: Policy, tokens: Prompt, features: Features | None, name: str) -> None:
    given = features or Features(pooled={})
    for kind, placeholder in policy.placeholder_ids.items():
        wanted = int((tokens.ids == placeholder).sum())
        for found in (given.count(kind), *(len(level) for level in given.deepstack.get(kind, ()))):
            if found != wanted:
                raise RequestError(
                    f"{name} has {wanted} {kind} placeholders and {found} {kind} features: its tokens were cut, or its "
                    "features are of other frames or another size. Make both with one policy (encode, features), and "
                    "raise max_prompt_tokens instead of cutting"
                )
