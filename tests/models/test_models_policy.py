from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_prompts import FORMS, clip, image, media, messages
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError
from reelgym.models import tiny, tower, vision
from reelgym.models.base import Policy, Prompt


def stock_inputs(prompt: Prompt) -> dict[str, torch.Tensor]:
    given = {"input_ids": prompt.ids[None], "position_ids": prompt.positions[:, None]}
    for kind, patches, grid in (
        ("image", "pixel_values", "image_grid_thw"),
        ("video", "pixel_values_videos", "video_grid_thw"),
    ):
        if kind in prompt.patches:
            given |= {patches: prompt.patches[kind], grid: prompt.grids[kind]}
    return given


def run(policy: Policy, prompt: Prompt) -> torch.Tensor:
    found = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=policy.features([prompt]))
    return policy.logits(found.last_hidden_state)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_logits_equal_the_stock_models_given_the_same_positions(policy: Policy, form: str) -> None:
    prompt = policy.encode(messages(form), media(policy, 2))
    ours = run(policy, prompt)
    assert ours.dtype == torch.float32 and ours.shape == (1, len(prompt), len(policy.tokenizer))
    assert torch.equal(ours, policy.model(**stock_inputs(prompt)).logits)
    tower_config = policy.model.model.visual.config
    tower_config._attn_implementation = "sdpa"
    try:
        stock = policy.model(**stock_inputs(prompt)).logits
    finally:
        tower_config._attn_implementation = tower.NAME
    torch.testing.assert_close(ours, stock, atol=1e-5, rtol=0)


@torch.no_grad()
def test_features_given_the_tower_is_not_called(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = policy.encode(messages("mixed"), media(policy))
    features = policy.features([prompt])

    def called(*args: object, **kwargs: object) -> None:
        raise AssertionError("the tower was called")

    monkeypatch.setattr(policy.model.model.visual, "forward", called)
    found = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=features)
    assert found.last_hidden_state.shape == (1, len(prompt), policy.model.config.text_config.hidden_size)


@torch.no_grad()
def test_placing_by_hand_equals_mm_encoder_outputs(policy: Policy) -> None:
    for form in ("image", "mixed", "turns"):
        prompt = policy.encode(messages(form), media(policy, 2))
        features = policy.features([prompt])
        ids, positions = prompt.ids[None], prompt.positions[:, None]
        by_hand = vision.place_and_run(policy, ids, positions, features[0], {"use_cache": False})
        official = policy.hidden(ids, positions, features=features)
        assert torch.equal(by_hand.last_hidden_state, official.last_hidden_state)


@torch.no_grad()
def test_features_of_several_rows_are_placed_row_by_row(policy: Policy) -> None:
    prompts = [policy.encode(messages(form), media(policy)) for form in ("mixed", "image", "turns")]
    longest = max(map(len, prompts))
    ids = torch.stack([torch.nn.functional.pad(p.ids, (0, longest - len(p)), value=policy.pad_id) for p in prompts])
    positions = torch.stack([torch.nn.functional.pad(p.positions, (0, longest - len(p))) for p in prompts], dim=1)
    rows = policy.hidden(ids, positions, features=policy.features(prompts)).last_hidden_state
    for row, prompt in zip(rows, prompts, strict=True):
        alone = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=policy.features([prompt]))
        torch.testing.assert_close(row[: len(prompt)], alone.last_hidden_state[0], atol=1e-5, rtol=0)


def test_a_wrong_number_of_features_is_an_error_before_the_forward(policy: Policy) -> None:
    mixed, picture = (policy.encode(messages(form), media(policy)) for form in ("mixed", "image"))
    ids, positions = mixed.ids[None], mixed.positions[:, None]
    with pytest.raises(RequestError, match="2 image placeholders and 0 image features"):
        policy.hidden(ids, positions, features=None)
    with pytest.raises(RequestError, match="2 image placeholders and 1 image features"):
        policy.hidden(ids, positions, features=policy.features([picture]))
    text = policy.encode(messages("text"), media(policy))
    with pytest.raises(RequestError, match="0 image placeholders and 1 image features"):
        policy.hidden(text.ids[None], text.positions[:, None], features=policy.features([picture]))


@torch.no_grad()
def test_a_cached_continuation_equals_the_whole_row(policy: Policy) -> None:
    prompt = policy.encode(messages("mixed"), media(policy))
    reply = torch.tensor(policy.tokenize("<answer>2, 1</answer>"))
    places = (prompt.next_position + torch.arange(len(reply))).expand(3, 1, -1)
    features = policy.features([prompt])
    begun = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=features, use_cache=True)
    went_on = policy.hidden(
        reply[None], places, features=None, past_key_values=begun.past_key_values, use_cache=True
    ).last_hidden_state
    whole = policy.hidden(
        torch.cat([prompt.ids, reply])[None], torch.cat([prompt.positions[:, None], places], -1), features=features
    ).last_hidden_state
    torch.testing.assert_close(went_on[0], whole[0, len(prompt) :], atol=1e-5, rtol=0)


@torch.no_grad()
def test_keywords_reach_the_attention_function_and_the_tower_keeps_its_own(policy: Policy) -> None:
    seen: list[object] = []

    def spy(*args, hint: object = None, **kwargs):
        seen.append(hint)
        return sdpa_attention_forward(*args, **kwargs)

    AttentionInterface.register("spy", spy)
    prompt = policy.encode(messages("mixed"), media(policy))
    expected = run(policy, prompt)
    before = policy.model.config.text_config._attn_implementation
    policy.set_attention("spy")
    try:
        features = policy.features([prompt])
        assert seen == []
        ids, positions = prompt.ids[None], prompt.positions[:, None]
        mask = torch.ones(len(prompt), len(prompt), dtype=torch.bool).tril()[None, None]
        found = policy.hidden(ids, positions, features=features, hint="here", attention_mask=mask)
    finally:
        policy.set_attention(before)
    assert seen == ["here"] * policy.model.config.text_config.num_hidden_layers
    torch.testing.assert_close(policy.logits(found.last_hidden_state), expected, atol=1e-5, rtol=0)


def test_features_carry_gradients_exactly_where_the_tower_is_trained() -> None:
    policy = tiny.build("qwen2_5_vl")
    prompt = policy.encode(messages("mixed"), media(policy))
    loss = run(policy, prompt).square().mean()
    loss.backward()
    weight = policy.model.model.visual.patch_embed.proj.weight
    ours = weight.grad.clone()
    policy.model.zero_grad()
    policy.model(**stock_inputs(prompt)).logits.float().square().mean().backward()
    torch.testing.assert_close(ours, weight.grad, atol=1e-7, rtol=1e-4)
    assert ours.abs().max() > 0
    policy.model.model.visual.requires_grad_(False)
    assert not any(value.requires_grad for value in policy.features([prompt])[0].pooled.values())


@torch.no_grad()
def test_one_tower_call_for_many_prompts_gives_each_its_own(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [
        policy.encode(messages(form), media(policy, side)) for form in ("mixed", "text", "turns") for side in (1, 2)
    ]
    together = policy.features(prompts)
    monkeypatch.setattr(vision, "TOWER_PATCHES", 1)  # One prompt per call.
    for joint, alone in zip(together, policy.features(prompts), strict=True):
        assert joint.pooled.keys() == alone.pooled.keys() and joint.deepstack.keys() == alone.deepstack.keys()
        for kind in joint.pooled:
            torch.testing.assert_close(joint.pooled[kind], alone.pooled[kind], atol=1e-6, rtol=0)
            for level, other in zip(joint.deepstack.get(kind, []), alone.deepstack.get(kind, []), strict=True):
                torch.testing.assert_close(level, other, atol=1e-6, rtol=0)
    assert together[2].pooled == {} and together[0].count("image") == 2 and together[1].count("video") == 8


@torch.no_grad()
def test_what_a_frame_shows_changes_the_logits(policy: Policy) -> None:
    prompt = policy.encode(messages("mixed"), media(policy))
    for kind in ("image", "video"):
        other = {**prompt.patches, kind: prompt.patches[kind].flip(0)}
        assert (run(policy, replace(prompt, patches=other)) - run(policy, prompt)).abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("lengths", [[4], [4, 4, 4], [4, 1, 4, 9, 1]])
def test_segment_attention_equals_attention_one_segment_at_a_time(lengths: list[int]) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 8)
    ends = torch.tensor([0, *lengths]).cumsum(0)
    found, _ = tower.attend(torch.nn.Identity(), query, key, value, None, cu_seq_lens_q=ends, scaling=0.3)
    for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        scores = query[:, :, start:stop] @ key[:, :, start:stop].transpose(-1, -2) * 0.3
        expected = (scores.softmax(-1) @ value[:, :, start:stop]).transpose(1, 2)
        torch.testing.assert_close(found[:, start:stop], expected, atol=1e-6, rtol=0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 967), max_size=12))
def test_pieces_joined_are_the_tokenizers_own_decoding(policies: dict[str, Policy], ids: list[int]) -> None:
    policy = policies["qwen2_5_vl"]
    assert "".join(policy.pieces(ids)) == policy.tokenizer.decode(ids, skip_special_tokens=True) == policy.decode(ids)
    assert len(policy.pieces(ids)) == len(ids)


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_comes_back(policies: dict[str, Policy], text: str) -> None:
    policy = policies["qwen3_vl"]
    if "<|" not in text:
        assert policy.decode(policy.tokenize(text)) == text


def test_special_ids_are_those_of_the_family(policy: Policy) -> None:
    name = {policy.tokenizer.convert_ids_to_tokens(token) for token in policy.forbidden_ids.tolist()}
    assert name == {"<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"}
    assert policy.forbidden_ids.dtype == torch.int64
    assert policy.end_id in policy.eos_ids and policy.pad_id in policy.eos_ids
    assert policy.decode([policy.end_id, policy.pad_id]) == ""


def test_a_seed_names_the_weights_and_leaves_the_global_state() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, again, other = (tiny.build("qwen3_vl", seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    weights = [policy.model.lm_head.weight for policy in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert not first.cold_started


def test_tiny_models_have_one_to_two_million_parameters(policy: Policy) -> None:
    assert 1_000_000 <= sum(parameter.numel() for parameter in policy.model.parameters()) <= 2_000_000
    tied = policy.model.lm_head.weight.data_ptr() == policy.model.get_input_embeddings().weight.data_ptr()
    assert tied and policy.model.dtype == torch.float32 and not policy.model.training


def test_an_unknown_family_names_the_known_ones() -> None:
    with pytest.raises(RequestError, match="unknown model family 'qwen3vl'; did you mean 'qwen3_vl'"):
        tiny.build("qwen3vl")


@torch.no_grad()
def test_the_larger_clip_of_two_keeps_its_order_among_images(policy: Policy) -> None:
    # Image, clip, image, clip: kinds interleave in the text and not in the patches.
    turn = Message("user", (image(1.0), clip(0.0, 1.0), Text("x"), image(2.0), clip(3.0, 4.0, 5.0, 6.0)))
    prompt = policy.encode((turn,), media(policy))
    assert prompt.grids["video"][:, 0].tolist() == [1, 2]
    assert torch.equal(run(policy, prompt), policy.model(**stock_inputs(prompt)).logits)
