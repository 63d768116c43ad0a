"""Families of tiles under sampling and training: one number wherever log-probs are read, and what is trained."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from continuations import adapted, agree, judged
from sharp_policies import make_prompt, media, sharp

from reelgym.data.messages import Message, Text
from reelgym.models.base import Policy, Prompt
from reelgym.models.features import KeptFeatures
from reelgym.models.parts import blocks_of, text_of, tower_of
from reelgym.models.recompute import recomputed
from reelgym.rollout.local import LocalSampler, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.training import weights
from reelgym.training.config import RLConfig
from reelgym.training.packing import PackItem, group_entropies, group_logprobs, padded_logprobs

TOWERS = {
    "internvl": ("model.vision_tower.", "model.multi_modal_projector."),
    "smolvlm": ("model.vision_model.", "model.connector."),
}


@pytest.fixture(scope="module", params=TOWERS)
def policy(request: pytest.FixtureRequest) -> Policy:
    return sharp(request.param)


def test_packed_groups_with_returned_media_score_as_padded_rows_in_value_and_gradient(policy: Policy) -> None:
    found = judged(policy, group_entropies, tower=True)
    for part in TOWERS[policy.family.name]:
        assert any(name.startswith(part) for name in found[2])
    right = judged(policy, padded_logprobs, tower=True)
    for name in [name for name in found[2] if name.endswith("k_proj.bias")]:
        del found[2][name], right[2][name]  # A softmax does not see it: its gradient is rounding alone.
    agree(found, right, 1e-5, 1e-5)


def test_adapters_lie_on_all_language_linears_and_learn_as_under_the_padded_form(policy: Policy) -> None:
    policy = adapted(policy)
    layers = len(text_of(policy.model).layers)
    assert sum("lora_A" in name for name, _ in policy.model.named_parameters()) == 7 * layers
    found = judged(policy, group_entropies)
    assert found[2] and all("lora" in name for name in found[2])
    agree(found, judged(policy, padded_logprobs), 1e-5, 1e-5)


def test_a_frozen_tower_is_frozen_with_its_merger(policy: Policy) -> None:
    other = replace(policy, model=sharp(policy.family.name).model)
    weights.prepare(other, RLConfig())
    frozen = {name for name, weight in other.model.named_parameters() if not weight.requires_grad}
    inside = {name for name, _ in other.model.named_parameters() if name.startswith(TOWERS[policy.family.name])}
    assert frozen == inside and inside
    tower = tower_of(other.model)
    assert tower is not None and len(list(tower.parameters())) == len(inside)


def test_gradient_checkpointing_reaches_tower_and_text(policy: Policy) -> None:
    prompts = [make_prompt(policy)]
    found = []
    for on in (True, False):
        with recomputed(policy.model, on=on):
            assert all(
                ("forward" in vars(layer)) is on for layer in (*text_of(policy.model).layers, *blocks_of(policy.model))
            )
            items = [PackItem(prompts[0], policy.features(prompts)[0], [torch.arange(40, 46), torch.arange(50, 53)])]
        scored = torch.cat([row for group in group_logprobs(policy, items, recompute=on) for row in group])
        scored.sum().backward()
        found.append({name: one.grad.clone() for name, one in policy.model.named_parameters() if one.grad is not None})
        policy.model.zero_grad()
    assert found[0].keys() == found[1].keys()
    for name, slope in found[0].items():
        torch.testing.assert_close(slope, found[1][name], atol=1e-5, rtol=1e-4)


def test_logprobs_read_while_decoding_are_those_of_training(policy: Policy) -> None:
    prompts = [make_prompt(policy, "what " * n, seen=seen) for n, seen in ((1, True), (4, False))]
    params = SamplingParams(max_tokens=8, temperature=0.7)
    sampled = LocalSampler(policy).sample(prompts, n=3, params=params, streams=Streams(1, 2, ["a", "b"]))
    items = [
        PackItem(prompt, seen, [torch.from_numpy(turn.ids) for turn in group])
        for prompt, seen, group in zip(prompts, policy.features(prompts), sampled, strict=True)
    ]
    with torch.no_grad():
        trained = group_logprobs(policy, items, temperature=0.7)
    for group, found in zip(sampled, trained, strict=True):
        for turn, right in zip(group, found, strict=True):
            np.testing.assert_allclose(turn.logprobs, right.numpy(), atol=1e-4, rtol=0)


def test_kept_features_are_those_of_the_tower_and_of_these_budgets_alone(policy: Policy) -> None:
    kept: dict[str, bytes] = {}
    blobs = SimpleNamespace(blob=kept.get, keep_blob=kept.__setitem__)
    prompt = make_prompt(policy)
    with torch.no_grad():
        features = policy.features([prompt])[0]
    KeptFeatures(policy, blobs).save(prompt, features)
    found = KeptFeatures(policy, blobs).load(prompt)
    assert found is not None and torch.equal(found.pooled["image"], features.pooled["image"])
    assert len(kept) == 3  # A clip and two images.
    # Square pictures stay one tile: InternVL3 cuts them as before, SmolVLM2 resizes them to another edge first.
    wider = {"internvl": 4 * 56**2, "smolvlm": 100**2}[policy.family.name]
    other = replace(policy, sizing=replace(policy.sizing, image_max_pixels=wider))
    again = KeptFeatures(other, blobs).load(make_prompt(other))
    assert (again is None) is (policy.family.name == "smolvlm")


def test_a_conversation_that_went_on_is_the_one_the_chat_template_writes(policy: Policy) -> None:
    asked = (Message("user", (Text("what"),)), Message("assistant", (Text("let me look"),)))
    user = Message("user", (Text("and"), *make_prompt(policy).messages[0].parts[1:2]))
    written = policy.tokenize(policy.family.reply_start + "let me look")
    turn = Prompt.of_ids(torch.tensor([*written, policy.end_id]))
    answer = policy.encode_reply_to([user], media)
    parts = Prompt.joined([policy.encode(asked[:1], media), turn, answer])
    whole = policy.encode((*asked, user), media)
    assert parts.ids.tolist() == whole.ids.tolist()
    assert parts.positions.tolist() == whole.positions.tolist()
    assert torch.equal(parts.patches["image"], whole.patches["image"])
