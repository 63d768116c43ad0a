from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from continuations import Piece, adapted, agree, answers, continuation, dense, flat, judged, media, mixed_items
from hypothesis import given, settings
from hypothesis import strategies as st
from sharp_policies import FAMILIES, make_prompt, sharp

from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError, WorkError
from reelgym.models.base import Features, Policy, Prompt
from reelgym.training.packing import Continuation, PackItem, group_entropies, group_logprobs, padded_logprobs


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest) -> Policy:
    return sharp(request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_returned_media_score_as_padded_rows_and_under_a_dense_mask(policy: Policy, dtype: torch.dtype) -> None:
    policy = replace(policy, model=sharp(policy.family.name).model.to(dtype))
    # transformers' norms round to float32 whatever the model is: values then still agree, gradients to its last digits.
    values, slopes = (1e-5, 1e-5) if dtype == torch.float32 else (1e-10, 1e-6)
    found = judged(policy, group_entropies, tower=True)
    assert any(name.startswith("model.visual") for name in found[2])
    agree(found, judged(policy, padded_logprobs, tower=True), values, slopes)
    agree(found, judged(policy, dense, tower=True), values, slopes)


def test_adapters_over_cached_features_learn_as_under_the_padded_form(policy: Policy) -> None:
    policy = adapted(policy)
    found = judged(policy, group_entropies)
    assert found[2] and all("lora" in name for name in found[2])
    agree(found, judged(policy, padded_logprobs), 1e-5, 1e-5)


def test_bfloat16_is_as_near_to_float32_as_the_padded_form_is(policy: Policy) -> None:
    with torch.no_grad():
        right = flat(padded_logprobs(policy, mixed_items(policy))[0])
        half = replace(policy, model=sharp(policy.family.name).model.to(torch.bfloat16))
        packed, padded = (flat(form(half, mixed_items(half))[0]) for form in (group_entropies, padded_logprobs))
    error = float((padded - right).square().mean().sqrt())
    assert float((packed - right).square().mean().sqrt()) < 1.3 * error


def test_what_was_answered_is_read_but_not_scored(policy: Policy) -> None:
    items = mixed_items(policy)
    with torch.no_grad():
        found = group_logprobs(policy, items)
        one = items[0].completions[0]
        assert isinstance(one, Continuation) and one.features
        blind = {kind: value.flip(0) for kind, value in one.features.pooled.items()}
        other = replace(one, features=replace(one.features, pooled=blind))
        changed = PackItem(items[0].prompt, items[0].features, [other, *items[0].completions[1:]])
        after = group_logprobs(policy, [changed, *items[1:]])
    assert bool((found[0][0][one.written] < 0).all()) and not bool(found[0][0][~one.written].any())
    assert torch.equal(found[0][0][:3], after[0][0][:3])
    assert not torch.allclose(found[0][0][one.written][3:], after[0][0][one.written][3:])
    assert torch.equal(found[0][1], after[0][1])


def test_a_conversation_that_went_on_is_the_one_the_chat_template_writes(policy: Policy) -> None:
    answer = answers(policy)[3]
    clip_first = make_prompt(policy)
    reply = policy.tokenize("let me look")
    turn = Prompt.of_ids(torch.tensor([*reply, policy.end_id]))
    joined = Prompt.joined([clip_first, turn, answer])
    assert joined.grids.keys() == joined.patches.keys() == {"image", "video"}
    user = Message("user", answers_parts())
    text = (Message("user", (Text("what"),)), Message("assistant", (Text("let me look"),)), user)
    whole = policy.encode(text, media)
    parts = Prompt.joined([policy.encode(text[:1], media), turn, answer])
    assert parts.ids.tolist() == whole.ids.tolist()
    assert parts.positions.tolist() == whole.positions.tolist()
    assert parts.next_position == whole.next_position
    assert all(torch.equal(parts.patches[kind], whole.patches[kind]) for kind in whole.patches)
    assert all(torch.equal(parts.grids[kind], whole.grids[kind]) for kind in whole.grids)


def answers_parts() -> tuple[Any, ...]:
    from sharp_policies import SPEC

    from reelgym.data.messages import Clip, Image

    return (Image(video="f", spec=SPEC, time=1.0), Text("and"), Clip(video="d", spec=SPEC, times=(2.0, 2.5)))


def test_features_that_do_not_fit_are_named_with_what_to_do(policy: Policy) -> None:
    items = mixed_items(policy)
    one = items[0].completions[0]
    assert isinstance(one, Continuation) and one.features
    wrong = replace(one, features=items[0].features)
    with pytest.raises(RequestError, match=r"completion 0 of item 0 has \d+ .* placeholders and \d+ .* features.*Make"):
        group_logprobs(policy, [PackItem(items[0].prompt, items[0].features, [wrong])])
    with pytest.raises(RequestError, match="the prompt of item 1 has"):
        group_logprobs(policy, [items[2], PackItem(items[0].prompt, None, [torch.arange(40, 44)])])
    if policy.family.name == "qwen3_vl":
        levels = {kind: [level[1:] for level in value] for kind, value in one.features.deepstack.items()}
        cut = replace(one, features=Features(pooled=one.features.pooled, deepstack=levels))
        with pytest.raises(RequestError, match="completion 0 of item 0"):
            group_logprobs(policy, [PackItem(items[0].prompt, items[0].features, [cut])])
    with pytest.raises(WorkError, match="vision placeholder"):
        written = replace(one, written=torch.ones(len(one), dtype=torch.bool))
        group_logprobs(policy, [PackItem(items[0].prompt, items[0].features, [written])])


@pytest.fixture(scope="module")
def known() -> tuple[Policy, list[PackItem], list[Prompt]]:
    policy = sharp("qwen3_vl")
    prompts = [make_prompt(policy, "why " * n, seen=n == 1) for n in range(3)]
    with torch.no_grad():
        seen = policy.features(prompts)
    return policy, [PackItem(*pair, ()) for pair in zip(prompts, seen, strict=True)], answers(policy)


COMPLETIONS = st.lists(st.lists(st.one_of(st.integers(0, 3), st.sampled_from("abcd")), max_size=4), max_size=3)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), COMPLETIONS), min_size=1, max_size=3))
def test_any_conversation_scores_as_its_padded_row(
    known: tuple[Policy, list[PackItem], list[Prompt]], shape: list[tuple[int, list[list[int | str]]]]
) -> None:
    policy, prompts, replies = known
    items = []
    with torch.no_grad():
        for place, group in shape:
            pieces: list[list[Piece]] = [
                [p if isinstance(p, int) else replies["abcd".index(p)] for p in [0, *one]] for one in group
            ]
            items.append(
                replace(prompts[place], completions=[continuation(policy, p, i) for i, p in enumerate(pieces)])
            )
        if not any(bool(c.written.any()) for item in items for c in map(Continuation.of, item.completions)):
            return
        packed, right = group_logprobs(policy, items), padded_logprobs(policy, items)[0]
    torch.testing.assert_close(flat(packed), flat(right), rtol=1e-5, atol=1e-5)
