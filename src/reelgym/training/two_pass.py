"""Groups under models that no attention layout can serve: recurrent or windowed layers.

The prompt runs once and leaves keys, values and recurrent states; these are expanded over the group, whose completions
run as right-padded rows after them. Gradients flow back through the states into the prompt. Exact, and as lean in
arithmetic as the packed row; it holds the prompt's keys G times, and layers are not recomputed (their states would be
written twice).

Shapes: G completions, T tokens of the longest, P tokens of the prompt, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache

from reelgym.models.attention import states
from reelgym.training.items import Continuation, PackItem

if TYPE_CHECKING:
    from reelgym.models.base import Policy


def hidden(policy: Policy, items: Sequence[PackItem]) -> Tensor:
    """Return the hidden states (M, D) that predict the written tokens of items, in order."""
    return torch.cat([_group(policy, item) for item in items if any(map(len, item.completions))])


def _group(policy: Policy, item: PackItem) -> Tensor:
    group = [Continuation.of(completion) for completion in item.completions]
    cache = _cache(policy.model.config)
    prompt = policy.hidden(
        item.prompt.ids.to(policy.device)[None],
        item.prompt.positions.to(policy.device)[:, None],
        features=None if item.features is None else [item.features],
        past_key_values=cache,
        use_cache=True,
    )
    last = states(prompt)[:, -1:].expand(len(group), -1, -1)
    _expand(cache, len(group))
    ids, positions = _padded(policy, group, item.prompt.next_position)
    after = policy.hidden(
        ids,
        positions,
        features=[one.features for one in group if one.features is not None],
        past_key_values=cache,
        use_cache=True,
    )
    before = torch.cat([last, states(after)[:, :-1]], 1)
    return torch.cat([row[: len(one)][one.written.to(row.device)] for row, one in zip(before, group, strict=True)])


def _padded(policy: Policy, group: Sequence[Continuation], start: int) -> tuple[Tensor, Tensor]:
    """Return ids (G, T) and positions (3, G, T); what is padded comes after all that is read."""
    longest = max(map(len, group))
    ids = torch.full((len(group), longest), policy.pad_id, dtype=torch.int64)
    positions = torch.zeros(3, len(group), longest, dtype=torch.int64)
    for row, one in enumerate(group):
        ids[row, : len(one)] = one.tokens.ids
        positions[:, row, : len(one)] = one.tokens.positions + start
    return ids.to(policy.device), positions.to(policy.device)


def _cache(config: Any) -> DynamicCache:
    """Return an empty cache that autograd can follow: states are replaced, never written over."""
    cache = DynamicCache(config=config.get_text_config())
    layers: list[Any] = list(cache.layers)
    for layer in layers:
        if hasattr(layer, "recurrent_states"):
            layer.activate_past_recording()
            layer.update_recurrent_state = _replacing(layer)
    return cache


def _replacing(layer: Any) -> Any:
    def update(recurrent_states: Tensor, state_idx: int = 0, **kwargs: Any) -> Tensor:
        layer.recurrent_states[state_idx] = recurrent_states
        layer.is_recurrent_states_initialized[state_idx] = True
        return recurrent_states

    return update


def _expand(cache: DynamicCache, times: int) -> None:
    """Repeat every key, value and state for each member of a group."""
    layers: list[Any] = list(cache.layers)
    for layer in layers:
        if hasattr(layer, "recurrent_states"):
            if layer.is_conv_states_initialized[0]:
                layer.crop(0)  # Keep what the next convolution sees.
            for kept in (layer.conv_states, layer.recurrent_states):
                for index, state in kept.items():
                    kept[index] = None if state is None else state.repeat_interleave(times, 0)
        if getattr(layer, "keys", None) is not None:
            layer.batch_repeat_interleave(times)
