from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from continuations import Largest
from hypothesis import given, settings
from hypothesis import strategies as st
from sharp_policies import FAMILIES, make_prompt, sharp

from reelgym.errors import RequestError, WorkError
from reelgym.models.base import Policy, Prompt
from reelgym.models.recompute import recomputed
from reelgym.training.packing import PackItem, group_entropies, group_logprobs, micro_batches, padded_logprobs

LENGTHS = ((5, 3, 0, 9), (4,), (1, 1, 1, 1), (0,), (7, 8, 6), (), (6, 2, 8, 3), (12,))
"""Completion lengths per item: unequal, empty, none at all, equal, groups of one."""


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest) -> Policy:
    return sharp(request.param)


def words(policy: Policy, count: int, seed: int = 0) -> torch.Tensor:
    """Return ids that are neither special nor forbidden."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(30, 900, (count,), generator=generator)


def make_items(policy: Policy, lengths: Sequence[Sequence[int]] = LENGTHS, *, grad: bool = False) -> list[PackItem]:
    """Return items whose prompts differ in length and media; every third shows none."""
    prompts = [make_prompt(policy, "what " * (i % 3 + 1), seen=i % 3 != 2) for i in range(len(lengths))]
    with torch.set_grad_enabled(grad):
        features = policy.features(prompts)
    return [
        PackItem(prompt, seen, [words(policy, n, 10 * i + j) for j, n in enumerate(group)])
        for i, (prompt, seen, group) in enumerate(zip(prompts, features, lengths, strict=True))
    ]


def flat(found: list[list[torch.Tensor]]) -> torch.Tensor:
    return torch.cat([tensor for group in found for tensor in group])


def gradients(policy: Policy, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    policy.model.zero_grad()
    loss.backward()
    found = {n: p.grad.clone() for n, p in policy.model.named_parameters() if p.grad is not None}
    policy.model.zero_grad()
    return found


def largest_relative(found: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> float:
    assert found.keys() == right.keys()
    floor = 1e-6 * max(float(value.norm()) for value in right.values())
    return max(float((found[name] - right[name]).norm() / (right[name].norm() + floor)) for name in right)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_packed_groups_score_as_padded_rows_in_value_and_gradient(policy: Policy, temperature: float) -> None:
    weights = torch.randn(sum(map(sum, LENGTHS)), generator=torch.Generator().manual_seed(1))
    results = []
    for function in (group_entropies, padded_logprobs):
        found, entropies = function(policy, make_items(policy), temperature=temperature)
        loss = (flat(found) * weights).sum() + (flat(entropies) * weights.flip(0)).sum()
        results.append((flat(found), flat(entropies), gradients(policy, loss)))
    (packed, spread, slopes), (right, right_spread, right_slopes) = results
    assert float(right.detach().std()) > 0.5
    torch.testing.assert_close(packed, right, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(spread, right_spread, rtol=1e-5, atol=1e-5)
    assert largest_relative(slopes, right_slopes) < 1e-5


def test_gradients_reach_a_trained_tower_through_the_shared_prompt(policy: Policy) -> None:
    found = []
    for function in (group_logprobs, padded_logprobs):
        items = make_items(policy, ((3, 5), (2,)), grad=True)
        scored = function(policy, items)
        scored = scored[0] if isinstance(scored, tuple) else scored
        found.append(gradients(policy, flat(scored).sum()))
    assert any(name.startswith("model.visual") for name in found[0])
    assert largest_relative(*found) < 1e-5


def test_shapes_of_the_answer_are_those_of_the_items(policy: Policy) -> None:
    found = group_logprobs(policy, make_items(policy))
    assert [[len(tensor) for tensor in group] for group in found] == [list(group) for group in LENGTHS]
    assert all(tensor.dtype == torch.float32 for group in found for tensor in group)
    assert torch.equal(flat(found), flat(group_entropies(policy, make_items(policy))[0]))


def test_chunks_of_tokens_change_neither_value_nor_gradient(policy: Policy) -> None:
    items = make_items(policy)
    whole, parts = (group_logprobs(policy, items, chunk_tokens=chunk) for chunk in (None, 7))
    torch.testing.assert_close(flat(whole), flat(parts), rtol=1e-6, atol=1e-6)
    slopes = [gradients(policy, flat(found).square().sum()) for found in (whole, parts)]
    assert largest_relative(*slopes) < 1e-5


def test_order_and_company_of_items_change_nothing(policy: Policy) -> None:
    items = make_items(policy)
    together = group_logprobs(policy, items)
    backwards = group_logprobs(policy, items[::-1])[::-1]
    alone = [group_logprobs(policy, [item])[0] if any(map(len, item.completions)) else [] for item in items]
    torch.testing.assert_close(flat(together), flat(backwards), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(flat(together), flat(alone), rtol=1e-5, atol=1e-5)


def test_a_completion_sees_neither_its_siblings_nor_other_groups(policy: Policy) -> None:
    items = make_items(policy, ((6, 6), (6, 6)))
    before = group_logprobs(policy, items)
    changed = PackItem(items[0].prompt, items[0].features, [words(policy, 6, 99), items[0].completions[1]])
    after = group_logprobs(policy, [changed, items[1]])
    assert not torch.allclose(before[0][0], after[0][0])
    assert torch.equal(before[0][1], after[0][1])
    assert torch.equal(flat(before[1:]), flat(after[1:]))


def test_gradient_checkpointing_changes_neither_value_nor_gradient(policy: Policy) -> None:
    items = make_items(policy)
    plain, again = (group_logprobs(policy, items, recompute=on) for on in (False, True))
    assert torch.equal(flat(plain), flat(again))
    slopes = [gradients(policy, flat(found).square().sum()) for found in (again, plain)]
    assert largest_relative(*slopes) < 1e-6


def test_gradient_checkpointing_reaches_a_trained_tower(policy: Policy) -> None:
    found = []
    for on in (True, False):
        with recomputed(policy.model, on=on):
            items = make_items(policy, ((3, 5), (2,)), grad=True)
        found.append(gradients(policy, flat(group_logprobs(policy, items, recompute=on)).sum()))
    assert any(name.startswith("model.visual") for name in found[0])
    assert largest_relative(*found) < 1e-6


def test_checkpointed_layers_keep_their_input_alone_and_run_once_more(policy: Policy) -> None:
    items = make_items(policy, ((3, 5),))
    kept, runs = [], []
    layers = policy.model.model.language_model.layers
    for on in (False, True):
        count: list[int] = []
        hooks = [layer.self_attn.register_forward_hook(lambda *_, seen=count: seen.append(1)) for layer in layers]
        sizes: dict[int, int] = {}

        def keep(tensor: torch.Tensor, sizes: dict[int, int] = sizes) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = flat(group_logprobs(policy, items, recompute=on)).sum()
        kept.append(sum(sizes.values()))
        loss.backward()
        policy.model.zero_grad()
        runs.append(len(count))
        for hook in hooks:
            hook.remove()
    assert runs == [len(layers), 2 * len(layers)]
    assert kept[1] < 0.8 * kept[0]
    assert not any("forward" in vars(layer) for layer in layers)


def test_without_gradients_nothing_is_recomputed(policy: Policy) -> None:
    layers = policy.model.model.language_model.layers
    with torch.no_grad(), recomputed(policy.model):
        assert not any("forward" in vars(layer) for layer in layers)
    with recomputed(policy.model):
        assert all("forward" in vars(layer) for layer in layers)
        layers[0].forward = plain = layers[0].forward  # What was put there before is put back.
        with recomputed(policy.model):
            assert layers[0].forward is not plain
        assert layers[0].forward is plain


def test_bfloat16_stays_near_the_padded_form(policy: Policy) -> None:
    half = sharp(policy.family.name)
    half.model.to(torch.bfloat16)
    items = make_items(half)
    right = flat(padded_logprobs(policy, make_items(policy))[0]).detach()
    with torch.no_grad():
        packed, padded = flat(group_logprobs(half, items)), flat(padded_logprobs(half, items)[0])
    error = (padded - right).square().mean().sqrt()
    assert float((packed - right).square().mean().sqrt()) < 1.3 * float(error)


def test_forbidden_ids_hold_no_probability_and_are_refused_as_targets(policy: Policy) -> None:
    prompt = make_prompt(policy, seen=False)
    allowed = [token for token in range(policy.model.config.get_text_config().vocab_size)]
    allowed = [token for token in allowed if token not in policy.forbidden_ids.tolist()]
    singles = [torch.tensor([token]) for token in allowed]
    with torch.no_grad():
        found = group_logprobs(policy, [PackItem(prompt, None, singles)])
    assert float(flat(found).exp().sum()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(WorkError, match="vision placeholder"):
        group_logprobs(policy, [PackItem(prompt, None, [policy.forbidden_ids[:1]])])


def test_nothing_to_score_and_bad_temperatures_are_refused(policy: Policy) -> None:
    item = PackItem(make_prompt(policy, seen=False), None, [torch.tensor([], dtype=torch.int64)])
    with pytest.raises(RequestError, match="no completion token"):
        group_logprobs(policy, [item])
    with pytest.raises(RequestError, match=r"temperature=0\.0"):
        group_logprobs(policy, make_items(policy), temperature=0.0)


def test_no_tensor_is_as_large_as_a_mask_over_prompt_and_completions(policy: Policy) -> None:
    prompt = make_prompt(policy, "what next " * 150, seen=False)
    item = PackItem(prompt, None, [words(policy, 64, j) for j in range(8)])
    squared = item.num_tokens**2
    with Largest() as seen, torch.no_grad():
        group_logprobs(policy, [item], chunk_tokens=64)
    assert item.num_tokens > 800
    assert seen.elements < squared / 4
    with Largest() as seen, torch.no_grad():
        torch.zeros(item.num_tokens, item.num_tokens)
    assert seen.elements == squared


def test_micro_batches_respect_the_budget_and_never_split_a_group(policy: Policy) -> None:
    items = make_items(policy, ((4, 4), (1,), (30, 30), (2,)))
    sizes = [item.num_tokens for item in items]
    budget = sizes[0] + sizes[1]
    assert micro_batches(items, budget) == [[0, 1], [2], [3]]
    assert micro_batches(items, 1) == [[0], [1], [2], [3]]
    assert micro_batches(items, 10**6) == [[0, 1, 2, 3]]
    with pytest.raises(RequestError, match="budget_tokens=0"):
        micro_batches(items, 0)


@pytest.fixture(scope="module")
def prompts() -> tuple[Policy, list[Prompt]]:
    policy = sharp("qwen2_5_vl")
    return policy, [make_prompt(policy, "why " * n, seen=False) for n in range(4)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 6), max_size=4)), min_size=1, max_size=5))
def test_any_mixture_of_groups_scores_as_padded_rows(
    prompts: tuple[Policy, list[Prompt]], shape: list[tuple[int, list[int]]]
) -> None:
    policy, known = prompts
    items = [
        PackItem(known[place], None, [words(policy, n, i * 7 + j) for j, n in enumerate(lengths)])
        for i, (place, lengths) in enumerate(shape)
    ]
    if not any(length for _, lengths in shape for length in lengths):
        return
    with torch.no_grad():
        packed, right = group_logprobs(policy, items), padded_logprobs(policy, items)[0]
    torch.testing.assert_close(flat(packed), flat(right), rtol=1e-5, atol=1e-5)
