"""Log-probs of whole groups from one packed row: each prompt once, its completions as branches, no padding.

Shapes: N tokens of the packed row, T tokens of a completion, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reelgym.errors import RequestError
from reelgym.models import attention
from reelgym.models.family import Prompt
from reelgym.models.recompute import recomputed
from reelgym.training import two_pass
from reelgym.training.items import Completion, Continuation, PackItem, check
from reelgym.training.row import pack

if TYPE_CHECKING:
    from reelgym.models.base import Policy

__all__ = ["Completion", "Continuation", "PackItem"]

LOGIT_CELLS = 1 << 25
"""Tokens x vocabulary held at once by default: 128 MiB in float32."""


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
    causal sequence: the same function serves SFT. What the policy did not write (`Continuation`) is read and gets 0.
    Models with recurrent or windowed layers take the form of `two_pass` instead.

    Args:
        policy: The policy; its `forbidden_ids` are barred before the softmax.
        items: Groups; each may have another prompt length, group size and completion lengths.
        temperature: Divides the logits, above 0.
        chunk_tokens: Tokens whose logits are held at once; None: as many as fit `LOGIT_CELLS`. Under gradients the
            chunks are recomputed in the backward pass where there are several.
        recompute: Gradient checkpointing: layers keep their inputs alone (`models.recompute`).

    Raises:
        RequestError: A temperature not above 0.
        RequestError: Features that do not match their placeholders.
        WorkError: A completion in which the policy is said to have written a forbidden id.
    """
    hidden, targets = _forward(policy, items, temperature, recompute=recompute)
    logprobs, _ = _scored(policy, hidden, targets, temperature, False, _chunk(policy, chunk_tokens))
    return _by_item(logprobs, items)


def group_entropies(
    policy: Policy, items: Sequence[PackItem], *, temperature: float = 1.0, chunk_tokens: int | None = None
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return what `group_logprobs` returns, and in the same shape the entropies in nats of the same distributions."""
    hidden, targets = _forward(policy, items, temperature)
    scored = _scored(policy, hidden, targets, temperature, True, _chunk(policy, chunk_tokens))
    return _by_item(scored[0], items), _by_item(scored[1], items)


def _forward(
    policy: Policy, items: Sequence[PackItem], temperature: float, *, recompute: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the hidden states (M, D) that predict the written tokens of items, and these tokens (M,)."""
    if not temperature > 0:
        raise RequestError(f"temperature={temperature}: log-probs need a temperature above 0")
    for place, item in enumerate(items):
        check(policy, item, place)
    targets = [one.tokens.ids[one.written] for item in items for one in map(Continuation.of, item.completions)]
    if not any(map(len, targets)):
        raise RequestError("no completion token to score: give at least one item with a completion that is not empty")
    wanted = torch.cat(targets).to(policy.device)
    if not attention.serves(policy.model):
        return two_pass.hidden(policy, items), wanted
    row = pack(items, policy.device)
    attention.install(policy.model)
    with recomputed(policy.model, on=recompute):
        output = policy.hidden(
            row.ids[None],
            row.positions[:, None],
            features=row.features,
            layout=row.layout,
            attention_mask=attention.no_mask(row.ids.device),
        )
    return attention.states(output)[0].index_select(0, row.sources), wanted


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
        for completion in map(Continuation.of, item.completions):
            row = Prompt.joined([item.prompt, completion.tokens])
            features = [given for given in (item.features, completion.features) if given is not None]
            output = policy.hidden(
                row.ids.to(policy.device)[None], row.positions.to(policy.device)[:, None], features=features
            )
            written = completion.written.to(policy.device)
            hidden = attention.states(output)[0, len(item.prompt) - 1 : -1][written]
            targets = completion.tokens.ids.to(policy.device)[written]
            scored = token_logprobs(policy, hidden, targets, temperature, True)
            found.append(scored[0])
            entropies.append(scored[1])
    return _by_item(torch.cat(found), items), _by_item(torch.cat(entropies), items)


def _by_item(scored: Tensor, items: Sequence[PackItem]) -> list[list[Tensor]]:
    """Return what was found for the written tokens (M,) as [item][completion] -> (T,), 0 elsewhere."""
    written = [Continuation.of(completion).written for item in items for completion in item.completions]
    mask = torch.cat(written).to(scored.device)
    every = scored if len(mask) == len(scored) else scored.new_zeros(len(mask)).masked_scatter(mask, scored)
    parts = iter(torch.split(every, [len(one) for one in written]))
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
