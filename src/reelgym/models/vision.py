"""The vision tower once per prompt, and its features at their placeholders."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from reelgym.errors import RequestError
from reelgym.models.family import KINDS, Features, Prompt
from reelgym.models.parts import text_of

if TYPE_CHECKING:
    from transformers.modeling_outputs import BaseModelOutputWithPast

    from reelgym.models.base import Policy

TOWER_PATCHES = 32_768
"""Patches per call of the vision tower: bounds its memory; a prompt is never divided."""


def features(policy: Policy, prompts: Sequence[Prompt]) -> list[Features]:
    """Return each prompt's vision features; see `Policy.features`."""
    return [found for batch in _batches(prompts) for found in _tower(policy, batch)]


def hidden(
    policy: Policy, ids: torch.Tensor, positions: torch.Tensor, given: Sequence[Features], kwargs: dict[str, Any]
) -> BaseModelOutputWithPast:
    """Run the text model over ids with features in place; see `Policy.hidden`."""
    joined = _join(given)
    positions = positions if policy.family.axes > 1 else positions[0]
    for kind in policy.family.kinds:
        placeholders = int((ids == policy.placeholder_ids[kind]).sum())
        if placeholders != joined.count(kind):
            raise RequestError(
                f"{placeholders} {kind} placeholders and {joined.count(kind)} {kind} features: "
                "give hidden() the features of exactly the prompts in ids, in row-major order"
            )
    core = policy.model.model
    if not joined.pooled:
        return core(input_ids=ids, position_ids=positions, **kwargs)  # type: ignore[no-any-return]
    if "mm_encoder_outputs" in inspect.signature(type(core).forward).parameters:
        outputs = policy.family.encoder_outputs(joined)
        return core(input_ids=ids, position_ids=positions, mm_encoder_outputs=outputs, **kwargs)  # type: ignore[no-any-return]
    return place_and_run(policy, ids, positions, joined, kwargs)


def place_and_run(
    policy: Policy, ids: torch.Tensor, positions: torch.Tensor, given: Features, kwargs: dict[str, Any]
) -> BaseModelOutputWithPast:
    """Do what `mm_encoder_outputs` does, for a transformers release without it: embed, place, run.

    Positions have as many axes as the model takes.
    """
    core = policy.model.model
    embedded = core.get_input_embeddings()(ids)
    masks = {kind: ids == policy.placeholder_ids[kind] for kind in given.pooled}
    for kind, mask in masks.items():
        embedded = embedded.masked_scatter(mask.unsqueeze(-1), given.pooled[kind].to(embedded.dtype))
    extra = dict(kwargs)
    if given.deepstack:
        anywhere = torch.stack(list(masks.values())).any(0)
        levels = []
        for level in range(len(next(iter(given.deepstack.values())))):
            merged = embedded.new_zeros(int(anywhere.sum()), embedded.shape[-1])
            for kind, mask in masks.items():
                merged[mask[anywhere]] = given.deepstack[kind][level].to(embedded.dtype)
            levels.append(merged)
        extra |= {"visual_pos_masks": anywhere, "deepstack_visual_embeds": levels}
    return text_of(policy.model)(inputs_embeds=embedded, position_ids=positions, **extra)  # type: ignore[no-any-return]


def _batches(prompts: Sequence[Prompt]) -> Iterator[list[Prompt]]:
    """Divide prompts so that no call of the tower sees more than its share of patches, unless one prompt alone does."""
    batch: list[Prompt] = []
    patches = 0
    for prompt in prompts:
        size = sum(len(value) for value in prompt.patches.values())
        if batch and patches + size > TOWER_PATCHES:
            yield batch
            batch, patches = [], 0
        batch.append(prompt)
        patches += size
    if batch:
        yield batch


def _tower(policy: Policy, prompts: list[Prompt]) -> list[Features]:
    pooled: list[dict[str, torch.Tensor]] = [{} for _ in prompts]
    deepstack: list[dict[str, list[torch.Tensor]]] = [{} for _ in prompts]
    merge, core = policy.family.pixels.merge, policy.model.model
    for kind in policy.family.kinds:
        holders = [i for i, prompt in enumerate(prompts) if kind in prompt.patches]
        if not holders:
            continue
        patches = torch.cat([prompts[i].patches[kind] for i in holders]).to(policy.device)
        given = policy.family.tower_inputs(patches, torch.cat([prompts[i].grids[kind] for i in holders]))
        call = core.get_image_features if kind == "image" else core.get_video_features
        output = call(*(value.to(policy.device) for value in given), return_dict=True)
        counts = [len(prompts[i].patches[kind]) // merge**2 for i in holders]
        levels = [_split(level, counts) for level in getattr(output, "deepstack_features", None) or []]
        for place, (i, value) in enumerate(zip(holders, _split(output.pooler_output, counts), strict=True)):
            pooled[i][kind] = value
            if levels:
                deepstack[i][kind] = [level[place] for level in levels]
    return [Features(pooled=p, deepstack=d) for p, d in zip(pooled, deepstack, strict=True)]


def _split(value: torch.Tensor | Sequence[torch.Tensor], counts: list[int]) -> tuple[torch.Tensor, ...]:
    """Divide features by prompt; transformers gives them as one tensor or as one per image, by release and family."""
    whole = value if isinstance(value, torch.Tensor) else torch.cat(tuple(value))
    return torch.split(whole.flatten(0, -2), counts)


def _join(given: Sequence[Features]) -> Features:
    pooled: dict[str, torch.Tensor] = {}
    deepstack: dict[str, list[torch.Tensor]] = {}
    for kind in KINDS:
        holders = [item for item in given if item.count(kind)]
        if holders:
            pooled[kind] = torch.cat([item.pooled[kind] for item in holders])
            if holders[0].deepstack:
                deepstack[kind] = [
                    torch.cat(level) for level in zip(*(h.deepstack[kind] for h in holders), strict=True)
                ]
    return Features(pooled=pooled, deepstack=deepstack)
