"""Log-probs of whole groups from one packed row: each prompt once, its completions as branches, no padding.

Shapes: N tokens of the packed row, T tokens of a completion, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reelgym.errors import RequestError, WorkError
from reelgym.models import attention
from reelgym.models.attention import Branch, PackedLayout, Rectangle, rectangles

if TYPE_CHECKING:
    from reelgym.models.base import Features, Policy, Prompt

LOGIT_CELLS = 1 << 25
"""Tokens x vocabulary held at once by default: 128 MiB in float32."""


@dataclass(frozen=True, eq=False)
class PackItem:
    """One prompt with its completions.

    Attributes:
        prompt: The encoded prompt of P tokens.
        features: Its vision features; None only where it shows no media.
        completions: int64 tensors (T,) or numpy arrays, the ids as sampled, the EOS included; may be empty.
    """

    prompt: Prompt
    features: Features | None
    completions: Sequence[Tensor]

    @property
    def num_tokens(self) -> int:
        """Tokens that the packed row spends on this item: the prompt once, and each completion."""
        return len(self.prompt.ids) + sum(len(completion) for completion in self.completions)


def micro_batches(items: Sequence[PackItem], budget_tokens: int) -> list[list[int]]:
    """Return the places of `items` cut into runs of at most `budget_tokens` packed tokens; a group is never split.

    A single item above the budget is a run of its own.

    Raises:
        RequestError: A budget below 1.
    """
    if budget_tokens < 1:
        raise RequestError(f"budget_tokens={budget_tokens} is below 1: give the packed tokens of one micro-batch")
    runs: list[list[int]] = []
    spent = 0
    for place, item in enumerate(items):
        if not runs or spent + item.num_tokens > budget_tokens:
            runs.append([])
            spent = 0
        runs[-1].append(place)
        spent += item.num_tokens
    return runs


@overload
def group_logprobs(
    policy: Policy,
    items: Sequence[PackItem],
    *,
    temperature: float = ...,
    with_entropy: Literal[False] = ...,
    chunk_tokens: int | None = ...,
) -> list[list[Tensor]]: ...
@overload
def group_logprobs(
    policy: Policy,
    items: Sequence[PackItem],
    *,
    temperature: float = ...,
    with_entropy: Literal[True],
    chunk_tokens: int | None = ...,
) -> tuple[list[list[Tensor]], list[list[Tensor]]]: ...
def group_logprobs(
    policy: Policy,
    items: Sequence[PackItem],
    *,
    temperature: float = 1.0,
    with_entropy: bool = False,
    chunk_tokens: int | None = None,
) -> list[list[Tensor]] | tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return the log-prob of every completion token, [item][completion] -> (T,) float32; gradients are exact.

    The prompt runs once under causal attention, its completions attend to it and to themselves (split attention), and
    the first token of each is predicted by the prompt's last hidden state. An item with one completion is one plain
    causal sequence: the same function serves SFT.

    Args:
        policy: The policy; its `forbidden_ids` are barred before the softmax.
        items: Groups; each may have another prompt length, group size and completion lengths.
        temperature: Divides the logits, above 0.
        with_entropy: Return also the entropies in nats, same shape, of the same distribution.
        chunk_tokens: Tokens whose logits are held at once; None: as many as fit `LOGIT_CELLS`. Under gradients the
            chunks are recomputed in the backward pass where there are several.

    Raises:
        RequestError: A temperature not above 0.
        WorkError: A completion that holds a forbidden id.
    """
    if not temperature > 0:
        raise RequestError(f"temperature={temperature}: log-probs need a temperature above 0")
    row = _pack(policy, items)
    attention.install(policy.model)
    features = [items[place].features for place in row.order]
    hidden = policy.hidden(
        row.ids[None],
        row.positions[:, None],
        features=None if any(f is None for f in features) else features,
        layout=row.layout,
        attention_mask=attention.no_mask(row.ids.device),
    ).last_hidden_state[0]
    picked = hidden.index_select(0, row.sources)
    chunk = chunk_tokens or max(1, LOGIT_CELLS // policy.model.config.get_text_config().vocab_size)
    logprobs, entropies = _scored(policy, picked, row.targets, temperature, with_entropy, chunk)
    found = row.split(logprobs, items)
    return (found, row.split(entropies, items)) if with_entropy else found


@dataclass(frozen=True, eq=False)
class _Row:
    """One packed row: all prompts (with their completion where it is the only one), then all branches."""

    ids: Tensor
    """(N,) int64."""
    positions: Tensor
    """(3, N) int64."""
    layout: PackedLayout
    order: list[int]
    """Places of the items in the order of their prompts in the row."""
    sources: Tensor
    """(M,): the token whose hidden state predicts each completion token, in the order of the items."""
    targets: Tensor
    """(M,) int64: the completion tokens."""

    @staticmethod
    def split(flat: Tensor, items: Sequence[PackItem]) -> list[list[Tensor]]:
        """Return (M,) as [item][completion] -> (T,)."""
        parts = iter(flat.split([len(completion) for item in items for completion in item.completions]))
        return [[next(parts) for _ in item.completions] for item in items]


def _pack(policy: Policy, items: Sequence[PackItem]) -> _Row:
    if not items or not any(len(completion) for item in items for completion in item.completions):
        raise RequestError("no completion token to score: give at least one item with a completion that is not empty")
    device = next(policy.model.parameters()).device
    completions = [[torch.as_tensor(c, dtype=torch.int64, device=device) for c in item.completions] for item in items]
    shapes = [
        (len(group) != 1, len(item.prompt.ids), len(group)) for item, group in zip(items, completions, strict=True)
    ]
    order = sorted(range(len(items)), key=lambda place: shapes[place])
    ids: list[Tensor] = []
    positions: list[Tensor] = []
    lengths: list[int] = []
    sources: dict[tuple[int, int], Tensor] = {}
    starts: dict[int, int] = {}
    total = 0

    def append(first: int, tokens: Tensor) -> None:
        ids.append(tokens)
        positions.append((first + torch.arange(len(tokens), device=device)).expand(3, -1))

    for place in order:
        prompt = items[place].prompt
        starts[place] = total
        ids.append(prompt.ids.to(device))
        positions.append(prompt.positions.to(device))
        lengths.append(len(prompt.ids))
        if len(completions[place]) == 1:
            append(prompt.next_position, completions[place][0][:-1])
            lengths[-1] += len(ids[-1])
            sources[place, 0] = total + len(prompt.ids) - 1 + torch.arange(len(completions[place][0]))
        total += lengths[-1]
    sequences = rectangles(lengths, device)
    branches: list[Branch] = []
    for shape in sorted({shape for shape in shapes if shape[0]}):
        places = [place for place in order if shapes[place] == shape]
        above = Rectangle.of(starts[places[0]], [shape[1]] * len(places), device)
        rows: list[int] = []
        begin = total
        for place in places:
            last = starts[place] + shape[1] - 1
            for member, completion in enumerate(completions[place]):
                append(items[place].prompt.next_position, completion[:-1])
                rows.append(len(ids[-1]))
                sources[place, member] = torch.cat(
                    [torch.full((min(len(completion), 1),), last), total + torch.arange(rows[-1])]
                )
                total += rows[-1]
        if total > begin:
            branches.append(Branch(above, Rectangle.of(begin, rows, device)))
    layout = PackedLayout(sequences, tuple(branches))
    flat = [sources[place, member] for place, group in enumerate(completions) for member in range(len(group))]
    targets = torch.cat([completion for group in completions for completion in group])
    if bool(torch.isin(targets, policy.forbidden_ids.to(device)).any()):
        raise WorkError("a completion holds a vision placeholder, which no policy may write: sample or import it again")
    return _Row(torch.cat(ids), torch.cat(positions, 1), layout, order, torch.cat(flat).to(device), targets)


def _scored(
    policy: Policy, hidden: Tensor, targets: Tensor, temperature: float, with_entropy: bool, chunk: int
) -> tuple[Tensor, Tensor]:
    """Return log-probs and entropies (M,) of `targets` (M,) after `hidden` (M, D)."""
    parts: list[tuple[Tensor, Tensor]] = []
    again = len(targets) > chunk and torch.is_grad_enabled()
    for start in range(0, len(targets), chunk):
        given = (policy, hidden[start : start + chunk], targets[start : start + chunk], temperature, with_entropy)
        parts.append(checkpoint(token_logprobs, *given, use_reentrant=False) if again else token_logprobs(*given))
    logprobs, entropies = zip(*parts, strict=True)
    return torch.cat(logprobs), torch.cat(entropies)


def token_logprobs(
    policy: Policy, hidden: Tensor, targets: Tensor, temperature: float, with_entropy: bool
) -> tuple[Tensor, Tensor]:
    """Return float32 log-probs and entropies (M,) of `targets` (M,) int64 after `hidden` (M, D); logits are (M, V).

    After temperature and with the forbidden ids barred. The entropies are zeros unless asked for.
    """
    logits = policy.logits(hidden).float() / temperature
    logits = logits.index_fill(-1, policy.forbidden_ids.to(logits.device), -torch.inf)
    norm = logits.logsumexp(-1)
    logprobs = logits.gather(-1, targets[:, None])[:, 0] - norm
    if not with_entropy:
        return logprobs, torch.zeros_like(logprobs)
    chances = (logits - norm[:, None]).exp()
    mean = (chances * logits.masked_fill(logits == -torch.inf, 0.0)).sum(-1)
    return logprobs, norm - mean
