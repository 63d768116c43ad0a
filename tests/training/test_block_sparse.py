from __future__ import annotations

import pytest
import torch
from continuations import Largest, flat, mixed_items
from sharp_policies import make_prompt, sharp

from reelgym.models import attention, flex
from reelgym.models.attention import Branch, PackedLayout, Rectangle, rectangles
from reelgym.training.packing import PackItem, group_entropies, group_logprobs

CPU = torch.device("cpu")


def ragged() -> tuple[PackedLayout, torch.Tensor]:
    """Return sequences and two groups that branch off two of them, and who sees whom, token by token."""
    prompts, rows = [300, 140, 140], [30, 0, 150, 9, 9, 9]
    sequences = rectangles(prompts, CPU)
    total = sum(prompts)
    layout = PackedLayout(sequences, (Branch(Rectangle.of(300, [140, 140], CPU), Rectangle.of(total, rows, CPU)),))
    spans = [(sum(prompts[:i]), size, None) for i, size in enumerate(prompts)]
    spans += [(total + sum(rows[:i]), size, 300 + 140 * (i // 3)) for i, size in enumerate(rows)]
    seen = torch.zeros(total + sum(rows), total + sum(rows), dtype=torch.bool)
    for start, size, above in spans:
        for token in range(start, start + size):
            seen[token, start : token + 1] = True
            if above is not None:
                seen[token, above : above + 140] = True
    return layout, seen


def test_the_block_mask_shows_each_token_what_it_may_see() -> None:
    layout, seen = ragged()
    mask = flex.Spans.of(layout, CPU).block_mask()
    tokens = torch.arange(len(seen))
    zero = torch.tensor(0)
    assert torch.equal(mask.mask_mod(zero, zero, tokens[:, None], tokens[None, :]), seen)
    blocks = [[seen[q : q + 128, k : k + 128] for k in range(0, len(seen), 128)] for q in range(0, len(seen), 128)]
    listed = {"some": (mask.kv_num_blocks, mask.kv_indices), "all": (mask.full_kv_num_blocks, mask.full_kv_indices)}
    for q, row in enumerate(blocks):
        found = {name: set(places[0, 0, q, : count[0, 0, q]].tolist()) for name, (count, places) in listed.items()}
        assert found["all"] <= {k for k, block in enumerate(row) if block.all()}
        assert found["some"] | found["all"] == {k for k, block in enumerate(row) if block.any()}
        assert not found["some"] & found["all"]
    assert int(mask.full_kv_num_blocks.sum()) > 0


@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_the_block_sparse_form_is_the_split_form(monkeypatch: pytest.MonkeyPatch) -> None:
    # Values alone: torch has no backward of flex_attention on a CPU.
    policy = sharp("qwen3_vl")
    calls: list[int] = []
    plain = flex.attend
    with torch.no_grad():
        items = mixed_items(policy)
        right = [flat(found) for found in group_entropies(policy, items)]
        monkeypatch.setattr(flex, "chosen", lambda device: True)
        monkeypatch.setattr(flex, "attend", lambda *a, **k: calls.append(1) or plain(*a, **k))
        found = [flat(found) for found in group_entropies(policy, items)]
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert len(calls) == policy.model.config.text_config.num_hidden_layers


@pytest.mark.parametrize("form", ["packed", "two passes"])
def test_above_4k_tokens_nothing_is_as_large_as_a_mask(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = sharp("qwen2_5_vl")
    if form == "two passes":
        monkeypatch.setattr(attention, "serves", lambda model: False)
    prompt = make_prompt(policy, "what next " * 1900, seen=False)
    item = PackItem(prompt, None, [torch.arange(40, 104) for _ in range(8)])
    assert item.num_tokens > 4096
    with Largest() as seen:
        torch.cat(group_logprobs(policy, [item], chunk_tokens=64)[0]).sum().backward()
    assert seen.elements < item.num_tokens**2 / 5


def test_the_block_mask_of_16k_tokens_needs_no_mask_of_tokens() -> None:
    layout = PackedLayout(
        rectangles([8192], CPU), (Branch(Rectangle.of(0, [8192], CPU), Rectangle.of(8192, [1024] * 8, CPU)),)
    )
    with Largest() as seen:
        mask = flex.Spans.of(layout, CPU).block_mask()
    assert seen.elements < 16384**2 / 200
    assert 0.5 * 100 < mask.sparsity() < 100
