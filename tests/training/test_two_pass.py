from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from continuations import agree, judged
from sharp_policies import FAMILIES, make_prompt, sharp
from transformers import Qwen3_5ForCausalLM, Qwen3_5TextConfig

from reelgym.errors import RequestError
from reelgym.models import attention
from reelgym.models.base import Prompt
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.local import LocalSampler
from reelgym.training import two_pass
from reelgym.training.packing import Continuation, PackItem, group_entropies, padded_logprobs


@pytest.mark.parametrize("family", FAMILIES)
def test_prefill_and_expanded_keys_score_as_padded_rows(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = sharp(family)
    monkeypatch.setattr(attention, "serves", lambda model: False)
    found = judged(policy, group_entropies, tower=True)
    assert any(name.startswith("model.visual") for name in found[2])
    agree(found, judged(policy, padded_logprobs, tower=True), 1e-5, 1e-5)


class Recurrent:
    """A tiny text model of recurrent and attention layers, as far as scoring looks at a policy."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        config = Qwen3_5TextConfig(
            vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
            num_key_value_heads=1, head_dim=16, linear_num_key_heads=2, linear_num_value_heads=2,
            linear_key_head_dim=16, linear_value_head_dim=16,
            layer_types=["linear_attention", "full_attention", "linear_attention"],
        )  # fmt: skip
        self.model = Qwen3_5ForCausalLM(config).double().eval()
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(8)
        self.device, self.pad_id, self.source = torch.device("cpu"), 0, "recurrent"
        self.forbidden_ids, self.placeholder_ids = torch.tensor([96]), {"image": -1, "video": -2}
        self.runs: list[tuple[int, ...]] = []

    def hidden(self, ids: torch.Tensor, positions: torch.Tensor, *, features: Any = None, **kwargs: Any) -> Any:
        self.runs.append(tuple(ids.shape))
        return self.model.model(input_ids=ids, position_ids=positions[0], **kwargs)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.model.lm_head(hidden)


def recurrent_items(policy: Any) -> list[PackItem]:
    draw = torch.Generator().manual_seed(2)

    def words(count: int) -> torch.Tensor:
        return torch.randint(1, 96, (count,), generator=draw)

    written = torch.tensor([True] * 3 + [False] * 4 + [True] * 2)
    answered = Continuation(Prompt.of_ids(words(9)), written)
    return [
        PackItem(Prompt.of_ids(words(70)), None, [words(5), answered, words(0), words(1)]),
        PackItem(Prompt.of_ids(words(2)), None, [words(3)]),
        PackItem(Prompt.of_ids(words(5)), None, [words(0)]),
        PackItem(Prompt.of_ids(words(9)), None, [words(1), words(1)]),
    ]


def test_recurrent_states_are_shared_by_a_group_with_gradients_into_the_prompt() -> None:
    policy = Recurrent()
    assert not attention.serves(policy.model)
    found = judged(policy, group_entropies, make=recurrent_items)
    assert policy.runs == [(1, 70), (4, 9), (1, 2), (1, 3), (1, 9), (2, 1)]
    # The reference kernel of these layers computes in float32 whatever the model is, in chunks that lie differently.
    agree(found, judged(policy, padded_logprobs, make=recurrent_items), 1e-5, 1e-4)


def test_a_prompt_of_a_recurrent_model_learns_through_its_states() -> None:
    policy = Recurrent()
    items = recurrent_items(policy)[:1]
    embedded = policy.model.get_input_embeddings().weight
    two_pass.hidden(policy, items).square().sum().backward()  # type: ignore[arg-type]
    asked = set(items[0].prompt.ids.tolist()) - {
        int(i) for c in items[0].completions for i in Continuation.of(c).tokens.ids
    }
    assert asked and all(float(embedded.grad[token].norm()) > 0 for token in asked)


def test_the_local_sampler_refuses_layers_it_cannot_share(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = sharp("qwen2_5_vl")
    assert attention.serves(policy.model)
    monkeypatch.setattr(attention, "serves", lambda model: False)
    with pytest.raises(RequestError, match="recurrent or windowed layers"):
        LocalSampler(policy).sample(
            [make_prompt(policy, seen=False)], n=1, params=SamplingParams(temperature=0), streams=None
        )


def test_windows_and_states_are_not_full_attention() -> None:
    def kinds(*names: str) -> Any:
        config = Qwen3_5TextConfig(num_hidden_layers=len(names), layer_types=list(names), sliding_window=8)
        return SimpleNamespace(config=config)

    assert attention.serves(kinds("full_attention", "full_attention"))
    assert not attention.serves(kinds("full_attention", "sliding_attention"))
    assert not attention.serves(kinds("linear_attention", "full_attention"))
