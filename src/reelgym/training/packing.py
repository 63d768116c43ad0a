"""Log-probs of whole groups from one packed row: each prompt once, its completions as branches, no padding.

Shapes: N tokens of the packed row, T tokens of a completion, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reelgym.errors import RequestError, WorkError
from reelgym.models import attention
from reelgym.models.attention import Branch, PackedLayout, Rectangle, rectangles
from reelgym.models.recompute import recomputed

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


def group_logprobs(
    policy: Policy,
    items: Sequence[PackItem],
    *,
    temperature: float = 1.0,
    chunk_tokens: int | None = None,
    recompute: bool = False,
) -> list[list[Tensor]]:
    """Return the log-prob of every completion token, [item][completion] -> (T,) float32; gradients are exact.

    The prompt runs once under causal attention, its completions attend to it and to themselves (split attention), and
    the first token of each is predicted by the prompt's last hidden state. An item with one completion is one plain
    causal sequence: the same function serves SFT.

    Args:
        policy: The policy; its `forbidden_ids` are barred before the softmax.
        items: Groups; each may have another prompt length, group size and completion lengths.
        temperature: Divides the logits, above 0.
        chunk_tokens: Tokens whose logits are held at once; None: as many as fit `LOGIT_CELLS`. Under gradients the
            chunks are recomputed in the backward pass where there are several.
        recompute: Gradient checkpointing: layers keep their inputs alone (`models.recompute`).

    Raises:
        RequestError: A temperature not above 0.
        WorkError: A completion that holds a forbidden id.
    """
    with recomputed(policy.model, on=recompute):
        row, hidden = _forward(policy, items, temperature)
    logprobs, _ = _scored(policy, hidden, row.targets, temperature, False, _chunk(policy, chunk_tokens))
    return _by_item(logprobs, items)


def group_entropies(
    policy: Policy, items: Sequence[PackItem], *, temperature: float = 1.0, chunk_tokens: int | None = None
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return what `group_logprobs` returns, and in the same shape the entropies in nats of the same distributions."""
    row, hidden = _forward(policy, items, temperature)
    scored = _scored(policy, hidden, row.targets, temperature, True, _chunk(policy, chunk_tokens))
    return _by_item(scored[0], items), _by_item(scored[1], items)


def _forward(policy: Policy, items: Sequence[PackItem], temperature: float) -> tuple[_Row, Tensor]:
    """Return the packed row of items and the hidden states (M, D) that predict its targets."""
    if not temperature > 0:
        raise RequestError(f"temperature={temperature}: log-probs need a temperature above 0")
    row = _pack(policy, items)
    attention.install(policy.model)
    features = [items[place].features for place in row.order]
    output = policy.hidden(
        row.ids[None],
        row.positions[:, None],
        features=[given for given in features if given is not None],
        layout=row.layout,
        attention_mask=attention.no_mask(row.ids.device),
    )
    return row, attention.states(output)[0].index_select(0, row.sources)


def _chunk(policy: Policy, chunk_tokens: int | None) -> int:
    return chunk_tokens or max(1, LOGIT_CELLS // policy.model.config.get_text_config().vocab_size)


def padded_logprobs(
    policy: Policy, items: Sequence[PackItem], *, temperature: float = 1.0
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return what `group_entropies` returns, the plain way: an oracle for tests.

    Every (prompt, completion) is a row of its own under transformers' own causal attention.
    """
    found: list[Tensor] = []
    entropies: list[Tensor] = []
    for item in items:
        for completion in item.completions:
            prompt, ids = item.prompt, torch.as_tensor(completion, dtype=torch.int64)
            after = prompt.next_position + torch.arange(len(ids))
            output = policy.hidden(
                torch.cat([prompt.ids, ids]).to(policy.device)[None],
                torch.cat([prompt.positions, after.expand(3, -1)], 1).to(policy.device)[:, None],
                features=None if item.features is None else [item.features],
            )
            hidden = attention.states(output)[0, len(prompt.ids) - 1 : -1]
            scored = token_logprobs(policy, hidden, ids.to(policy.device), temperature, True)
            found.append(scored[0])
            entropies.append(scored[1])
    return _by_item(torch.cat(found), items), _by_item(torch.cat(entropies), items)


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


class _Builder:
    """Grows a row: first every prompt, then the branches. A completion's last token predicts nothing and stays out."""

    def __init__(self, items: Sequence[PackItem], device: torch.device) -> None:
        self.device = device
        self.prompts = [item.prompt for item in items]
        self.completions = [
            [torch.as_tensor(completion, dtype=torch.int64, device=device) for completion in item.completions]
            for item in items
        ]
        self.ids: list[Tensor] = []
        self.positions: list[Tensor] = []
        self.total = 0
        self.starts: dict[int, int] = {}
        """Where the prompt of each place begins."""
        self.sources: dict[tuple[int, int], Tensor] = {}

    def shape(self, place: int) -> tuple[bool, int, int]:
        """Return (branches, length, members): items of one shape stand side by side and share kernel calls."""
        length, group = len(self.prompts[place].ids), self.completions[place]
        return (True, length, len(group)) if len(group) != 1 else (False, length + len(group[0]), 1)

    def prompt(self, place: int) -> int:
        """Append a prompt, and its completion if it is the only one; return the tokens appended."""
        begin, prompt = self.total, self.prompts[place]
        self.starts[place] = begin
        self._append(prompt.ids.to(self.device), prompt.positions.to(self.device))
        if len(self.completions[place]) == 1:
            self._completion(place, 0)
        return self.total - begin

    def branch(self, places: Sequence[int]) -> Branch | None:
        """Append the completions of items of one shape; None where they hold no token."""
        begin = self.total
        rows = [self._completion(place, member) for place in places for member in range(len(self.completions[place]))]
        if self.total == begin:
            return None
        prompts = Rectangle.of(self.starts[places[0]], [len(self.prompts[place].ids) for place in places], self.device)
        return Branch(prompts, Rectangle.of(begin, rows, self.device))

    def _completion(self, place: int, member: int) -> int:
        completion, prompt = self.completions[place][member], self.prompts[place]
        inner, begin = completion[:-1], self.total
        positions = prompt.next_position + torch.arange(len(inner), device=self.device)
        self._append(inner, positions.expand(3, -1))
        first = torch.full((min(len(completion), 1),), self.starts[place] + len(prompt.ids) - 1)
        self.sources[place, member] = torch.cat([first, begin + torch.arange(len(inner))])
        return len(inner)

    def _append(self, ids: Tensor, positions: Tensor) -> None:
        self.ids.append(ids)
        self.positions.append(positions)
        self.total += len(ids)


def _pack(policy: Policy, items: Sequence[PackItem]) -> _Row:
    """Return the row of `items`, equal shapes side by side."""
    if not any(len(completion) for item in items for completion in item.completions):
        raise RequestError("no completion token to score: give at least one item with a completion that is not empty")
    device = policy.device
    row = _Builder(items, device)
    order = sorted(range(len(items)), key=row.shape)
    sequences = rectangles([row.prompt(place) for place in order], device)
    runs = [list(run) for (branches, *_), run in groupby(order, key=row.shape) if branches]
    found = [row.branch(places) for places in runs]
    branches = tuple(branch for branch in found if branch is not None)
    members = [(place, member) for place, group in enumerate(row.completions) for member in range(len(group))]
    targets = torch.cat([row.completions[place][member] for place, member in members])
    if bool(torch.isin(targets, policy.forbidden_ids.to(device)).any()):
        raise WorkError("a completion holds a vision placeholder, which no policy may write: sample or import it again")
    return _Row(
        ids=torch.cat(row.ids),
        positions=torch.cat(row.positions, 1),
        layout=PackedLayout(sequences, branches),
        order=order,
        sources=torch.cat([row.sources[key] for key in members]).to(device),
        targets=targets,
    )


def _by_item(flat: Tensor, items: Sequence[PackItem]) -> list[list[Tensor]]:
    """Return (M,) as [item][completion] -> (T,)."""
    parts = iter(torch.split(flat, [len(completion) for item in items for completion in item.completions]))
    return [[next(parts) for _ in item.completions] for item in items]


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
    logits = policy.logits(hidden) / temperature
    logits.index_fill_(-1, policy.forbidden_ids.to(logits.device), -torch.inf)
    norm = logits.logsumexp(-1)
    logprobs = logits.gather(-1, targets[:, None])[:, 0] - norm
    if not with_entropy:
        return logprobs, torch.zeros_like(logprobs)
    chances = (logits - norm[:, None]).exp()
    mean = (chances * logits.masked_fill(logits == -torch.inf, 0.0)).sum(-1)
    return logprobs, norm - mean
