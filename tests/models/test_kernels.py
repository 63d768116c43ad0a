from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym.models import kernels
from reelgym.models.kernels import attend, attend_backward, merge, plain, plain_backward


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, causal: bool, scale: float) -> torch.Tensor:
    """Return attention the long way, key and value heads repeated."""
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scores = query @ key.transpose(-1, -2) * scale
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -torch.inf)
    return scores.softmax(-1) @ value


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_kernels_and_their_gradients_are_dense_attention(
    rows: int, kv_heads: int, repeats: int, queries: int, keys: int, causal: bool
) -> None:
    keys = queries if causal else keys
    query, key, value = (
        draw(rows, kv_heads * repeats, queries, 8),
        draw(rows, kv_heads, keys, 8),
        draw(rows, kv_heads, keys, 8, seed=1),
    )
    wanted = [tensor.requires_grad_() for tensor in (query, key, value)]
    right = dense(*wanted, causal=causal, scale=0.3)
    grad = draw(*right.shape, seed=2)
    slopes = torch.autograd.grad(right, wanted, grad)
    with torch.no_grad():
        out, norm = attend(query, key, value, causal=causal, scale=0.3)
        found = attend_backward(grad, query, key, value, out, norm, causal=causal, scale=0.3)
    torch.testing.assert_close(out, right.detach())
    for one, other in zip(found, slopes, strict=True):
        torch.testing.assert_close(one, other)


def test_merging_two_sets_of_keys_is_attending_to_both_in_value_and_gradient() -> None:
    query, key, value, grad = (draw(2, 3, 7, 8, seed=seed) for seed in range(4))
    out, norm = attend(query, key, value, causal=False, scale=0.3)
    parts = [(key[:, :, :2], value[:, :, :2]), (key[:, :, 2:], value[:, :, 2:])]
    found = [attend(query, *part, causal=False, scale=0.3) for part in parts]
    merged, merged_norm = merge(*found[0], *found[1])
    torch.testing.assert_close(merged, out)
    torch.testing.assert_close(merged_norm, norm)
    right = attend_backward(grad, query, key, value, out, norm, causal=False, scale=0.3)
    shares = [attend_backward(grad, query, *part, merged, merged_norm, causal=False, scale=0.3) for part in parts]
    torch.testing.assert_close(shares[0][0] + shares[1][0], right[0])
    for place in (1, 2):
        torch.testing.assert_close(torch.cat([share[place] for share in shares], 2), right[place])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("block", [3, 1024])
def test_the_plain_form_is_the_fused_one(causal: bool, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "BLOCK", block)
    query, key, value, grad = (draw(2, 3, 7, 8, seed=seed) for seed in range(4))
    fused = attend(query, key, value, causal=causal, scale=0.3)
    loose = plain(query, key, value, causal=causal, scale=0.3)
    for one, other in zip(fused, loose, strict=True):
        torch.testing.assert_close(one, other)
    slopes = attend_backward(grad, query, key, value, *fused, causal=causal, scale=0.3)
    for one, other in zip(
        slopes, plain_backward(grad, query, key, value, *loose, causal=causal, scale=0.3), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_mask_hides_keys_in_both_forms() -> None:
    query, key, value = (draw(2, 3, 5, 8, seed=seed) for seed in range(3))
    mask = torch.zeros(2, 1, 1, 5, dtype=torch.float64)
    mask[1, ..., 3:] = -torch.inf
    right = attend(query[1:], key[1:, :, :3], value[1:, :, :3], causal=False, scale=0.3)
    for form in (attend, plain):
        out, norm = form(query, key, value, causal=False, scale=0.3, mask=mask)
        torch.testing.assert_close(out[1:], right[0])
        torch.testing.assert_close(norm[1:], right[1])
